"""``scaivault auth``: who calls, and with what."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_HERE: Final = "scaivault.cli.auth"
_COMMANDS: Final = {
    "login": (f"{_HERE}.login:login", "Keep credentials for the commands that follow."),
    "logout": (f"{_HERE}.login:logout", "Forget the credentials of a profile."),
    "whoami": (f"{_HERE}.login:whoami", "Identity, tenant, scopes, roles, end of the token."),
    "token": (f"{_HERE}.tokens:token", "Make, list and revoke tokens."),
    "mfa": (f"{_HERE}.mfa:mfa", "Show a second factor, or enrol one."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@client_flags
def auth() -> None:
    """Log in and out; who you are; tokens and the second factor."""
