"""``secrets diff`` and ``secrets copy``: one read, then another call."""

from __future__ import annotations

from typing import Any

import click

from scaivault.cli.output import Table
from scaivault.cli.secrets.shapes import partner_flag, path_argument, row_table, text_of
from scaivault.cli.session import client_flags, session

_ABSENT: Any = object()


@click.command()
@path_argument()
@click.argument("old", type=click.IntRange(1), metavar="N")
@click.argument("new", type=click.IntRange(1), metavar="M")
@click.option("--values", is_flag=True, help="Show the values too.")
@partner_flag
@client_flags
def diff(path: str, old: int, new: int, values: bool, partner: bool) -> None:
    """Which fields differ from version N to version M: added, removed or changed.

    Names only, unless with --values. Both versions are read, and the audit log says so.
    """
    current = session()
    vault = current.vault()
    read = vault.secrets(partner).read
    before, after = (vault.ask(read, path, version=each).body["data"] for each in (old, new))
    changes = differences(before, after)
    header = ("FIELD", "CHANGE", "OLD", "NEW") if values else ("FIELD", "CHANGE")
    lines = [_line(*each)[: len(header)] for each in changes]
    document = {"path": path, "from": old, "to": new, **_document(changes, values)}
    current.show_own(document, Table(header, lines, "differences"))


@click.command()
@path_argument("src")
@path_argument("dst")
@click.option("--force", is_flag=True, help="A new version when something is there already.")
@partner_flag
@client_flags
def copy(src: str, dst: str, force: bool, partner: bool) -> None:
    """Store the current value of SRC under DST, with its type and metadata.

    Expiry, schedules and older versions are not copied. DST must be free, unless with --force. The
    value passes through this machine's memory, and nowhere else.
    """
    current = session()
    vault = current.vault()
    secrets = vault.secrets(partner)
    found = vault.ask(secrets.read, src).body
    from scaivault_sdk.errors import VersionConflictError

    try:
        answer = vault.ask(
            secrets.write,
            dst,
            found["data"],
            secret_type=found["secret_type"],
            metadata=found["metadata"] or None,
            cas=None if force else 0,
        )
    except VersionConflictError:
        if not current.json:
            current.note(f"{dst} is there already; --force makes a new version of it")
        raise
    current.show(answer, row_table(answer.body, "path", "version", "created"))


Change = tuple[str, str, Any, Any]


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[Change]:
    """Field, ``added``, ``removed`` or ``changed``, old value, new value; in the order of names."""
    changes = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name, _ABSENT), after.get(name, _ABSENT)
        # By their JSON: 1, 1.0 and true are equal in Python, and different values here.
        if old is not _ABSENT and new is not _ABSENT and text_of([old]) == text_of([new]):
            continue
        kind = "added" if old is _ABSENT else "removed" if new is _ABSENT else "changed"
        changes.append((name, kind, old, new))
    return changes


def _line(name: str, kind: str, old: Any, new: Any) -> list[str | None]:
    return [name, kind, *(None if each is _ABSENT else text_of(each) for each in (old, new))]


def _document(changes: list[Change], values: bool) -> dict[str, Any]:
    fields: list[dict[str, Any]] = []
    for name, kind, old, new in changes:
        shown = {"old": old, "new": new} if values else {}
        known = {side: value for side, value in shown.items() if value is not _ABSENT}
        fields.append({"field": name, "change": kind, **known})
    return {"fields": fields}
