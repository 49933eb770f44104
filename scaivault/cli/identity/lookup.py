"""``identity resolve``."""

from __future__ import annotations

import click

from scaivault.cli.ids import type_of
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts


@click.command()
@click.argument("identity", metavar="IDENTITY")
@client_flags
def resolve(identity: str) -> None:
    """Who an id is, with all groups that count and all roles."""
    kind = type_of(identity)
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.client.identity.resolve, kind, identity)
    current.show(answer, facts(answer.body))
