"""``identity resolve``."""

from __future__ import annotations

import click

from scaivault.cli.identity.shapes import show_one
from scaivault.cli.ids import type_of
from scaivault.cli.session import client_flags


@click.command()
@click.argument("identity", metavar="IDENTITY")
@client_flags
def resolve(identity: str) -> None:
    """Who an id is, with all groups that count and all roles."""
    show_one("resolve", type_of(identity), identity)
