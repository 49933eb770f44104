"""``scaivault policies``: who may do what on which paths."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_HERE: Final = "scaivault.cli.policies"
_COMMANDS: Final = {
    "list": (f"{_HERE}.objects:list_", "All policies."),
    "get": (f"{_HERE}.objects:get", "One policy with its rules and bindings."),
    "create": (f"{_HERE}.objects:create", "A new policy."),
    "update": (f"{_HERE}.objects:update", "Change name, rules, description, or switch it off."),
    "delete": (f"{_HERE}.objects:delete", "Delete a policy."),
    "bind": (f"{_HERE}.bindings:bind", "Give an identity what a policy allows."),
    "unbind": (f"{_HERE}.bindings:unbind", "Take it away again."),
    "bindings": (f"{_HERE}.bindings:bindings", "Who has a policy."),
    "test": (f"{_HERE}.questions:test", "May this identity do that? Exit 3 if not."),
    "who-can": (f"{_HERE}.questions:who_can", "Everybody who may do something on a path."),
    "effective": (f"{_HERE}.questions:effective", "Everything that an identity may do."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@client_flags
def policies() -> None:
    """Who may do what on which paths.

    A policy has rules, each a path pattern with permissions; it grants them to the identities that
    it is bound to. What no rule allows is denied. Permissions: read, write, delete, list, rotate,
    admin. In a pattern, * is one part of a path, or some of its letters; ** is any number of parts.
    """
