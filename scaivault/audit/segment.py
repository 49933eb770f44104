"""What the index will hold of one segment, gathered row by row."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from scaivault.audit import columns, rows
from scaivault.audit.columns import Column
from scaivault.audit.terms import SEGMENT, Kind, pack, said, terms
from scaivault.gate.ledger import Record
from scaivault.storage.file import Connection

Term = tuple[str, str, str]  # owner, kind, value
Entry = tuple[str, str, str, int, bytes]  # a term, its segment, the places


class Segment:
    """``count``: rows taken up, pruned ones left out.

    What a row says is only noted as it is committed, on the loop. Its terms are made in a thread
    when the segment is full, once for all rows that differ in nothing but time and ids: where few
    secrets are read often, a tenth of what it takes to make the terms of each."""

    def __init__(self, number: int) -> None:
        self.number: Final = number
        self.first: Final = number * SEGMENT + 1
        self.count = 0
        self._alike: Final[dict[tuple[Any, ...], list[int]]] = {}  # what is said, and where
        self._newest = ("", "")  # time and request, which the rows of a request have in common
        self._times = ("", "")
        self._requests = ("", "")

    def read(self, db: Connection, first: int, count: int) -> None:
        """Take up ``count`` rows of the file; portions come in order."""
        for row in rows.between(db, first, first + count - 1):
            self.add(row.seq - self.first, row.entry)

    def add(self, place: int, entry: Record) -> None:
        """Take up a row; places rise."""
        self.count += 1
        newest = entry.timestamp, entry.request_id
        if newest != self._newest:
            self._newest = newest
            self._times = _around(self._times, newest[0])
            self._requests = _around(self._requests, newest[1])
        self._alike.setdefault(said(entry), []).append(place)

    @cached_property
    def _places(self) -> dict[Term, list[int]]:
        """Of each term, rising; once all rows are taken up."""
        places: dict[Term, list[int]] = {}
        for alike, found in self._alike.items():
            for term in terms(alike):
                places.setdefault(term, []).extend(found)
        for found in places.values():
            found.sort()
        return places

    def entries(self) -> list[Entry]:
        """In the order of the table: neighbours are on one page."""
        return [(*term, self.number, pack(found)) for term, found in sorted(self._places.items())]

    def columns(self) -> dict[Kind, Column]:
        """Of all owners: whose a row is, the terms say."""
        places: dict[Kind, dict[str, list[int]]] = {kind: {} for kind in columns.KINDS}
        for (_, kind, value), found in self._places.items():
            if kind in columns.KINDS:
                places[Kind(kind)].setdefault(value, []).extend(found)
        return {kind: columns.column(found) for kind, found in places.items()}

    def frame(self) -> tuple[Any, ...]:
        """Least and greatest time and request id; both empty where every row is pruned."""
        return (self.number, *self._times, *self._requests)


def _around(bounds: tuple[str, str], value: str) -> tuple[str, str]:
    """Least and greatest, this one too."""
    least, most = bounds
    return min(least or value, value), max(most, value)
