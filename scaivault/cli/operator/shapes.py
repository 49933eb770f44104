"""How answers about the seal look as tables, and how words on the command line become values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from scaivault.cli.failure import usage
from scaivault.cli.http import rows
from scaivault.cli.output import Table

Slot = Mapping[str, Any]

_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
# A comma inside brackets belongs to a list: ``pcrs=[7,11]``.
_COMMA: Final = re.compile(r",(?![^\[]*\])")


def checked_id(text: str, name: str) -> str:
    """An id as part of an address. Anything that could lead elsewhere is refused."""
    if not _ID.fullmatch(text):
        raise usage(f"{name} is not an id")
    return text


def parameters(text: str) -> dict[str, Any]:
    """``k=v,k=v`` -> values: JSON where it is some (numbers, true, lists), else text."""
    pairs: dict[str, Any] = {}
    for part in _COMMA.split(text) if text else []:
        name, equals, value = part.partition("=")
        if not name or not equals or name in pairs:
            raise usage(f"expected each k=v once, separated by commas; see {name!r}")
        pairs[name] = _value(value)
    return pairs


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def state_tables(body: Mapping[str, Any]) -> tuple[Table, Table]:
    """The seal's state, then its slots with their progress."""
    state = Table(
        ("STATE", "REASON", "HELD", "SINCE", "VERSION", "VAULT"),
        [[body.get(name) for name in ("state", "reason", "held", "since", "version", "vault_id")]],
    )
    lines = [
        (slot.get("id"), slot.get("type"), slot.get("label"), slot.get("auto"), progress(slot))
        for slot in rows(body, "slots")
    ]
    return state, Table(("ID", "TYPE", "LABEL", "AUTO", "PROGRESS"), lines)


def progress(slot: Slot) -> str | None:
    """``1/2`` of a Shamir slot's shares."""
    needed = threshold(slot)
    return f"{slot.get('progress', 0)}/{needed}" if needed else None


def threshold(slot: Slot) -> int | None:
    """How many shares open a slot: stated beside its params, or in them."""
    params = slot.get("params")
    value = slot.get("threshold") or (params.get("threshold") if isinstance(params, dict) else None)
    return value if isinstance(value, int) else None


def slots_table(slots: Sequence[Slot]) -> Table:
    fields = ("id", "type", "label", "auto", "portable", "last_used_at", "last_verified_at")
    return Table(
        ("ID", "TYPE", "LABEL", "AUTO", "PORTABLE", "USED", "VERIFIED"),
        [[slot.get(field) for field in fields] for slot in slots],
    )
