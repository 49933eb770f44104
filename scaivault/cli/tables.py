"""Answers of the API as tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scaivault.cli.http import rows
from scaivault.cli.output import Table


def facts(body: Mapping[str, Any]) -> Table:
    """One object, field by field."""
    return Table(("FIELD", "VALUE"), list(body.items()))


def list_of(
    body: Mapping[str, Any], name: str, columns: Mapping[str, str], *, of: str | None = None
) -> Table:
    """The objects listed under ``name``, a line each.

    ``columns``: heading -> field; of ``email|identity_id`` the first that an object has. ``of``:
    the word for what is listed, where it is not ``name``.
    """
    lines = [[_first(each, field) for field in columns.values()] for each in rows(body, name)]
    return Table(tuple(columns), lines, name.replace("_", " ") if of is None else of)


def _first(item: Mapping[str, Any], field: str) -> Any:
    values = (item.get(name) for name in field.split("|"))
    return next((value for value in values if value is not None), None)
