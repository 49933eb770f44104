"""``secrets read`` and ``secrets metadata``."""

from __future__ import annotations

import sys
from typing import Any

import click

from scaivault.cli.failure import NOT_FOUND, Failure, usage
from scaivault.cli.output import clean
from scaivault.cli.secrets.shapes import (
    facts_table,
    partner_flag,
    path_argument,
    text_of,
    value_table,
)
from scaivault.cli.session import client_flags, session


@click.command()
@path_argument()
@click.option("--version", type=click.IntRange(1), metavar="N", help="An older version.")
@click.option("--field", metavar="F", help="Only this field, raw; in a pipe without a line end.")
@partner_flag
@client_flags
def read(path: str, version: int | None, field: str | None, partner: bool) -> None:
    """Print a value.

    Text is printed as it is, numbers, lists and objects as JSON.
    """
    current = session()
    if field is not None and current.json:
        raise usage("--field is raw, --json is the whole answer; use one of them")
    vault = current.vault()
    answer = vault.ask(vault.secrets(partner).read, path, version=version)
    if field is None:
        current.show(answer, value_table(answer.body))
    else:
        _print_raw(_field(answer.body.get("data"), field))


@click.command()
@path_argument()
@partner_flag
@client_flags
def metadata(path: str, partner: bool) -> None:
    """All about a secret but its value; exit 4 when there is none.

    Needs the right to list, not to read.
    """
    current = session()
    vault = current.vault()
    answer = vault.ask(vault.secrets(partner).read_metadata, path)
    current.show(answer, facts_table(answer.body))


def _field(data: Any, field: str) -> str:
    if not isinstance(data, dict) or field not in data:
        names = ", ".join(data) if isinstance(data, dict) and data else "none at all"
        raise Failure("field_not_found", f"no field {field}; there are: {names}", NOT_FOUND)
    return text_of(data[field])


def _print_raw(text: str) -> None:
    """A pipe gets every byte and nothing more. A terminal gets its lines, but no control
    characters, and a line end."""
    if sys.stdout.isatty():
        sys.stdout.write("\n".join(clean(line) for line in text.split("\n")).rstrip("\n") + "\n")
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode("utf-8", "surrogatepass"))
    sys.stdout.buffer.flush()
