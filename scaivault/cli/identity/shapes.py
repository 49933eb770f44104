"""What the commands about identities share: flags, pages of lists, what is to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from scaivault.cli.failure import usage
from scaivault.cli.http import Answer
from scaivault.cli.session import session
from scaivault.cli.tables import facts

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
    """``--match``, as ``q``, its name in the API."""
    text = "Only names or addresses that hold this."
    return click.option("--match", "q", metavar="TEXT", help=text)(command)


def numbered(
    vault: Vault,
    call: Callable[..., Any],
    name: str,
    *arguments: Any,
    limit: int | None,
    every: bool,
    **filters: Any,
) -> Answer:
    """A list whose pages have numbers: as much of it as ``page_flags`` ask for."""
    filters["page_size"] = limit
    return vault.pages(call, name, *arguments, every=every, size="page_size", **filters)


def show_one(call: str, /, *arguments: Any, **options: Any) -> None:
    """Make this call of ``client.identity``, and show the object that it answers, if any."""
    current = session()
    vault = current.vault()
    answer = vault.ask(getattr(vault.client.identity, call), *arguments, **options)
    current.show(answer, facts(answer.body))


def changed(fields: dict[str, Any]) -> dict[str, Any]:
    """What is to change. ``Failure``, with the flags of the command, when that is nothing."""
    if not fields:
        own = (each for each in click.get_current_context().command.params if each.expose_value)
        flags = (each.opts[0] for each in own if isinstance(each, click.Option))
        raise usage(f"name what to change: {', '.join(flag for flag in flags if flag != '--yes')}")
    return fields
