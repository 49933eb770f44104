"""The flags that every command takes, and what they come to.

They may stand before or after the command's name; the one nearest to the command wins.
Order: flag, environment, profile in ``~/.scaivault/config.json``, default. ``serve`` and
``operator`` work on a server of one's own and know no profiles.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from scaivault.cli import profiles
from scaivault.cli.failure import usage
from scaivault.cli.http import DEFAULT_URL, Answer, Api, checked_token
from scaivault.cli.output import Table, as_json, document, note, show

if TYPE_CHECKING:
    from scaivault.cli.vault import Vault

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
    no_color: bool = False
    profile: str | None = None
    tenant: str | None = None
    partner_id: str | None = None

    @property
    def profile_name(self) -> str | None:
        """The profile that flag or environment name; ``None``: the current one."""
        return self.profile or os.environ.get("SCAIVAULT_PROFILE") or None

    @property
    def debugging(self) -> bool:
        return self.debug or os.environ.get("SCAIVAULT_DEBUG") == "1"

    def vault(self) -> Vault:
        """The server that this run's settings name, through the SDK."""
        return self.vault_with(self.settings())

    def vault_with(self, settings: Mapping[str, Any]) -> Vault:
        """A server by these settings; closed when the command ends."""
        from scaivault.cli.vault import Vault

        vault = Vault(settings, debug=self.debugging)
        click.get_current_context().call_on_close(vault.close)
        return vault

    def settings(self, *, without_credentials: bool = False) -> dict[str, Any]:
        """Settings of the SDK's client; ``without_credentials`` the profile may be a new one."""
        kept = profiles.load()
        name = self.profile_name
        profile = (
            kept.table.get(name or kept.current, {}) if without_credentials else kept.get(name)
        )
        env = os.environ.get
        found = {
            "base_url": self.url or env("SCAIVAULT_URL") or profile.get("base_url") or DEFAULT_URL,
            "ca_file": self.ca_file or env("SCAIVAULT_CACERT") or profile.get("ca_file"),
            "tenant_id": self.tenant or env("SCAIVAULT_TENANT_ID") or profile.get("tenant_id"),
            "partner_id": self.partner_id
            or env("SCAIVAULT_PARTNER_ID")
            or profile.get("partner_id"),
            "timeout": self.timeout or profile.get("timeout"),
            "allow_http": self.allow_http or None,
        }
        known = {name: value for name, value in found.items() if value is not None}
        if without_credentials:
            return known
        return {**known, **(self._given_credentials() or _kept_credentials(profile))}

    def _given_credentials(self) -> dict[str, str]:
        """The token, or client id and secret, of flag or environment. They come as one: an id
        from here is never sent with a secret from elsewhere."""
        token = self._token()
        if token is not None:
            return {"token": checked_token(token)}
        client_id = os.environ.get("SCAIVAULT_CLIENT_ID")
        if not client_id:
            return {}
        secret = os.environ.get("SCAIVAULT_CLIENT_SECRET")
        if not secret:
            raise usage("SCAIVAULT_CLIENT_ID needs SCAIVAULT_CLIENT_SECRET beside it")
        return {"client_id": client_id, "client_secret": secret}

    @property
    def environment_credential(self) -> str | None:
        """The variable that names who calls whatever a profile keeps; ``None``: no such is set."""
        names = ("SCAIVAULT_TOKEN", "SCAIVAULT_TOKEN_FILE", "SCAIVAULT_CLIENT_ID")
        return next((name for name in names if os.environ.get(name)), None)

    def api(self) -> Api:
        """The server this run talks to; closed when the command ends."""
        api = Api(
            self.url or os.environ.get("SCAIVAULT_URL") or DEFAULT_URL,
            token=self._token(),
            ca_file=self.ca_file or os.environ.get("SCAIVAULT_CACERT") or None,
            timeout=self.timeout,
            allow_http=self.allow_http,
            debug=self.debugging,
        )
        click.get_current_context().call_on_close(api.close)
        return api

    def show(self, answer: Answer, *tables: Table) -> None:
        """An answer on stdout: the tables, or with ``--json`` the document itself."""
        if self.json:
            document(answer.text)
            return
        show(*tables, no_color=self.no_color)
        if sys.stdout.isatty():
            for table in tables:
                if table.of and not table.rows:
                    self.note(f"no {table.of}")

    def show_own(self, body: Mapping[str, Any], *tables: Table) -> None:
        """As ``show``, of an answer that was made on this side."""
        self.show(Answer(200, as_json(body), dict(body)), *tables)

    def show_page(self, answer: Answer, *tables: Table) -> None:
        """As ``show``, of a list, which is in the last table: says on stderr when it has further
        pages. Pages with a cursor tell so, numbered ones have a total."""
        self.show(answer, *tables)
        total = answer.body.get("total_count", answer.body.get("total"))
        unseen = isinstance(total, int) and len(tables[-1].rows) < total
        if answer.body.get("has_more", unseen):
            many = f": {total} in all" if unseen else ""
            self.note(f"there are more{many}; --all fetches every page")

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


def _kept_credentials(profile: profiles.Profile) -> dict[str, str]:
    if profile.get("token"):
        return {"token": checked_token(profile["token"])}
    pair = {name: profile[name] for name in ("client_id", "client_secret") if profile.get(name)}
    return pair if len(pair) == 2 else {}


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


_CLIENT_FLAGS: Final = (
    _flag("--profile", metavar="P", help="Settings of this profile; else $SCAIVAULT_PROFILE."),
    _flag("--tenant", metavar="ID", help="Act in this tenant; else $SCAIVAULT_TENANT_ID."),
    _flag("--partner-id", metavar="ID", help="Act for this partner; else $SCAIVAULT_PARTNER_ID."),
)
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
    _flag("--no-color", is_flag=True, help="No colours; so does $NO_COLOR."),
    _flag("--debug", is_flag=True, help="Method, route, status and time of each call on stderr."),
)


def common_flags(command: _Command) -> _Command:
    """Give a command or group the flags above."""
    for flag in reversed(_FLAGS):
        command = flag(command)
    return command


def client_flags(command: _Command) -> _Command:
    """Give a command or group the flags above, and those that choose for whom it acts."""
    for flag in reversed(_CLIENT_FLAGS):
        command = flag(command)
    return common_flags(command)


def session() -> Session:
    """The session of the command that runs."""
    return click.get_current_context().ensure_object(Session)
