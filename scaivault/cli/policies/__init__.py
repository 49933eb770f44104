"""``scaivault policies``: who may do what on which paths."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_COMMANDS: Final = {
    "list": (".objects:list_", "All policies."),
    "get": (".objects:get", "One policy with its rules and bindings."),
    "create": (".objects:create", "A new policy."),
    "update": (".objects:update", "Change name, rules, description, or switch it off."),
    "delete": (".objects:delete", "Delete a policy."),
    "bind": (".bindings:bind", "Give an identity what a policy allows."),
    "unbind": (".bindings:unbind", "Take it away again."),
    "bindings": (".bindings:bindings", "Who has a policy."),
    "test": (".questions:test", "May this identity do that? Exit 3 if not."),
    "who-can": (".questions:who_can", "Everybody who may do something on a path."),
    "effective": (".questions:effective", "Everything that an identity may do."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@client_flags
def policies() -> None:
    """Who may do what on which paths.

    A policy has rules, each a path pattern with permissions; it grants them to the identities that
    it is bound to. What no rule allows is denied. Permissions: read, write, delete, list, rotate,
    admin. In a pattern, * is one part of a path, or some of its letters; ** is any number of parts.
    """
