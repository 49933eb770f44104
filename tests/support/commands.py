"""The commands of the program, found as click finds them."""

from __future__ import annotations

from collections.abc import Iterator

import click

from scaivault.cli.main import scaivault


def every_command(
    command: click.Command = scaivault, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Words and command, groups and the program itself (no words) included."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None, (*words, name)
            yield from every_command(inner, (*words, name))
