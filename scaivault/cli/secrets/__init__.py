"""``scaivault secrets``: the day's work."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_COMMANDS: Final = {
    "read": (".read:read", "Print a value, or one field of it."),
    "write": (".write:write", "Store a value; each write is a new version."),
    "list": (".lists:list_", "What there is, by prefix, tag and type."),
    "delete": (".change:delete", "Delete a secret, or one version of it."),
    "versions": (".lists:versions", "The stored versions of a secret."),
    "rotate": (".write:rotate", "Replace a value; the old one stays readable for a while."),
    "expiring": (".lists:expiring", "What is over soon."),
    "metadata": (".read:metadata", "All about a secret but its value."),
    "update": (".change:update", "Change tags, owner, description, number of versions."),
    "restore": (".change:restore", "Take a deleted secret back."),
    "edit": (".edit:edit", "Change a value in an editor, in memory."),
    "diff": (".compare:diff", "Which fields differ between two versions."),
    "copy": (".compare:copy", "Store a value under another path too."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@client_flags
def secrets() -> None:
    """Read, write, list, rotate and delete secrets.

    PATH is lower-case letters, digits, - and _, in up to ten parts separated by /. With --partner a
    command works on the secrets that all tenants of a partner share.
    """
