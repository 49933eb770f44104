"""A click group whose commands are imported only when they are called.

``scaivault --version`` and shell completion run many times a day; importing every command
with its HTTP client and server parts would cost them a second each time.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class LazyGroup(click.Group):
    """``table``: command name -> (``.module:attribute`` in ``package``, a line for ``--help``)."""

    def __init__(
        self, *args: Any, package: str, table: Mapping[str, tuple[str, str]], **keywords: Any
    ) -> None:
        super().__init__(*args, **keywords)
        self._package = package
        self._table = dict(table)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._table:
            return None
        module, _, attribute = self._table[cmd_name][0].partition(":")
        command = getattr(import_module(module, self._package), attribute)
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._package}{module}:{attribute} is not a command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does it, which knows no names here to suggest."""
        word = args[0]
        if word not in self._table and not word.startswith("-") and not ctx.resilient_parsing:
            from difflib import get_close_matches

            for near in get_close_matches(word, self._table, 1):
                ctx.fail(f"No such command {word!r}. Did you mean {near!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in ``--help``, written from the table so that nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in self._table.items()])
