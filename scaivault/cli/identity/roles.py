"""``identity roles`` and ``set-roles``."""

from __future__ import annotations

import click

from scaivault.cli import ask
from scaivault.cli.identity.shapes import show_one
from scaivault.cli.ids import caller_type_of
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of

_HELD = {"user": "user_roles", "service_account": "service_account_roles"}
_SET = {"user": "set_user_roles", "service_account": "set_service_account_roles"}


@click.command()
@click.argument("identity", metavar="[IDENTITY]", required=False)
@client_flags
def roles(identity: str | None) -> None:
    """The admin roles that a user or service account has; without one, those there are.

    GRANTABLE says whether you could give it to somebody.
    """
    if identity is not None:
        show_one(_HELD[caller_type_of(identity)], identity)
        return
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.identity.roles)
    columns = {"NAME": "name", "DESCRIPTION": "description", "GRANTABLE": "grantable"}
    current.show(answer, list_of(answer.body, "roles", columns))


@click.command("set-roles")
@click.argument("identity", metavar="IDENTITY")
@click.argument("wanted", metavar="[ROLE]...", nargs=-1)
@ask.yes_flag
@client_flags
def set_roles(identity: str, wanted: tuple[str, ...], yes: bool) -> None:
    """Give a user or service account these admin roles, and take all others away.

    Without any ROLE it asks first; without a terminal that needs --yes.
    """
    kind = caller_type_of(identity)
    if not wanted:
        ask.agreed(f"Take every admin role from {identity}?", yes=yes)
    show_one(_SET[kind], identity, wanted)
