"""What commands print: answers on stdout, everything else on stderr.

On a terminal a table is aligned under a header; in a pipe its cells are separated by tabs,
without a header. With ``--json`` stdout holds exactly the API's answer, one document.
Whatever the server sent is cleaned of control characters before a terminal sees it.
"""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TextIO

from scaivault.cli.failure import Failure

# Select Graphic Rendition of ECMA-48, section 8.3.117.
_BOLD: Final = "\x1b[1m"
_RED: Final = "\x1b[31m"
_PLAIN: Final = "\x1b[0m"


@dataclass(frozen=True)
class Table:
    """``rows`` hold plain values; how one is written is decided by ``cell``. ``of``: what they are,
    for a terminal that would show none; empty where that says nothing."""

    header: Sequence[str]
    rows: Sequence[Sequence[Any]]
    of: str = ""


_STEERING: Final = frozenset(("Cc", "Cf", "Zl", "Zp", "Cs"))  # categories of Unicode


def clean(text: str) -> str:
    """Control and direction characters escaped: an answer cannot steer the terminal that
    shows it, nor break a line of tab-separated output."""
    return "".join(
        character
        if unicodedata.category(character) not in _STEERING
        # Written as \x1b or \u202e.
        else character.encode("unicode_escape", "surrogatepass").decode("ascii")
        for character in text
    )


def cell(value: Any) -> str:
    """One value as table text: ``-`` for none, yes or no, lists by comma, objects as JSON."""
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(cell(item) for item in value) or "-"
    if isinstance(value, dict):
        return clean(as_json(value)) if value else "-"
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


def coloured(stream: TextIO, *, no_color: bool = False) -> bool:
    """Whether a stream gets colours: a terminal, unless the flag, ``NO_COLOR`` (no-color.org) or
    a terminal that knows none forbids it."""
    forbidden = no_color or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not forbidden


def show(*tables: Table, no_color: bool = False) -> None:
    """Tables on stdout, in the form that fits what stdout is."""
    terminal = sys.stdout.isatty()
    bold = coloured(sys.stdout, no_color=no_color)

    def form(table: Table) -> str:
        if not terminal:
            return tabbed(table)
        header, _, rest = aligned(table).partition("\n")
        return f"{_BOLD}{header}{_PLAIN}\n{rest}" if bold else f"{header}\n{rest}"

    texts = [form(table) for table in tables if table.rows]
    if texts:
        sys.stdout.write(("\n\n" if terminal else "\n").join(texts) + "\n")


def document(text: str) -> None:
    """One JSON document on stdout, as it came; to a terminal with its control and direction
    characters as escapes of JSON, which is the same document."""
    if text:
        text = escaped(text) if sys.stdout.isatty() else text
        sys.stdout.write(text if text.endswith("\n") else text + "\n")


def escaped(text: str) -> str:
    """JSON without what could steer a terminal. JSON allows C1 controls, DEL and direction
    characters as they are; line ends and tabs stand between its tokens only."""
    return "".join(
        character
        if character in "\n\r\t" or unicodedata.category(character) not in _STEERING
        else json.dumps(character)[1:-1].replace("\x7f", "\\u007f")
        for character in text
    )


def as_json(value: Any) -> str:
    """``value`` as JSON on one line, text as it is."""
    return json.dumps(value, ensure_ascii=False)


def as_document(value: Any) -> None:
    """``value`` as one JSON document on stdout, for answers that are made on this side."""
    document(as_json(value))


def note(text: str) -> None:
    """A remark for the person at the terminal: stderr, never a secret."""
    sys.stderr.write(clean(text) + "\n")


def complain(failure: Failure, *, envelope: bool, no_color: bool = False) -> None:
    """The error on stderr: ``error: <code>: <message> (request req_…)``, or the envelope."""
    if envelope:
        text = failure.envelope.rstrip("\n") + "\n"
        sys.stderr.write(escaped(text) if sys.stderr.isatty() else text)
        return
    word = f"{_RED}error{_PLAIN}" if coloured(sys.stderr, no_color=no_color) else "error"
    request = f" (request {failure.request_id})" if failure.request_id else ""
    sys.stderr.write(word + clean(f": {failure.code}: {failure.message}{request}") + "\n")
