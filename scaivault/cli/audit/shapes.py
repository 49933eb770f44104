"""Filters that the commands of this group share, and rows as a table."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click

from scaivault.cli.completion import complete_path
from scaivault.cli.http import rows
from scaivault.cli.output import Table

_Command = TypeVar("_Command", bound=Callable[..., Any])

_FIELDS = ("timestamp", "action", "identity_id", "secret_path", "source_ip")


def time_flags(command: _Command) -> _Command:
    """``--from`` and ``--to``, as ``from_`` and ``to``."""
    command = click.option("--to", metavar="TIME", help="Before this time.")(command)
    return click.option("--from", "from_", metavar="TIME", help="From this time on.")(command)


def filter_flags(command: _Command) -> _Command:
    """What rows to take: ``filters_of`` reads these."""
    flags = (
        click.option("--action", "actions", multiple=True, metavar="A", help="As read or write."),
        click.option("--identity", metavar="I", help="Done by this identity; `none`: by nobody."),
        click.option(
            "--path",
            "path_prefix",
            metavar="P",
            shell_complete=complete_path,
            help="Paths so begun.",
        ),
        click.option("--failed", is_flag=True, help="Only what was refused."),
    )
    for flag in reversed(flags):
        command = flag(command)
    return command


def filters_of(
    actions: tuple[str, ...], identity: str | None, path_prefix: str | None, failed: bool
) -> dict[str, Any]:
    """The filters by their names in the API."""
    return {
        "action": ",".join(actions) or None,
        "identity_id": identity,
        "path_prefix": path_prefix,
        "success": False if failed else None,
    }


def rows_table(body: Mapping[str, Any]) -> Table:
    header = ("TIME", "ACTION", "IDENTITY", "PATH", "IP", "OK")
    return Table(header, [line(row) for row in rows(body, "logs")], "rows")


def line(row: Mapping[str, Any]) -> list[Any]:
    """Somebody at a terminal reads why a row was refused; a pipe gets yes or no."""
    success, more = row.get("success"), row.get("extra_data")
    code = more.get("error_code") if isinstance(more, dict) else None
    told = code if code and success is False and sys.stdout.isatty() else success
    return [*(row.get(field) for field in _FIELDS), told]
