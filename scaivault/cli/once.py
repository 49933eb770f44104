"""A secret that the server shows once: to stdout alone, or into a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any, TypeVar

import click

from scaivault.cli.failure import Failure
from scaivault.cli.http import Answer
from scaivault.cli.private_file import PrivateFile
from scaivault.cli.session import Session
from scaivault.cli.tables import facts

_Command = TypeVar("_Command", bound=Callable[..., Any])


def out_flag(command: _Command) -> _Command:
    """``--out``, as ``out``."""
    text = "Into this file, 0600, at one blow; not on stdout."
    return click.option("--out", metavar="F", help=text)(command)


def hand_over(
    current: Session, out: str | None, field: str, make: Callable[[], Answer]
) -> Mapping[str, Any]:
    """Let the server make a secret, and hand over the one under ``field`` of its answer.

    Stdout holds the secret alone, with ``--json`` the whole answer; with ``out`` all but the
    secret. The answer's body, for remarks.
    """
    with PrivateFile(out) if out is not None else nullcontext() as file:
        answer = make()
        secret = answer.body.get(field)
        if not isinstance(secret, str):
            raise Failure(
                "not_kept",
                f"the answer that showed the secret was lost; revoke {answer.body.get('id')}, "
                "and make another",
            )
        if file is not None:
            file.keep(secret)
    if file is not None:
        rest = {name: it for name, it in answer.body.items() if name != field}
        current.show_own(rest, facts(rest))
    elif current.json:
        current.show(answer)
    else:
        click.echo(secret)
    return answer.body
