"""``identity sync``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

import click

from scaivault.cli.failure import GENERAL, usage
from scaivault.cli.http import rows
from scaivault.cli.identity.shapes import numbered, page_flags
from scaivault.cli.session import Session, client_flags, session
from scaivault.cli.tables import facts, list_of

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

_PAUSE: Final = 2.0  # seconds between two looks
_COLUMNS: Final = {
    "STARTED": "started_at", "STATUS": "status", "BY": "trigger", "CREATED": "created",
    "UPDATED": "updated", "SUSPENDED": "suspended", "ERROR": "error",
}  # fmt: skip


@click.command()
@click.option("--partner", metavar="ID", help="Only this partner's.")
@click.option("--wait", is_flag=True, help="Until it is over; exit 1 when it failed.")
@click.option("--history", is_flag=True, help="Runs there were, newest first.")
@page_flags
@client_flags
def sync(partner: str | None, wait: bool, history: bool, **pages: Any) -> int:
    """Fetch users and groups anew from where they are kept: of the tenant that --tenant names,
    else of all that you may see.

    It goes on by itself; --history tells how runs ended.
    """
    if history and (wait or partner is not None):
        raise usage("--history takes neither --wait nor --partner")
    current = session()
    vault = current.vault()
    if history:
        answer = numbered(vault, vault.client.identity.sync_history, "history", **pages)
        told = {"history": [_told(each) for each in rows(answer.body, "history")]}
        current.show_page(answer, list_of(told, "history", _COLUMNS, of="runs"))
        return 0
    answer = vault.ask(vault.client.identity.sync, partner, vault.client.tenant_id)
    if not wait:
        current.show(answer, facts(answer.body))
        return 0
    return _awaited(current, vault, answer.body)


def _awaited(current: Session, vault: Vault, run: dict[str, Any]) -> int:
    while run.get("status") == "running":
        time.sleep(_PAUSE)
        recent = vault.ask(vault.client.identity.sync_history).body
        known = {each.get("sync_id"): each for each in rows(recent, "history")}
        run = known.get(run.get("sync_id"), run)
    current.show_own(run, facts(_told(run)))
    return 0 if run.get("status") == "completed" else GENERAL


def _told(run: dict[str, Any]) -> dict[str, Any]:
    """With its error as one line, as those of commands are."""
    error = run.get("error")
    if not isinstance(error, dict):
        return run
    return {**run, "error": f"{error.get('code')}: {error.get('message')}"}
