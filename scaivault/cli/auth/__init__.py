"""``scaivault auth``: who calls, and with what."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_COMMANDS: Final = {
    "login": (".login:login", "Keep credentials for the commands that follow."),
    "logout": (".login:logout", "Forget the credentials of a profile."),
    "whoami": (".login:whoami", "Identity, tenant, scopes, roles, end of the token."),
    "token": (".tokens:token", "Make, list and revoke tokens."),
    "mfa": (".mfa:mfa", "Show a second factor, or enrol one."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@client_flags
def auth() -> None:
    """Log in and out; who you are; tokens and the second factor."""
