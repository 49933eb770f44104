"""Which rows fulfil conditions, by the index alone.

An exact value is looked up in the terms, where its entries stand together. So are the values of a
range, one after the other, as long as they are few: each takes two looks at pages of its own. Where
many paths begin alike, the column of each segment says at once which rows are about one of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Final, NamedTuple

from scaivault.audit import columns
from scaivault.audit.terms import Kind, unpack
from scaivault.storage.file import Connection

# For each segment: values of a range that are sooner looked up one by one, 20 us each, than in the
# segment's column, which takes 2 ms.
SEVERAL: Final = 50

_ONE: Final = (
    "SELECT segment, places FROM audit_term WHERE owner_id = :owner AND kind = :kind"
    " AND value = :value AND segment BETWEEN :first AND :last"
)
# From one value to the next and not along all entries: most of those are of other segments.
_VALUES: Final = (
    "WITH RECURSIVE known (value) AS (SELECT (SELECT value FROM audit_term WHERE"
    " owner_id = :owner AND kind = :kind AND value >= :low AND value < :high"
    " ORDER BY value LIMIT 1) UNION ALL SELECT (SELECT t.value FROM audit_term t WHERE"
    " t.owner_id = :owner AND t.kind = :kind AND t.value > known.value AND t.value < :high"
    " ORDER BY t.value LIMIT 1) FROM known WHERE known.value IS NOT NULL LIMIT :most)"
    " SELECT value FROM known WHERE value IS NOT NULL"
)


class Span(NamedTuple):
    """The value ``low`` of a kind, or with ``high`` all of ``low <= value < high``."""

    kind: Kind
    low: str
    high: str | None = None

    def holds(self, value: str) -> bool:
        return value == self.low if self.high is None else self.low <= value < self.high


Condition = tuple[Span, ...]  # any of them
Places = dict[int, int]  # segment -> bitmap of rows
_ALL: Final = (Span(Kind.ALL, ""),)


def fulfilling(
    db: Connection, owner: str, conditions: Iterable[Condition], first: int, last: int
) -> Places:
    """The places of an owner's rows in the segments ``first`` to ``last`` that fulfil all of the
    conditions."""
    exact, wide = list[Condition](), list[Condition]()
    for condition in conditions:
        values = _values(db, owner, condition, SEVERAL * (last - first + 1))
        if values is None:
            wide.append(condition)
        else:
            exact.append(values)
    met = reduce(_both, (_any_of(db, owner, one, first, last) for one in exact or [_ALL]))
    for condition in wide:
        met = _about(db, met, condition)
    return met


def _values(db: Connection, owner: str, condition: Condition, most: int) -> Condition | None:
    """The same with the values of ranges; None where one has more than ``most``."""
    found: list[Span] = []
    for span in condition:
        if span.high is None:
            found.append(span)
            continue
        asked = {"owner": owner, **span._asdict(), "most": most + 1}
        values = db.execute(_VALUES, asked).fetchall()
        if len(values) > most:
            return None
        found += [Span(span.kind, value) for (value,) in values]
    return tuple(found)


def _any_of(db: Connection, owner: str, condition: Condition, first: int, last: int) -> Places:
    found: Places = {}
    for kind, value, _ in condition:
        asked = {"owner": owner, "kind": kind, "value": value, "first": first, "last": last}
        for segment, stored in db.execute(_ONE, asked):
            found[segment] = found.get(segment, 0) | unpack(stored)
    return found


def _both(left: Places, right: Places) -> Places:
    met = {segment: left[segment] & right[segment] for segment in left.keys() & right.keys()}
    return {segment: bits for segment, bits in met.items() if bits}


def _about(db: Connection, among: Places, condition: Condition) -> Places:
    """Those of the rows that are about a path of the condition; only paths have ranges."""
    found: Places = {}
    for segment, column in columns.stored(db, Kind.PATH, among):
        wanted = (any(span.holds(name) for span in condition) for name in column.names)
        bits = among[segment] & column.where(wanted)
        if bits:
            found[segment] = bits
    return found
