"""The flags that every command takes, and what they come to.

They may stand before or after the command's name; the one nearest to the command wins.
Order: flag, environment, default.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import click

from scaivault.cli.failure import usage
from scaivault.cli.http import DEFAULT_URL, Answer, Api
from scaivault.cli.output import Table, document, note, show

_TOKEN_LIMIT: Final = 65536
_Command = TypeVar("_Command", bound=Callable[..., Any])


@dataclass
class Session:
    """One run of the program. Nothing is read or opened before a command asks for it."""

    url: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    timeout: float | None = None
    allow_http: bool = False
    json: bool = False
    quiet: bool = False
    debug: bool = False

    def api(self) -> Api:
        """The server this run talks to; closed when the command ends."""
        api = Api(
            self.url or os.environ.get("SCAIVAULT_URL") or DEFAULT_URL,
            token=self._token(),
            ca_file=self.ca_file or os.environ.get("SCAIVAULT_CACERT") or None,
            timeout=self.timeout,
            allow_http=self.allow_http,
            debug=self.debug or os.environ.get("SCAIVAULT_DEBUG") == "1",
        )
        click.get_current_context().call_on_close(api.close)
        return api

    def show(self, answer: Answer, *tables: Table) -> None:
        """An answer on stdout: the tables, or with ``--json`` the document itself."""
        if self.json:
            document(answer.text)
        else:
            show(*tables)

    def note(self, text: str) -> None:
        """A remark on stderr, unless ``--quiet``."""
        if not self.quiet:
            note(text)

    @property
    def has_token(self) -> bool:
        return self._token() is not None

    def _token(self) -> str | None:
        if self.token_file is not None:
            return _read_token(self.token_file)
        token = os.environ.get("SCAIVAULT_TOKEN")
        if token:
            return token
        named = os.environ.get("SCAIVAULT_TOKEN_FILE")
        return _read_token(named) if named else None


def _read_token(name: str) -> str:
    try:
        with open(name, encoding="ascii") as file:
            text = file.read(_TOKEN_LIMIT).strip()
    except (OSError, UnicodeDecodeError):
        raise usage(f"the token file {name} cannot be read") from None
    if not text:
        raise usage(f"the token file {name} is empty")
    return text


def _keep(ctx: click.Context, parameter: click.Parameter, value: Any) -> None:
    if value not in (None, False) and parameter.name is not None:
        setattr(ctx.ensure_object(Session), parameter.name, value)


def _flag(*names: str, **settings: Any) -> Callable[[_Command], _Command]:
    return click.option(*names, callback=_keep, expose_value=False, **settings)


_FLAGS: Final = (
    _flag("--url", metavar="URL", help="Server address, or unix:/path; else $SCAIVAULT_URL."),
    _flag(
        "--token-file",
        metavar="F",
        help="File with the token; else $SCAIVAULT_TOKEN or $SCAIVAULT_TOKEN_FILE.",
    ),
    _flag("--ca-file", metavar="F", help="PEM file of trusted CAs; else $SCAIVAULT_CACERT."),
    _flag("--timeout", type=click.FloatRange(0.1, 86400), metavar="S", help="Seconds for a call."),
    _flag("--allow-http", is_flag=True, help="Plain http:// to another machine too."),
    _flag("--json", is_flag=True, help="Print the API's answer as it came."),
    _flag("--quiet", is_flag=True, help="No remarks on stderr."),
    _flag("--debug", is_flag=True, help="Method, route, status and time of each call on stderr."),
)


def common_flags(command: _Command) -> _Command:
    """Give a command or group the flags above."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def session() -> Session:
    """The session of the command that runs."""
    return click.get_current_context().ensure_object(Session)
