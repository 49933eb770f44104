"""Secrets on their way in: from a hidden prompt, a file or stdin, never from argv.

Arguments are seen by every user of the host (``ps``) and kept in shell histories.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click

from scaivault.cli.failure import Failure, usage

_Command = TypeVar("_Command", bound=Callable[..., Any])

# Far above any passphrase (1024 bytes) or set of shares; keeps a wrong file from being sent.
_LIMIT: Final = 65536


def from_file(name: str, limit: int = _LIMIT) -> str:
    """The secret in a file (``-`` = stdin), exactly, but for one line end after it."""
    text = whole(name, limit)
    text = text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        raise usage(f"{_shown(name)} is empty")
    return text


def whole(name: str, limit: int) -> str:
    """A file (``-`` = stdin) of at most ``limit`` bytes of UTF-8."""
    try:
        raw = sys.stdin.buffer.read(limit + 1) if name == "-" else _content(name, limit)
        text = raw.decode("utf-8")
    except OSError as error:
        raise usage(f"{name} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise usage(f"{_shown(name)} is not UTF-8 text") from None
    if len(raw) > limit:
        raise usage(f"{_shown(name)} is longer than {limit} bytes; is it the right file?")
    return text


def lines_from_file(name: str) -> list[str]:
    """The secrets in a file, one a line, blanks around them and empty lines left out."""
    lines = [line.strip() for line in from_file(name).splitlines() if line.strip()]
    if not lines:
        raise usage(f"{_shown(name)} is empty")
    return lines


def hidden(prompt: str, *, instead: str, confirm: bool = False) -> str:
    """What somebody types without it being shown; may be empty.

    ``instead`` names the option for use without a terminal. Asked twice with ``confirm``.
    """
    if not sys.stdin.isatty():
        raise usage(f"there is no terminal to ask for it; use {instead} (- is stdin)")
    # Costs 15 ms with what it imports.
    from getpass import getpass

    try:
        text = getpass(f"{prompt}: ")
        if confirm and getpass("The same again: ") != text:
            raise Failure("aborted", "the two entries differ; nothing was sent")
        text.encode("utf-8")
    except EOFError:
        raise click.Abort from None
    except UnicodeEncodeError:
        raise usage("what was typed is not UTF-8 text; check the terminal's settings") from None
    return text


def yes_flag(command: _Command) -> _Command:
    """``--yes``, as ``yes``: for ``agreed``."""
    return click.option("--yes", is_flag=True, help="Do not ask.")(command)


def agreed(question: str, *, yes: bool) -> None:
    """Go on only if somebody says so: at the terminal, or beforehand with ``--yes``."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise usage(f"{question} Without a terminal this needs --yes.")
    if not click.confirm(question, err=True):
        raise Failure("aborted", "nothing was changed")


def _content(name: str, limit: int) -> bytes:
    with open(name, "rb") as file:
        return file.read(limit + 1)


def _shown(name: str) -> str:
    return "stdin" if name == "-" else name
