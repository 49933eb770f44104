"""What commands print: answers on stdout, everything else on stderr.

On a terminal a table is aligned under a header; in a pipe its cells are separated by tabs,
without a header. With ``--json`` stdout holds exactly the API's answer, one document.
Whatever the server sent is cleaned of control characters before a terminal sees it.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scaivault.cli.failure import Failure


@dataclass(frozen=True)
class Table:
    """``rows`` hold plain values; how one is written is decided by ``cell``."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]


def clean(text: str) -> str:
    """Control and direction characters escaped: an answer cannot steer the terminal that
    shows it, nor break a line of tab-separated output."""
    return "".join(
        character
        if unicodedata.category(character) not in ("Cc", "Cf", "Zl", "Zp", "Cs")
        # Written as \x1b or \u202e.
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def cell(value: Any) -> str:
    """One value as table text: ``-`` for none, yes or no, lists by comma."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(cell(item) for item in value) or "-"
    return clean(str(value))


def aligned(table: Table) -> str:
    """Columns as wide as their widest cell, two blanks apart, under a header."""
    lines = [list(table.header), *([cell(value) for value in row] for row in table.rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(table.header))]
    padded = (
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(padded)


def tabbed(table: Table) -> str:
    """One line a row, cells separated by tabs, no header."""
    return "\n".join("\t".join(cell(value) for value in row) for row in table.rows)


def show(*tables: Table) -> None:
    """Tables on stdout, in the form that fits what stdout is."""
    terminal = sys.stdout.isatty()
    form = aligned if terminal else tabbed
    texts = [form(table) for table in tables if table.rows]
    if texts:
        sys.stdout.write(("\n\n" if terminal else "\n").join(texts) + "\n")


def document(text: str) -> None:
    """One JSON document on stdout, as it came."""
    if text:
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


def as_document(value: Any) -> None:
    """``value`` as one JSON document on stdout, for answers that are made on this side."""
    document(json.dumps(value, ensure_ascii=False))


def note(text: str) -> None:
    """A remark for the person at the terminal: stderr, never a secret."""
    sys.stderr.write(clean(text) + "\n")


def complain(failure: Failure, *, as_json: bool) -> None:
    """The error on stderr: ``error: <code>: <message> (request req_…)``, or the envelope."""
    if as_json:
        sys.stderr.write(failure.envelope.rstrip("\n") + "\n")
        return
    request = f" (request {failure.request_id})" if failure.request_id else ""
    sys.stderr.write(clean(f"error: {failure.code}: {failure.message}{request}") + "\n")
