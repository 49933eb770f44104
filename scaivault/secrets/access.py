"""When and how often secrets were read, without a commit of its own.

The ledger tells all of it already. Counts since the last flush are kept in memory, flushed into
``secret_access`` by a job together with the ledger position they reach to (``projection``), and
after a crash taken again from the ledger rows behind that position.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from operator import itemgetter
from typing import Final

import msgspec

from scaivault.clock import DAY, parse_instant
from scaivault.gate.ledger import read_record
from scaivault.gate.transaction import Transaction
from scaivault.secrets.shelf import Key
from scaivault.storage.file import Connection

NAME: Final = "secret_access"
WINDOW: Final = 30 * DAY
KEPT_FOR: Final = 60 * DAY
LOOKED_THROUGH: Final = 20_000  # ledger rows that an opening reads without a flush, about 50 ms


class _Count:
    """Reads of one secret: per day, and the last of them."""

    __slots__ = ("days", "last")

    def __init__(self) -> None:
        self.last = 0
        self.days: dict[int, int] = {}

    def add(self, day: int, reads: int, last: int) -> None:
        self.days[day] = self.days.get(day, 0) + reads
        self.last = max(self.last, last)


Counts = dict[Key, _Count]

_KEY: Final = itemgetter(0)
# One statement for all: each gives the interpreter's lock up, and a busy loop lets it wait. 3,000
# secrets that were read again held the writer for 0.8 to 1.3 s, and now for 0.12.
_ADD: Final = (
    "INSERT INTO secret_access (owner_id, path, day, reads, last_at)"
    " SELECT row.value ->> 0, row.value ->> 1, row.value ->> 2, row.value ->> 3, row.value ->> 4"
    " FROM json_each(:rows) row WHERE EXISTS (SELECT 1 FROM secret"
    " WHERE owner_id = row.value ->> 0 AND path = row.value ->> 1)"
    " ON CONFLICT (owner_id, path, day) DO UPDATE SET"
    " reads = reads + excluded.reads, last_at = max(last_at, excluded.last_at)"
)


class Access:
    """Counts of committed reads that are not in the table yet. Loop only."""

    def __init__(self) -> None:
        self._counts: Counts = {}
        self._flushing: Counts = {}
        self._reaches = 0  # ledger position of the table

    def due(self, seq: int) -> bool:
        """Whether a flush up to ledger row ``seq`` is worth a commit: something was read, or the
        next opening would have to look through too many rows to find that nothing was."""
        return bool(self._counts) or seq - self._reaches > LOOKED_THROUGH

    def load(self, connection: Connection) -> None:
        """Take up the ledger behind the last flush."""
        row = connection.execute("SELECT seq FROM projection WHERE name = ?", (NAME,)).fetchone()
        behind = self._reaches = row[0] if row is not None else 0
        for (text,) in connection.execute(
            "SELECT record FROM ledger WHERE seq > ? ORDER BY seq", (behind,)
        ):
            if '"action":"read"' not in text and '"permanent":true' not in text:
                continue
            entry = read_record(text)
            owner, path = entry.tenant_id or entry.partner_id, entry.secret_path
            if owner is None or path is None or not entry.success:
                continue
            if entry.action == "read" and "version" in entry.extra_data:
                self.touch((owner, path), parse_instant(entry.timestamp))
            elif entry.action == "delete" and _of_all(entry.extra_data):
                self.forget((owner, path))

    def touch(self, key: Key, at: int) -> None:
        """One committed read."""
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count()
        day = at // DAY
        count.days[day] = count.days.get(day, 0) + 1
        count.last = max(count.last, at)

    def touch_all(self, keys: Iterable[Key], at: int) -> None:
        """One of each."""
        for key in keys:
            self.touch(key, at)

    def forget(self, key: Key) -> None:
        """The secret is gone for good."""
        self._counts.pop(key, None)
        self._flushing.pop(key, None)

    def waiting(self, key: Key, now: int) -> tuple[int, int | None]:
        """(reads in the last 30 days, last read) that the table does not know yet."""
        reads, last = 0, None
        for counts in (self._counts, self._flushing):
            count = counts.get(key)
            if count is not None:
                first = first_day(now)
                reads += sum(n for day, n in count.days.items() if day >= first)
                last = max(count.last, last or 0)
        return reads, last

    def flush(self, tx: Transaction, seq: int, counts: Counts) -> None:
        """Add ``counts``, which reach to ledger row ``seq``, to the table."""
        # A copy: the loop may forget one of them meanwhile.
        rows = [
            (*key, day, reads, count.last)
            for key, count in sorted(counts.items(), key=_KEY)
            for day, reads in count.days.items()
        ]
        tx.execute(_ADD, {"rows": msgspec.json.encode(rows).decode()})
        tx.execute(
            "INSERT INTO projection (name, seq) VALUES (:name, :seq)"
            " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
            {"name": NAME, "seq": seq},
        )

    def take(self) -> Counts:
        """What waits now, to be flushed; call ``flushed`` or ``put_back`` afterwards."""
        self._flushing, self._counts = self._counts, {}
        return self._flushing

    def flushed(self, seq: int) -> None:
        """The table reaches to ledger row ``seq`` now."""
        self._flushing, self._reaches = {}, seq

    def put_back(self) -> None:
        """The flush did not commit."""
        for key, count in self._flushing.items():
            into = self._counts.setdefault(key, _Count())
            for day, reads in count.days.items():
                into.add(day, reads, count.last)
        self._flushing = {}


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
