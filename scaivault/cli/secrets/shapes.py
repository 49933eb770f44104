"""Arguments that the commands of this group share, and answers as tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import click

from scaivault.cli.completion import complete_path
from scaivault.cli.output import Table
from scaivault.cli.tables import facts

_Command = TypeVar("_Command", bound=Callable[..., Any])

TYPES: Final = ("kv", "json", "certificate", "ssh_key", "api_key")

# Of an answer about one secret, in this order; what else it holds comes after.
_FACTS: Final = (
    *("path", "secret_type", "version", "current_version", "version_count"),
    *("created", "previous_version", "created_at", "updated_at", "expires_at"),
)


def path_argument(name: str = "path") -> Callable[[_Command], _Command]:
    """A secret's path, completed by the shell."""
    return click.argument(name, metavar=name.upper(), shell_complete=complete_path)


def partner_flag(command: _Command) -> _Command:
    """``--partner``."""
    return click.option("--partner", is_flag=True, help="Secrets of the partner.")(command)


def text_of(value: Any) -> str:
    """One field of a secret as text: strings as they are, the rest as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def value_table(body: Mapping[str, Any]) -> Table:
    """The fields of a value."""
    data = body.get("data")
    fields = data if isinstance(data, dict) else {}
    return facts({name: text_of(value) for name, value in fields.items()})


def facts_table(body: Mapping[str, Any]) -> Table:
    """Everything that an answer says of one secret, metadata unfolded."""
    metadata = body.get("metadata")
    known = {name: body[name] for name in _FACTS if name in body}
    known.update(metadata if isinstance(metadata, dict) else {})
    known.update((name, value) for name, value in body.items() if name not in ("metadata", "data"))
    return facts(known)


def row_table(body: Mapping[str, Any], *fields: str) -> Table:
    """One line with these fields of an answer."""
    header = [field.removesuffix("_at").replace("_", "-").upper() for field in fields]
    return Table(header, [[body.get(field) for field in fields]])
