"""``identity sa-credentials``: client secrets, and how one takes the place of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from scaivault.cli import ask
from scaivault.cli.failure import Failure, usage
from scaivault.cli.http import rows
from scaivault.cli.ids import account_of
from scaivault.cli.once import hand_over, out_flag
from scaivault.cli.session import Session, client_flags, session
from scaivault.cli.tables import list_of

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

_COLUMNS = {
    "ID": "id", "NAME": "name", "CREATED": "created_at", "EXPIRES": "expires_at",
    "LAST-USED": "last_used_at",
}  # fmt: skip


@click.command("sa-credentials")
@click.argument("name", metavar="NAME")
@click.option("--rotate", is_flag=True, help="A new one, beside those there are.")
@click.option("--expires-in", metavar="D", help="With --rotate: its life; else without end.")
@out_flag
@click.option("--retire", is_flag=True, help="End all but the newest, which must be in use.")
@click.option("--end", metavar="ID", help="End this one.")
@ask.yes_flag
@client_flags
def credentials(
    name: str,
    rotate: bool,
    expires_in: str | None,
    out: str | None,
    retire: bool,
    end: str | None,
    yes: bool,
) -> None:
    """The client secrets of a service account.

    To replace one without downtime: --rotate, let the program take the new secret up, --retire.
    Stdout of --rotate holds the secret alone; --out puts it into a file, in place of the old one.
    --retire and --end ask first; without a terminal they need --yes.
    """
    if sum((rotate, retire, end is not None)) > 1:
        raise usage("one of --rotate, --retire and --end, not several")
    if not rotate and (out is not None or expires_in is not None):
        raise usage("--out and --expires-in need --rotate")
    current, account = session(), account_of(name)
    vault = current.vault()
    if rotate:
        _rotate(current, vault, account, expires_in, out)
    elif retire:
        _retire(current, vault, account, yes)
    elif end is not None:
        ask.agreed(f"End credential {end} of {account}, with its tokens?", yes=yes)
        current.show(vault.ask(vault.client.identity.delete_credentials, account, end))
    else:
        answer = vault.ask(vault.client.identity.credentials, account)
        current.show(answer, list_of(answer.body, "credentials", _COLUMNS))


def _rotate(
    current: Session, vault: Vault, account: str, expires_in: str | None, out: str | None
) -> None:
    make = vault.client.identity.create_credentials
    made = hand_over(
        current,
        out,
        "client_secret",
        lambda: vault.ask(make, account, expires_in=expires_in),
    )
    current.note(f"{made.get('id')} for client id {made.get('client_id')}, not shown again")


def _retire(current: Session, vault: Vault, account: str, yes: bool) -> None:
    known = rows(vault.ask(vault.client.identity.credentials, account).body, "credentials")
    if len(known) < 2:
        current.note(f"{account} has no older credential")
        return
    *older, newest = sorted(known, key=lambda each: str(each.get("created_at")))
    if newest.get("last_used_at") is None:
        raise Failure(
            "not_in_use",
            f"{newest.get('id')}, the newest, was never used: whatever works for {account} uses "
            "an older one; let it take the new one up, or --end the new one if it got lost",
        )
    ids = [str(each.get("id")) for each in older]
    ask.agreed(f"End {', '.join(ids)} of {account}, with their tokens?", yes=yes)
    for each in ids:
        vault.ask(vault.client.identity.delete_credentials, account, each)
        current.note(f"{each} is of no use any more")
