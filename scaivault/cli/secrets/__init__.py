"""``scaivault secrets``: the day's work."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_HERE: Final = "scaivault.cli.secrets"
_COMMANDS: Final = {
    "read": (f"{_HERE}.read:read", "Print a value, or one field of it."),
    "write": (f"{_HERE}.write:write", "Store a value; each write is a new version."),
    "list": (f"{_HERE}.lists:list_", "What there is, by prefix, tag and type."),
    "delete": (f"{_HERE}.change:delete", "Delete a secret, or one version of it."),
    "versions": (f"{_HERE}.lists:versions", "The stored versions of a secret."),
    "rotate": (f"{_HERE}.write:rotate", "Replace a value; the old one stays readable for a while."),
    "expiring": (f"{_HERE}.lists:expiring", "What is over soon."),
    "metadata": (f"{_HERE}.read:metadata", "All about a secret but its value."),
    "update": (f"{_HERE}.change:update", "Change tags, owner, description, number of versions."),
    "restore": (f"{_HERE}.change:restore", "Take a deleted secret back."),
    "edit": (f"{_HERE}.edit:edit", "Change a value in an editor, in memory."),
    "diff": (f"{_HERE}.compare:diff", "Which fields differ between two versions."),
    "copy": (f"{_HERE}.compare:copy", "Store a value under another path too."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@client_flags
def secrets() -> None:
    """Read, write, list, rotate and delete secrets.

    PATH is lower-case letters, digits, - and _, in up to ten parts separated by /. With --partner a
    command works on the secrets that all tenants of a partner share.
    """
