"""The writer, its groups and the readers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from scaivault.crypto.memory import Guarded
from scaivault.storage import folding
from scaivault.storage.database import Database
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection, EngineError, FileDamaged, open_file
from scaivault.storage.units import Unit


class Groups:
    """Counts what was committed together: one commit, and so one sync, for each entry."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.lost = 0
        self.fail = False

    def is_one_statement(self, _units: Sequence[Unit]) -> bool:
        return False

    def close_group(self, _connection: Connection, units: Sequence[Unit]) -> None:
        if self.fail:
            raise OSError
        self.sizes.append(len(units))

    def group_committed(self, units: Sequence[Unit]) -> None: ...

    def group_lost(self) -> None:
        self.lost += 1


class Insert(Unit):
    def __init__(self, number: int, error: Exception | None = None) -> None:
        super().__init__()
        self.number, self.raised = number, error

    def run(self, connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?)", (self.number,))
        if self.raised is not None:
            raise self.raised

    def result(self) -> int:
        return self.number


@pytest.fixture
def groups() -> Groups:
    return Groups()


@pytest.fixture
def key() -> Guarded:
    return Guarded.random()


@pytest.fixture
async def database(tmp_path: Path, key: Guarded, groups: Groups) -> AsyncIterator[Database]:
    connection = open_file(tmp_path / "a.db", key, cache_mib=2)
    connection.execute("CREATE TABLE t (n INTEGER UNIQUE)")
    connection.close()
    made = Database(tmp_path / "a.db", key, groups, readers=2, cache_mib=4, group_max=64)
    made.start()
    yield made
    await made.close()


async def stored(database: Database) -> list[int]:
    def ask(connection: Connection) -> list[int]:
        rows = connection.execute("SELECT n FROM t ORDER BY rowid").fetchall()
        return [row[0] for row in rows]

    return await database.read(ask)


async def test_one_turn_of_the_loop_is_one_commit(database: Database, groups: Groups) -> None:
    assert await asyncio.gather(*(database.submit(Insert(n)) for n in range(50))) == [*range(50)]
    assert groups.sizes == [50]
    assert await stored(database) == [*range(50)]


async def test_a_failing_unit_rolls_back_alone(database: Database, groups: Groups) -> None:
    units = [Insert(n, ValueError() if n % 2 else None) for n in range(10)]
    units.append(Insert(0))  # breaks the constraint
    results = await asyncio.gather(*map(database.submit, units), return_exceptions=True)
    assert [type(result) is int for result in results] == [True, False] * 5 + [False]
    assert await stored(database) == [0, 2, 4, 6, 8]
    assert groups.sizes == [11]


async def test_a_lost_group_is_lost_as_a_whole(database: Database, groups: Groups) -> None:
    groups.fail = True
    units = map(database.submit, [Insert(1), Insert(2)])
    results = await asyncio.gather(*units, return_exceptions=True)
    assert [str(result) for result in results] == ["io", "io"]
    assert all(isinstance(result, StorageFailed) for result in results)
    assert (database.failing, groups.lost) == ("io", 1)
    groups.fail = False
    await database.submit(Insert(3))
    assert database.failing is None
    assert await stored(database) == [3]


async def test_orders_run_as_they_came(database: Database) -> None:
    first = database.submit(Insert(1))
    between = database.alone(lambda db: db.execute("SELECT count(*) FROM t").fetchone()[0])
    task = asyncio.create_task(between)
    await asyncio.sleep(0)
    second = database.submit(Insert(2))
    assert await task == 1
    await asyncio.gather(first, second)
    assert await stored(database) == [1, 2]


async def test_closing_while_busy_finishes_what_was_handed_over(
    database: Database, tmp_path: Path, key: Guarded
) -> None:
    futures = [database.submit(Insert(n)) for n in range(300)]
    await database.close()
    assert await asyncio.gather(*futures) == [*range(300)]
    for late in (lambda: database.submit(Insert(1)), lambda: database.read(lambda _: 1)):
        with pytest.raises(StorageFailed, match="closed"):
            await late()
    assert (tmp_path / "a.db-wal").exists() is False
    connection = open_file(tmp_path / "a.db", key, cache_mib=2)
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] == 300
    connection.close()


async def test_another_key_while_it_is_used(
    database: Database, tmp_path: Path, key: Guarded
) -> None:
    fresh = Guarded.random()
    await database.submit(Insert(1))
    calls = [database.submit(Insert(n)) for n in range(2, 20)]
    old, _, *_ = await asyncio.gather(database.rekey(fresh), stored(database), *calls)
    assert old is key
    assert len(await stored(database)) == 19
    await database.close()
    with pytest.raises(FileDamaged):
        open_file(tmp_path / "a.db", key, cache_mib=2)
    connection = open_file(tmp_path / "a.db", fresh, cache_mib=2)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


async def test_a_copy_is_one_consistent_state(
    database: Database, tmp_path: Path, key: Guarded
) -> None:
    await asyncio.gather(*(database.submit(Insert(n)) for n in range(100)))
    copying = asyncio.create_task(asyncio.to_thread(database.copy_to, tmp_path / "copy.db"))
    await asyncio.gather(*(database.submit(Insert(n)) for n in range(100, 200)))
    await copying
    connection = open_file(tmp_path / "copy.db", key, cache_mib=2)
    assert connection.execute("SELECT count(*) FROM t").fetchone()[0] in (100, 200)
    assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    connection.close()


async def test_the_file_gives_nothing_away(database: Database, tmp_path: Path) -> None:
    await database.submit(Insert(1))
    await database.close()
    raw = (tmp_path / "a.db").read_bytes()
    assert not raw.startswith(b"SQLite")
    assert b"CREATE TABLE" not in raw


async def test_the_log_begins_anew_while_commits_go_on(
    database: Database, tmp_path: Path, key: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, pages in (("FOLD_PAGES", 4), ("FOLD_FORCE", 8), ("FOLD_LOOK", 1)):
        monkeypatch.setattr(folding, name, pages)
    connection = open_file(tmp_path / "a.db", key, cache_mib=2)
    lengths = [0]
    for number in range(5000):
        await database.submit(Insert(number))
        _, length, _ = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
        lengths.append(length)
        if length < lengths[-2]:
            break
    connection.close()
    assert lengths[-1] < lengths[-2]
    assert await stored(database) == list(range(len(lengths) - 1))


async def test_a_log_whose_pages_may_be_lost_is_kept(
    database: Database, tmp_path: Path, key: Guarded, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses to sync says so only once: the next sync would find nothing wrong."""
    for name, pages in (("FOLD_PAGES", 4), ("FOLD_FORCE", 8), ("FOLD_LOOK", 1)):
        monkeypatch.setattr(folding, name, pages)
    refused = threading.Event()

    def refuse(_connection: Connection) -> None:
        refused.set()
        error = EngineError("not this time")
        error.sqlite_errorname = "SQLITE_IOERR_FSYNC"
        raise error

    monkeypatch.setattr(folding, "sync", refuse)
    count = 0
    while not refused.is_set():
        assert count < 5000, "nobody synced what was folded"
        await database.submit(Insert(count))
        count += 1
    monkeypatch.undo()
    for number in range(count, count + 100):
        await database.submit(Insert(number))
    await database.close()
    connection = open_file(tmp_path / "a.db", key, cache_mib=2)
    _, pages, done = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
    rows = connection.execute("SELECT n FROM t ORDER BY n").fetchall()
    connection.close()
    assert pages > 100, "each commit is a page at least"
    assert done == 0, "all of it is to be folded again"
    assert rows == [(number,) for number in range(count + 100)]
