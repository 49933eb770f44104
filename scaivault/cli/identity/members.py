"""``identity members``."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.identity.shapes import numbered, page_flags, show_one
from scaivault.cli.ids import group_of
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import list_of

_COLUMNS = {
    "IDENTITY": "identity_id", "ID": "user_id", "BY": "membership_type", "SINCE": "added_at",
}  # fmt: skip


@click.command()
@click.argument("group", metavar="GROUP")
@click.option("--add", metavar="IDENTITY", help="Put a user or service account into it.")
@click.option("--remove", metavar="IDENTITY", help="Take a direct member out of it.")
@ask.yes_flag
@page_flags
@client_flags
def members(group: str, add: str | None, remove: str | None, yes: bool, **pages: Any) -> None:
    """Who belongs to a group, members of groups below it included.

    With --add or --remove one member is changed; it holds for the next request. --remove asks
    first; without a terminal it needs --yes.
    """
    if add is not None and remove is not None:
        raise usage("--add or --remove, not both")
    if remove is not None:
        ask.agreed(f"Take {remove} out of {group}?", yes=yes)
    group = group_of(group)
    if add is not None:
        show_one("add_member", group, add)
    elif remove is not None:
        show_one("remove_member", group, remove)
    else:
        current = session()
        vault = current.vault()
        answer = numbered(vault, vault.client.identity.members, "members", group, **pages)
        current.show_page(answer, list_of(answer.body, "members", _COLUMNS))
