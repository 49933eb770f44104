"""``identity revoke-access``: the end of everything that somebody has, and what he had read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from scaivault.cli import ask
from scaivault.cli.ids import caller_type_of
from scaivault.cli.output import Table
from scaivault.cli.session import Session, client_flags, session
from scaivault.cli.tables import facts

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault


@click.command("revoke-access")
@click.argument("identity", metavar="IDENTITY")
@click.option("--reason", metavar="S", help="Why; it stands in the audit log.")
@ask.yes_flag
@client_flags
def revoke_access(identity: str, reason: str | None, yes: bool) -> None:
    """End at once everything that a user or service account has: tokens, also those of other
    issuers, client secrets, trusts, subscriptions, leases.

    Prints what was ended, and every path that it had ever read: what it knows it still knows, so
    these are to be rotated. The identity itself stays, with what is granted to it; identity update
    suspends it, identity delete removes it. With --json, `summary` is what audit identity says.
    Asks first; without a terminal it needs --yes.
    """
    kind = caller_type_of(identity)
    ask.agreed(f"End everything that {identity} has?", yes=yes)
    current = session()
    vault = current.vault()
    ended = vault.ask(vault.client.identity.revoke_access, kind, identity, reason=reason).body
    summary = _done_before(current, vault, str(ended.get("identity_id", identity)))
    read = (summary or {}).get("resources_accessed") or []
    counted = None if summary is None else len(read)
    paths = Table(("READ",), [[path] for path in read])
    told = facts({**ended, "paths_read": counted})
    current.show_own({**ended, "summary": summary}, told, paths)


def _done_before(current: Session, vault: Vault, identity_id: str) -> Mapping[str, Any] | None:
    """What the audit log sums up of an identity; ``None``, with a remark, when it cannot be asked:
    the access is revoked all the same."""
    from scaivault_sdk.errors import APIError

    try:
        answer = vault.ask(vault.client.audit.identity, identity_id, limit=1)
    except APIError as refused:
        current.note(f"access is revoked; what it had read is not known: {refused.code}")
        return None
    summary = answer.body.get("summary")
    if not isinstance(summary, dict):
        return None
    if summary.get("truncated"):
        current.note("it had read more paths than are listed")
    return summary
