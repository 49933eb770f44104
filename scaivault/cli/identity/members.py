"""``identity members``."""

from __future__ import annotations

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.identity.shapes import facts, page_flags, show_list, yes_flag
from scaivault.cli.ids import group_of
from scaivault.cli.session import client_flags, session

_HEADER = ("IDENTITY", "ID", "BY", "SINCE")
_FIELDS = ("identity_id", "user_id", "membership_type", "added_at")


@click.command()
@click.argument("group", metavar="GROUP")
@click.option("--add", metavar="IDENTITY", help="Put a user or service account into it.")
@click.option("--remove", metavar="IDENTITY", help="Take a direct member out of it.")
@yes_flag
@page_flags
@client_flags
def members(
    group: str, add: str | None, remove: str | None, yes: bool, limit: int | None, every: bool
) -> None:
    """Who belongs to a group, members of groups below it included.

    With --add or --remove one member is changed; it holds for the next request. --remove asks
    first; without a terminal it needs --yes.
    """
    if add is not None and remove is not None:
        raise usage("--add or --remove, not both")
    if remove is not None:
        ask.agreed(f"Take {remove} out of {group}?", yes=yes)
    group = group_of(group)
    current = session()
    vault = current.vault()
    identities = vault.client.identity
    if add is not None:
        answer = vault.ask(identities.add_member, group, add)
        current.show(answer, facts(answer.body))
    elif remove is not None:
        current.show(vault.ask(identities.remove_member, group, remove))
    else:
        answer = vault.pages(
            identities.members, "members", group, every=every, size="page_size", page_size=limit
        )
        show_list(current, answer, "members", _HEADER, _FIELDS)
