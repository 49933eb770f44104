"""``identity roles`` and ``set-roles``."""

from __future__ import annotations

import click

from scaivault.cli import ask
from scaivault.cli.identity.shapes import yes_flag
from scaivault.cli.ids import caller_type_of
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts, list_of


@click.command()
@click.argument("identity", metavar="[IDENTITY]", required=False)
@client_flags
def roles(identity: str | None) -> None:
    """The admin roles that a user or service account has; without one, those there are.

    GRANTABLE says whether you could give it to somebody.
    """
    kind = None if identity is None else caller_type_of(identity)
    current = session()
    vault = current.vault()
    identities = vault.client.identity
    if kind is not None:
        is_user = kind == "user"
        held = identities.user_roles if is_user else identities.service_account_roles
        answer = vault.ask(held, identity)
        current.show(answer, facts(answer.body))
        return
    answer = vault.ask(identities.roles)
    columns = {"NAME": "name", "DESCRIPTION": "description", "GRANTABLE": "grantable"}
    current.show(answer, list_of(answer.body, "roles", columns))


@click.command("set-roles")
@click.argument("identity", metavar="IDENTITY")
@click.argument("wanted", metavar="[ROLE]...", nargs=-1)
@yes_flag
@client_flags
def set_roles(identity: str, wanted: tuple[str, ...], yes: bool) -> None:
    """Give a user or service account these admin roles, and take all others away.

    Without any ROLE it asks first; without a terminal that needs --yes.
    """
    is_user = caller_type_of(identity) == "user"
    if not wanted:
        ask.agreed(f"Take every admin role from {identity}?", yes=yes)
    current = session()
    vault = current.vault()
    identities = vault.client.identity
    change = identities.set_user_roles if is_user else identities.set_service_account_roles
    answer = vault.ask(change, identity, wanted)
    current.show(answer, facts(answer.body))
