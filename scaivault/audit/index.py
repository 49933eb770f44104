"""The index of the ledger, which lags behind it.

Rows are appended without an index: a random write for each of several terms would cost more than
the row. Full segments are indexed later, all their terms at once, beside the requests: their terms
are noted as rows are committed (``follow``), or else a reader takes them out of the rows, the
writer takes them over in portions, and the last portion of a segment moves the reach of the index.
What is cut off before that is written again, alike. Rows behind the reach, at most a segment where
the index keeps up, are looked through by every query.

Why segments and not an entry for each row: many rows of a segment say the same. 3,500,000 rows
about 20,000 paths by 40 identities make 3,600,000 entries of terms (``terms.py``), for searches,
and columns (``columns.py``) of 34 bytes a row, for sums, beside 600 of the ledger itself. A page of
any filter then takes 10 to 80 ms, sums some 2 ms a segment: by the terms alone they took ten times
that, as the entries of each value are on a page of their own.

Nothing of this leaves a row in the ledger, or an idle vault would index its own indexing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from functools import cache, partial
from typing import Final, NamedTuple

import msgspec

from scaivault.audit import columns
from scaivault.audit.columns import Column
from scaivault.audit.segment import Entry, Segment
from scaivault.audit.terms import (
    SEGMENT,
    Kind,
    pack,
    places,
    said,
    segment_of,
    terms,
    unpack,
)
from scaivault.clock import SystemClock
from scaivault.gate.gate import Gate
from scaivault.gate.ledger import Ledger, Record, read_record
from scaivault.storage.database import Database
from scaivault.storage.file import Connection
from scaivault.storage.units import Unit

NAME: Final = "audit_index"
_READ: Final = 512  # rows decoded in one go, about 2 ms
# A portion ends when somebody waits for the writer, and after this many nanoseconds: what it wrote
# has to be committed too, which takes about half as long again.
PORTION: Final = 2_000_000

_monotonic: Final = SystemClock().monotonic

_NOTED: Final = 4  # segments that may wait for the writer: 100 KiB to 2 MiB, by their paths

TOGETHER: Final = 4  # about 0.5 ms where each stands on a page of its own
_INTO: Final = "INSERT INTO audit_term (owner_id, kind, value, segment, places) VALUES "
_AGAIN: Final = (
    " ON CONFLICT (owner_id, kind, value, segment) DO UPDATE SET places = excluded.places"
)
# As in the ledger: one statement for many rows, because each costs a turn of the interpreter lock.
_LEFT: Final = 64


@cache
def _into(rows: int) -> str:
    return f"{_INTO}{','.join(['(?,?,?,?,?)'] * rows)}{_AGAIN}"


_OF: Final = (
    "(owner_id, kind, value, segment) IN (SELECT value ->> 0, value ->> 1, value ->> 2,"
    " value ->> 3 FROM json_each(:terms))"
)
_THESE: Final = f"SELECT owner_id, kind, value, segment, places FROM audit_term WHERE {_OF}"  # noqa: S608 - literals
_DROP: Final = f"DELETE FROM audit_term WHERE {_OF}"  # noqa: S608 - literals
_FRAME: Final = (
    "INSERT INTO audit_segment (number, first_at, last_at, first_request, last_request)"
    " VALUES (?, ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE SET first_at = excluded.first_at,"
    " last_at = excluded.last_at, first_request = excluded.first_request,"
    " last_request = excluded.last_request"
)


class Index:
    """One per open vault. ``still``: held while a segment is worked on; whoever takes content out
    of rows holds it from ``without`` on, and puts what is left in the same transaction."""

    def __init__(self, gate: Gate, ledger: Ledger) -> None:
        self._gate: Final = gate
        self._ledger: Final = ledger
        self.still: Final = asyncio.Lock()
        self._coming: Segment | None = None
        self._noted: Final[dict[int, Segment]] = {}  # by number: full, and not written yet
        ledger.follow = self.follow

    def follow(self, entry: Record) -> None:
        """A row was committed. To read it again from the file, page by page, took ten times as
        long, from the same interpreter that answers requests."""
        coming = self._coming
        place = (entry.seq - 1) % SEGMENT
        if coming is None or place != coming.count or segment_of(entry.seq) != coming.number:
            if place:
                self._coming = None  # some are missing: it will be read
                return
            coming = self._coming = Segment(segment_of(entry.seq))
        coming.add(place, entry)
        if coming.count == SEGMENT:
            self._coming = None
            if len(self._noted) < _NOTED:
                self._noted[coming.number] = coming

    def forget(self) -> None:
        """Content was taken out of rows: what was noted of them goes too."""
        self._coming = None
        self._noted.clear()

    async def advance(self) -> bool:
        """Index one segment; False when none is full."""
        async with self.still:
            reach = await self._gate.ask(reached)
            if self._ledger.committed_seq < reach + SEGMENT:
                return False
            made = self._noted.pop(reach // SEGMENT, None)
            if made is None:
                made = await self._read(reach)
            # In a reader's thread: 20 ms, twice that where each row has another path.
            entries, kinds = await self._gate.ask(lambda _: (made.entries(), made.columns()))
            await self._write(entries)
            await self._gate.database.submit(_End(made, kinds))
            return True

    async def _read(self, reach: int) -> Segment:
        """The segment behind the reach, out of the file."""
        made = Segment(reach // SEGMENT)
        for first in range(reach + 1, reach + SEGMENT, _READ):
            await self._gate.ask(partial(made.read, first=first, count=_READ))
        return made

    async def _write(self, entries: list[Entry]) -> None:
        done = 0
        while done < len(entries):
            done += await self._gate.database.submit(Portion(self._gate.database, entries, done))


def reached(db: Connection) -> int:
    """The last row that is indexed."""
    row = db.execute("SELECT seq FROM projection WHERE name = :name", {"name": NAME}).fetchone()
    return 0 if row is None else int(row[0])


class Left(NamedTuple):
    """What is left of the index without some rows: terms that go, as JSON; terms that stay with
    fewer places; columns."""

    gone: str
    entries: list[Entry]
    columns: list[tuple[Kind, int, Column]]

    def put(self, db: Connection) -> None:
        """In the transaction in which the content of those rows goes."""
        db.execute(_DROP, {"terms": self.gone})
        for first in range(0, len(self.entries), _LEFT):
            write(db, self.entries[first : first + _LEFT])
        for column in self.columns:
            columns.put(db, *column)


def without(db: Connection, bodies: Iterable[bytes]) -> Left:
    """What is left without rows (as they are stored), because their content goes. In a reader: only
    what must be is done by the writer. Times and request ids of their segment stay as wide as they
    were, which only makes searches look more."""
    taken: dict[tuple[str, str, str, int], int] = {}
    rows: dict[int, list[int]] = {}
    for body in bodies:
        try:
            entry = read_record(body)
        except ValueError:
            continue  # it could not be indexed either
        segment, place = segment_of(entry.seq), (entry.seq - 1) % SEGMENT
        rows.setdefault(segment, []).append(place)
        for term in terms(said(entry)):
            key = (*term, segment)
            taken[key] = taken.get(key, 0) | 1 << place
    gone: list[tuple[str, str, str, int]] = []
    entries: list[Entry] = []
    for *term, stored in db.execute(_THESE, {"terms": _json(sorted(taken))}):
        key = tuple(term)
        left = places(unpack(stored) & ~taken[key])
        if left:
            entries.append((*key, pack(left)))
        else:
            gone.append(key)
    changed = [
        (kind, segment, column.without(rows[segment]))
        for kind in columns.KINDS
        for segment, column in columns.stored(db, kind, rows)
    ]
    return Left(_json(gone), entries, changed)


def _json(terms: Sequence[Sequence[object]]) -> str:
    return msgspec.json.encode(terms).decode()


def write(db: Connection, entries: Sequence[Entry]) -> None:
    """Some entries, again if they are there."""
    db.execute(_into(len(entries)), [field for one in entries for field in one])


class Portion(Unit):
    """Terms of a segment that does not count yet, from ``first`` on; results in how many."""

    __slots__ = ("_database", "_done", "_entries", "_first")

    def __init__(self, database: Database, entries: list[Entry], first: int) -> None:
        super().__init__()
        self._database = database
        self._entries = entries
        self._first = self._done = first

    def run(self, connection: Connection) -> None:
        end = _monotonic() + PORTION
        while self._done < len(self._entries):
            write(connection, self._entries[self._done : self._done + TOGETHER])
            self._done = min(self._done + TOGETHER, len(self._entries))
            if self._database.awaited or _monotonic() >= end:
                break

    def result(self) -> int:
        return self._done - self._first


class _End(Unit):
    """From here on the segment is looked up and not looked through."""

    __slots__ = ("_columns", "_made")

    def __init__(self, made: Segment, kinds: dict[Kind, Column]) -> None:
        super().__init__()
        self._made = made
        self._columns = kinds

    def run(self, connection: Connection) -> None:
        for kind, column in self._columns.items():
            columns.put(connection, kind, self._made.number, column)
        connection.execute(_FRAME, self._made.frame())
        connection.execute(
            "INSERT INTO projection (name, seq) VALUES (:name, :seq)"
            " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
            {"name": NAME, "seq": (self._made.number + 1) * SEGMENT},
        )
