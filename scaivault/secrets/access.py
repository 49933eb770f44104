"""When and how often secrets were read, without a commit of its own.

The ledger tells all of it already. Counts since the last flush are kept in memory, flushed into
``secret_access`` by a job together with the ledger position they reach to (``projection``), and
after a crash taken again from the ledger rows behind that position.

A flush goes by portions, in the order of the keys, so that nobody waits for the thousands of rows
of one; ``secret_access_flush`` says how far it got. One that was broken off, by a failure or a
crash, goes on from there, and ends, before the next begins.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import msgspec

from scaivault.clock import DAY, SystemClock, parse_instant
from scaivault.gate.ledger import read_record
from scaivault.gate.transaction import Transaction
from scaivault.secrets.shelf import Key
from scaivault.storage.database import Database
from scaivault.storage.file import Connection
from scaivault.storage.units import Unit

NAME: Final = "secret_access"
WINDOW: Final = 30 * DAY
KEPT_FOR: Final = 60 * DAY
LOOKED_THROUGH: Final = 20_000  # ledger rows that an opening reads without a flush, about 50 ms
TOGETHER: Final = 50  # secrets of one statement, about 2 ms
PORTION: Final = 30_000_000  # nanoseconds of one transaction while nobody waits for it
_COUNT: Final = 330  # bytes of Python objects for each secret (tracemalloc, CPython 3.11)
_SORTED: Final = 2_000  # keys sorted in one go, in 2 ms: nothing else runs meanwhile

_monotonic: Final = SystemClock().monotonic


class _Count:
    """Reads of one secret: per day, and the last of them."""

    __slots__ = ("days", "last")

    def __init__(self) -> None:
        self.last = 0
        self.days: dict[int, int] = {}

    def add(self, at: int) -> None:
        day = at // DAY
        self.days[day] = self.days.get(day, 0) + 1
        self.last = max(self.last, at)


Counts = dict[Key, _Count]


class Flush(NamedTuple):
    """Counts up to ledger row ``target``, as long as they are not in the table."""

    target: int
    counts: Counts


# One statement for many: each gives the interpreter's lock up, and a busy loop lets it wait. What
# was read before the secret was made was another one, which the loop has not forgotten yet.
_ADD: Final = (
    "INSERT INTO secret_access (owner_id, path, day, reads, last_at)"
    " SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4"
    " FROM json_each(:rows) row WHERE EXISTS (SELECT 1 FROM secret WHERE"
    " owner_id = row.value ->> 0 AND path = row.value ->> 1 AND created_at <= row.value ->> 4)"
    " ON CONFLICT (owner_id, path, day) DO UPDATE SET"
    " reads = reads + excluded.reads, last_at = max(last_at, excluded.last_at)"
)


class Access:
    """Counts of committed reads that are not in the table yet. Loop only. A flush begins once they
    take some ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self._most: Final = limit // _COUNT
        self._counts: Counts = {}
        self._flush: Flush | None = None  # that is not over
        self._reaches = 0  # ledger position of the table

    def due(self, seq: int) -> bool:
        """Whether a flush up to ledger row ``seq`` is worth a commit: something was read, or the
        next opening would have to look through too many rows to find that nothing was."""
        if self._flush is not None or self._counts:
            return True
        return seq - self._reaches > LOOKED_THROUGH

    @property
    def full(self) -> bool:
        """Whether a flush should begin at once."""
        return len(self._counts) >= self._most

    def load(self, connection: Connection) -> None:
        """Take up the ledger behind the last flush, and a flush that was broken off."""
        row = connection.execute("SELECT seq FROM projection WHERE name = ?", (NAME,)).fetchone()
        behind = self._reaches = row[0] if row is not None else 0
        row = connection.execute("SELECT seq, owner_id, path FROM secret_access_flush").fetchone()
        target, done = (0, ("", "")) if row is None else (row[0], row[1:])
        flushing: Counts = {}
        self._flush = Flush(target, flushing) if target > behind else None
        for seq, text in connection.execute(
            "SELECT seq, record FROM ledger WHERE seq > ? ORDER BY seq", (behind,)
        ):
            if '"action":"read"' not in text and '"permanent":true' not in text:
                continue
            entry = read_record(text)
            owner, path = entry.tenant_id or entry.partner_id, entry.secret_path
            if owner is None or path is None or not entry.success:
                continue
            if entry.action == "read" and "version" in entry.extra_data:
                if seq > target:
                    _touch(self._counts, (owner, path), parse_instant(entry.timestamp))
                elif (owner, path) > done:
                    _touch(flushing, (owner, path), parse_instant(entry.timestamp))
            elif entry.action == "delete" and _of_all(entry.extra_data):
                self.forget((owner, path))

    def touch(self, key: Key, at: int) -> None:
        """One committed read."""
        _touch(self._counts, key, at)

    def touch_all(self, keys: Iterable[Key], at: int) -> None:
        """One of each."""
        for key in keys:
            _touch(self._counts, key, at)

    def forget(self, key: Key) -> None:
        """The secret is gone for good."""
        for counts in self._all():
            counts.pop(key, None)

    def waiting(self, key: Key, now: int) -> tuple[int, int | None]:
        """(reads in the last 30 days, last read) that the table does not know yet."""
        reads, last = 0, None
        for counts in self._all():
            count = counts.get(key)
            if count is not None:
                first = first_day(now)
                reads += sum(n for day, n in count.days.items() if day >= first)
                last = max(count.last, last or 0)
        return reads, last

    def _all(self) -> list[Counts]:
        return [self._counts] if self._flush is None else [self._counts, self._flush.counts]

    def take(self, seq: int) -> Flush:
        """What is to be flushed: all up to ledger row ``seq``, or the rest of a flush that was
        broken off. One at a time."""
        if self._flush is None:
            self._flush, self._counts = Flush(seq, self._counts), {}
        return self._flush

    def flushed(self, flush: Flush) -> None:
        """It is over: ``reach`` is committed."""
        self._flush, self._reaches = None, flush.target


def reach(tx: Transaction, flush: Flush) -> None:
    """All of it is in the table."""
    tx.execute("DELETE FROM secret_access_flush", {})
    tx.execute(
        "INSERT INTO projection (name, seq) VALUES (:name, :seq)"
        " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
        {"name": NAME, "seq": flush.target},
    )


def _touch(counts: Counts, key: Key, at: int) -> None:
    count = counts.get(key)
    if count is None:
        count = counts[key] = _Count()
    count.add(at)


def in_order(keys: Sequence[Key]) -> list[Key]:
    """Sorted, without keeping other threads from running for long."""
    parts = [sorted(keys[at : at + _SORTED]) for at in range(0, len(keys), _SORTED)]
    return list(heapq.merge(*parts))


class Portion(Unit):
    """Some counts of a flush, into the table, from ``keys[first]`` on; results in how many. They
    wait no longer once that is committed."""

    __slots__ = ("_database", "_done", "_first", "_flush", "_keys")

    def __init__(self, database: Database, flush: Flush, keys: Sequence[Key], first: int) -> None:
        super().__init__()
        self._database = database
        self._flush = flush
        self._keys = keys
        self._first = self._done = first

    def run(self, connection: Connection) -> None:
        end = _monotonic() + PORTION
        while self._done < len(self._keys):
            some = self._keys[self._done : self._done + TOGETHER]
            self._write(connection, some)
            self._done += len(some)
            if self._database.awaited or _monotonic() >= end:
                break
        connection.execute(
            "INSERT INTO secret_access_flush (id, seq, owner_id, path) VALUES (1, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET seq = excluded.seq,"
            " owner_id = excluded.owner_id, path = excluded.path",
            (self._flush.target, *self._keys[self._done - 1]),
        )

    def _write(self, connection: Connection, keys: Sequence[Key]) -> None:
        rows = [
            (*key, day, reads, count.last)
            for key in keys
            if (count := self._flush.counts.get(key))
            is not None  # the loop may forget one meanwhile
            for day, reads in count.days.items()
        ]
        connection.execute(_ADD, {"rows": msgspec.json.encode(rows).decode()})

    def settle(self) -> None:
        for key in self._keys[self._first : self._done]:
            self._flush.counts.pop(key, None)

    def result(self) -> int:
        return self._done - self._first


def _of_all(extra: Mapping[str, object]) -> bool:
    """Whether a delete took the whole secret for good, not one version of it."""
    return extra.get("permanent") is True and "version" not in extra


def first_day(now: int) -> int:
    """The first day that counts among the last 30."""
    return now // DAY - WINDOW // DAY + 1


# The last row of a secret stays: when it was last read is told however long ago that was.
_OLD: Final = (
    "SELECT owner_id, path, day FROM secret_access AS old WHERE day < :first AND EXISTS"
    " (SELECT 1 FROM secret_access AS newer WHERE newer.owner_id = old.owner_id"
    " AND newer.path = old.path AND newer.day > old.day)"
    " LIMIT :most"
)


def any_old(connection: Connection, now: int) -> bool:
    """Whether there are counts of days that nobody asks about any more."""
    return connection.execute(_OLD, {"first": _kept_from(now), "most": 1}).fetchone() is not None


def forget(connection: Connection, now: int, most: int) -> int:
    """Drop up to ``most`` counts of days that nobody asks about any more; how many."""
    return connection.execute(
        f"DELETE FROM secret_access WHERE (owner_id, path, day) IN ({_OLD})",  # noqa: S608
        {"first": _kept_from(now), "most": most},
    ).rowcount


def _kept_from(now: int) -> int:
    return (now - KEPT_FOR) // DAY
