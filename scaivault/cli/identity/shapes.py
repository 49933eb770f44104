"""What the commands about identities share: flags of lists, columns, whose tenant it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from scaivault.cli.failure import usage
from scaivault.cli.http import Answer, rows
from scaivault.cli.output import Table
from scaivault.cli.session import Session

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

_Command = TypeVar("_Command", bound=Callable[..., Any])

STATES: Final = click.Choice(("ACTIVE", "SUSPENDED"), case_sensitive=False)
_LISTED: Final = click.Choice(("ACTIVE", "SUSPENDED", "DELETED"), case_sensitive=False)


def page_flags(command: _Command) -> _Command:
    """``--limit`` and ``--all``, as ``limit`` and ``every``."""
    command = click.option("--all", "every", is_flag=True, help="All pages.")(command)
    text = "At most so many."
    return click.option("--limit", type=click.IntRange(1, 200), metavar="N", help=text)(command)


def status_flag(command: _Command) -> _Command:
    """``--status``, as ``status``."""
    text = "Only with this one; else all but the deleted."
    return click.option("--status", type=_LISTED, help=text)(command)


def match_flag(command: _Command) -> _Command:
    """``--match``, as ``match``."""
    text = "Only names or addresses that hold this."
    return click.option("--match", metavar="TEXT", help=text)(command)


def yes_flag(command: _Command) -> _Command:
    """``--yes``, as ``yes``."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def tenant_of(vault: Vault) -> str:
    """The tenant to look into: the one that flag, environment or profile name, else the own."""
    named = vault.client.tenant_id
    return str(named or vault.ask(vault.client.auth.whoami).body.get("tenant_id"))


def show_list(
    current: Session, answer: Answer, name: str, header: Sequence[str], fields: Sequence[str]
) -> None:
    """A list with numbered pages, and a remark when there is more of it. A field that an item
    lacks may have another in its place: ``email|identity_id``."""
    items = rows(answer.body, name)
    lines = [[_first(each, field) for field in fields] for each in items]
    current.show(answer, Table(header, lines))
    total = answer.body.get("total")
    if isinstance(total, int) and len(items) < total:
        current.note(f"there are more: {total} in all; --all fetches every page")


def _first(item: Mapping[str, Any], field: str) -> Any:
    values = (item.get(name) for name in field.split("|"))
    return next((value for value in values if value is not None), None)


def facts(body: Mapping[str, Any]) -> Table:
    """One object, field by field."""
    return Table(("FIELD", "VALUE"), list(body.items()))


def changed(**fields: Any) -> dict[str, Any]:
    """What is to change; a status in capitals. ``Failure`` when that is nothing."""
    found = {name: value for name, value in fields.items() if value is not None}
    if not found:
        raise usage("name what to change; see --help")
    return found
