"""Commits by the event loop itself: which, and that no two threads are at the file at once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scaivault.crypto.memory import Guarded
from scaivault.storage import database as storage
from scaivault.storage.database import HERE_ROWS, Database
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection, open_file
from scaivault.storage.units import TooLong, Unit
from tests.support.failing import Failing, mend
from tests.support.failing import fail as break_file

LOOP = threading.get_ident()
SLOW = 1 << 60  # nanoseconds


class Closer:
    """Writes a row for each unit, and notes who did it: ``by`` has a thread for each group.
    Fails when two are at it at once. ``brief``: one unit is one statement."""

    def __init__(self) -> None:
        self.brief = False
        self.by: list[int] = []
        self.numbers: list[int] = []
        self.lost = 0
        self._alone = threading.Lock()

    def is_one_statement(self, units: Sequence[Unit]) -> bool:
        return self.brief and len(units) == 1 and isinstance(units[0], Row)

    def close_group(self, connection: Connection, units: Sequence[Unit]) -> None:
        assert self._alone.acquire(blocking=False), "two threads at once"
        try:
            for unit in units:
                connection.execute("INSERT INTO t VALUES (?)", (getattr(unit, "number", None),))
                self.numbers.append(getattr(unit, "number", -1))
            self.by.append(threading.get_ident())
        finally:
            self._alone.release()

    def group_committed(self, units: Sequence[Unit]) -> None: ...

    def group_lost(self) -> None:
        self.lost += 1

    @property
    def busy(self) -> bool:
        """Whether somebody is at it."""
        return self._alone.locked()

    @property
    def here(self) -> list[bool]:
        """Of each group, whether the loop committed it."""
        return [one == LOOP for one in self.by]


class Row(Unit):
    """Nothing but ``rows`` rows of the closer."""

    __slots__ = ("_rows", "number")

    def __init__(self, number: int = 0, rows: int = 1) -> None:
        super().__init__()
        self.number = number
        self._rows = rows

    @property
    def rows(self) -> int:
        return self._rows

    def result(self) -> int:
        return self.number


class Change(Row):
    """Does something itself."""

    __slots__ = ("_work",)

    def __init__(self, number: int = 0, work: Any = None) -> None:
        super().__init__(number)
        self._work = work

    def run(self, connection: Connection) -> None:
        assert threading.get_ident() != LOOP
        if self._work is not None:
            self._work()


class Brief(Row):
    """A change that says that it takes as long as ``rows`` rows."""

    __slots__ = ("_raised",)
    work = 1

    def __init__(self, number: int, rows: int = 1, raised: Exception | None = None) -> None:
        super().__init__(number, rows)
        self._raised = raised

    def run(self, connection: Connection) -> None:
        connection.execute("INSERT INTO t VALUES (?)", (1000 + self.number,))
        if self._raised is not None:
            raise self._raised


@pytest.fixture
def closer() -> Closer:
    return Closer()


@pytest.fixture
async def database(
    tmp_path: Path, closer: Closer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Database]:
    """On a disk that is never too slow for the loop."""
    monkeypatch.setattr(storage, "HERE_NS", SLOW)
    key = Guarded.random()
    connection = open_file(tmp_path / "a.db", key, cache_mib=2)
    connection.execute("CREATE TABLE t (n INTEGER)")
    connection.close()
    made = Database(tmp_path / "a.db", key, closer, readers=1, cache_mib=4)
    made.start()
    yield made
    await made.close()


def fail(_: Connection) -> None:
    raise LookupError


async def handed_over(database: Database) -> None:
    """What was submitted is with the writer, which is busy."""
    for _ in range(9):
        await asyncio.sleep(0)
    assert database._waiting == []


async def stored(database: Database) -> list[int]:
    found = await database.read(lambda db: db.execute("SELECT n FROM t ORDER BY rowid").fetchall())
    return [number for (number,) in found]


# -- which ---------------------------------------------------------------------------------------


async def test_rows_that_wait_for_nothing(database: Database, closer: Closer) -> None:
    assert await asyncio.gather(*(database.submit(Row(n)) for n in range(9))) == [*range(9)]
    assert await database.submit(Row(9)) == 9
    assert closer.here == [True, True]
    assert await stored(database) == [*range(10)]


async def test_what_runs_itself_is_the_writers(database: Database, closer: Closer) -> None:
    """And what came with it."""
    await asyncio.gather(database.submit(Row(1)), database.submit(Change(2)))
    assert closer.here == [False]
    await database.submit(Row(3))
    assert closer.here == [False, True]


@pytest.mark.parametrize(("rows", "here"), [(HERE_ROWS - 2, True), (HERE_ROWS - 1, False)])
async def test_changes_that_say_how_long_they_take(
    database: Database, closer: Closer, rows: int, here: bool
) -> None:
    await asyncio.gather(database.submit(Brief(1, rows)), database.submit(Row(2)))
    assert closer.here == [here]
    assert await stored(database) == [1001, 1, 2]


async def test_a_change_that_fails_is_rolled_back_alone(database: Database, closer: Closer) -> None:
    calls = [database.submit(Brief(n, raised=ValueError() if n == 2 else None)) for n in (1, 2, 3)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in told] == [int, ValueError, int]
    assert closer.here == [True]
    assert [n for n in await stored(database) if n > 1000] == [1001, 1003]


async def test_a_change_that_turns_out_long_is_the_writers(
    database: Database, closer: Closer
) -> None:
    """It begins anew there; the others of its group are done."""
    ran: list[tuple[bool, int]] = []

    class Long(Brief):
        __slots__ = ()

        def run(self, connection: Connection) -> None:
            super().run(connection)
            ran.append((database.here, threading.get_ident()))
            if database.here:
                raise TooLong

    calls = [database.submit(one) for one in (Brief(1), Long(2), Row(3))]
    assert await asyncio.gather(*calls) == [1, 2, 3]
    assert closer.here == [True, False]
    assert [here for here, _ in ran] == [True, False]
    assert ran[1][1] != LOOP
    assert await stored(database) == [1001, 1, 3, 1002, 2]
    await asyncio.gather(database.submit(Long(4)))
    assert closer.here == [True, False, True, False]
    await database.submit(Row(5))
    assert closer.here[-1] is True


async def test_what_was_too_long_is_told_of_a_failure_too(
    database: Database, closer: Closer
) -> None:
    class Long(Brief):
        __slots__ = ()

        def run(self, connection: Connection) -> None:
            if database.here:
                raise TooLong

    bad = break_file(database, "COMMIT", "SQLITE_FULL")
    calls = [database.submit(Row(1)), database.submit(Long(2))]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(one) for one in told if isinstance(one, StorageFailed)] == ["disk_full"] * 2
    mend(database, bad)
    assert await database.submit(Long(3)) == 3
    assert await stored(database) == [3]


@pytest.mark.parametrize(("rows", "here"), [(HERE_ROWS, True), (HERE_ROWS + 1, False)])
async def test_many_rows_are_the_writers(
    database: Database, closer: Closer, rows: int, here: bool
) -> None:
    """Counted by rows: a batch leaves one for each path."""
    await asyncio.gather(database.submit(Row(1, rows - 1)), database.submit(Row(2)))
    assert closer.here == [here]


async def test_while_commits_are_slow_they_are_the_writers(
    database: Database, closer: Closer
) -> None:
    """The loop tries again now and then: it comes back once the disk does."""
    database._pace = 2 * SLOW
    await database.submit(Row(0))
    assert closer.here == [False]
    while not closer.here[-1]:
        await database.submit(Row())
    assert database._pace <= SLOW


async def test_nothing_passes_what_the_writer_has(database: Database, closer: Closer) -> None:
    go, at_it = threading.Event(), threading.Event()

    def work() -> None:
        at_it.set()
        go.wait()

    first = database.submit(Change(1, work))
    await asyncio.to_thread(at_it.wait)
    second = database.submit(Row(2))
    await handed_over(database)
    assert not second.done()
    go.set()
    await asyncio.gather(first, second)
    assert closer.numbers == [1, 2]
    assert closer.here[-1] is False
    await database.submit(Row(3))
    assert closer.here[-1] is True


async def test_nothing_passes_an_order_that_runs_alone(database: Database, closer: Closer) -> None:
    """What was asked for behind it sees what it did."""
    go = threading.Event()

    def alone(_: Connection) -> list[int]:
        go.wait()
        return list(closer.numbers)

    order = asyncio.create_task(database.alone(alone))
    await asyncio.sleep(0)
    row = database.submit(Row(1))
    await handed_over(database)
    go.set()
    await row
    assert await order == []
    assert closer.here == [False]
    await database.submit(Row(2))
    assert closer.here == [False, True]


async def test_a_unit_that_runs_knows_that_others_wait(database: Database) -> None:
    told: list[bool] = []
    at_it, go = threading.Event(), threading.Event()

    def work() -> None:
        told.append(database.awaited)
        at_it.set()
        go.wait()
        told.append(database.awaited)

    first = database.submit(Change(1, work))
    await asyncio.to_thread(at_it.wait)
    second = database.submit(Row(2))
    await handed_over(database)
    go.set()
    await asyncio.gather(first, second)
    assert told == [False, True]


# -- questions -----------------------------------------------------------------------------------


def asked(_: Connection) -> int:
    return threading.get_ident()


async def test_few_rows_are_read_by_the_loop(database: Database) -> None:
    await database.submit(Row(7))
    assert await database.read(asked) != LOOP
    assert await database.read(asked, asked) == LOOP

    def number(db: Connection) -> int:
        return int(db.execute("SELECT n FROM t").fetchone()[0])

    assert await database.read(fail, number) == 7
    assert sum(database.reads.counts) == 3


async def test_a_question_that_turns_out_long_is_a_readers(database: Database) -> None:
    def long(db: Connection) -> int:
        db.execute("SELECT n FROM t").fetchall()
        raise TooLong

    assert await database.read(asked, long) != LOOP
    assert await database.read(asked, asked) == LOOP


async def test_a_question_that_fails_is_told_so(database: Database) -> None:
    with pytest.raises(LookupError):
        await database.read(asked, fail)
    assert await database.read(asked, asked) == LOOP


async def test_while_answers_are_slow_they_are_a_readers(database: Database) -> None:
    """The loop tries again now and then."""
    database._glance = 2 * storage.GLANCE_NS
    assert await database.read(asked, asked) != LOOP
    while await database.read(asked, asked) != LOOP:
        pass
    assert database._glance <= storage.GLANCE_NS


async def test_nobody_waits_for_the_writer_to_be_answered(database: Database) -> None:
    go, at_it = threading.Event(), threading.Event()

    def work() -> None:
        at_it.set()
        go.wait()

    first = database.submit(Change(1, work))
    await asyncio.to_thread(at_it.wait)
    assert await database.read(asked, asked) != LOOP
    assert not first.done()
    go.set()
    await first


@pytest.mark.parametrize("change", [False, True])
async def test_a_damaged_page_does_not_end_the_writing(
    database: Database, closer: Closer, change: bool
) -> None:
    """Whoever met it: the next group has another connection."""
    whole = database._own
    database._own = Failing(whole, "INSERT", "SQLITE_CORRUPT")  # type: ignore[assignment]
    with pytest.raises(StorageFailed, match="damaged"):
        await database.submit(Change(1) if change else Row(1))
    assert database._own is not whole
    await database.submit(Change(2))
    await database.submit(Row(3))
    assert closer.here[-1] is True
    assert await stored(database) == [2, 3]


@pytest.mark.parametrize("where", ["BEGIN", "SELECT", "COMMIT"])
async def test_a_page_that_is_damaged(database: Database, closer: Closer, where: str) -> None:
    """The engine answers nothing more on that connection: the loop and the writer have another."""
    whole = database._own
    database._own = Failing(whole, where, "SQLITE_CORRUPT")  # type: ignore[assignment]
    with pytest.raises(StorageFailed, match="damaged"):
        await database.read(asked, lambda db: db.execute("SELECT n FROM t").fetchall())
    assert database._own is not whole
    await database.submit(Change(1))
    await database.submit(Row(2))
    assert closer.here == [False, True]
    assert await database.read(asked, asked) != LOOP  # for a while, as this costs the writer
    while await database.read(asked, asked) != LOOP:
        pass
    assert await stored(database) == [1, 2]


# -- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_FULL", "disk_full"), ("SQLITE_IOERR_FSYNC", "io"), ("SQLITE_IOERR_WRITE", "io"),
        ("SQLITE_READONLY", "read_only"), ("SQLITE_BUSY", "busy"), ("SQLITE_CORRUPT", "damaged"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["BEGIN", "INSERT", "COMMIT"])
@pytest.mark.parametrize("brief", [False, True])
async def test_a_failing_file(
    database: Database, closer: Closer, where: str, name: str, reason: str, brief: bool
) -> None:
    """All of the group is told, none of it is there, and the next one is as ever."""
    closer.brief = brief
    await database.submit(Row(1))
    bad = break_file(database, where, name)
    calls = [database.submit(Row(n)) for n in (2, 3)]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [str(one) for one in told if isinstance(one, StorageFailed)] == [reason, reason]
    failing = [database.failing]
    assert closer.lost == (where != "BEGIN")
    mend(database, bad)
    assert await database.submit(Row(4)) == 4
    assert [*failing, database.failing] == [reason, None]
    assert await stored(database) == [1, 4]


async def test_who_waits_no_more(database: Database, closer: Closer) -> None:
    """His row is written all the same, and nobody else notices."""
    calls = [database.submit(Row(n)) for n in range(4)]
    calls[1].cancel()
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [told[0], *told[2:]] == [0, 2, 3]
    assert await stored(database) == [0, 1, 2, 3]
    assert closer.here == [True]


async def test_an_upkeep_that_fails_is_told_to_its_own(database: Database) -> None:
    class Bad(Row):
        __slots__ = ()

        def settle(self) -> None:
            raise ValueError

    calls = [database.submit(Row(1)), database.submit(Bad(2)), database.submit(Row(3))]
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(one) for one in told] == [int, ValueError, int]
    assert await stored(database) == [1, 2, 3]


async def test_another_connection_behind_a_failure(database: Database, closer: Closer) -> None:
    before = database._own

    with pytest.raises(LookupError):
        await database.alone(fail)
    assert database._own is not before
    await database.submit(Row(1))
    assert closer.here == [True]
    assert await stored(database) == [1]


async def test_another_key_in_between(database: Database, closer: Closer) -> None:
    for number in range(4):
        fresh = Guarded.random()
        _, *told = await asyncio.gather(
            database.rekey(fresh), *(database.submit(Row(n)) for n in range(5))
        )
        assert told == [*range(5)]
        await database.submit(Row(number))
        assert closer.here[-1] is True
    assert len(await stored(database)) == 24


async def test_closing_takes_along_what_waits(database: Database, closer: Closer) -> None:
    calls = [database.submit(Row(n)) for n in range(5)]
    await database.close()
    assert await asyncio.gather(*calls) == [*range(5)]
    assert closer.here == [True]
    with pytest.raises(StorageFailed, match="closed"):
        database.submit(Row())


async def test_never_two_at_once(database: Database, closer: Closer) -> None:
    """Readings, changes, orders that run alone and fail, other keys: all at the same time."""

    def looked(db: Connection) -> int:
        assert not database.here
        assert not closer.busy, "two threads at once"
        return len(db.execute("SELECT n FROM t").fetchall())

    async def client(which: int) -> None:
        for turn in range(60):
            what = (which * 37 + turn * 53) % 100
            if what < 75:
                await database.submit(Row())
            elif what < 95:
                await database.submit(Change())
            elif what < 98:
                await database.alone(lambda db: db.execute("SELECT 1").fetchone())
            else:
                with pytest.raises(LookupError):
                    await database.alone(fail)
            await database.read(asked, looked)

    clients = [asyncio.create_task(client(which)) for which in range(8)]
    for _ in range(3):
        await database.rekey(Guarded.random())
    await asyncio.gather(*clients)
    assert closer.lost == 0
    assert {True, False} == set(closer.here)
    assert len(await stored(database)) == len(closer.numbers)


async def test_what_comes_in_one_turn_after_the_other_is_one_group(
    database: Database, closer: Closer
) -> None:
    futures = []
    for number in range(16):
        futures.append(database.submit(Row(number)))
        await asyncio.sleep(0)
    assert await asyncio.gather(*futures) == list(range(16))
    assert len(closer.by) == 1


async def test_nobody_waits_for_more_than_one_group_takes(
    database: Database, closer: Closer
) -> None:
    first = database.submit(Row(0))
    for number in range(1, 2 * HERE_ROWS):
        if first.done():
            break
        database.submit(Row(number))
        await asyncio.sleep(0)
    assert first.done()
    assert len(closer.numbers) <= HERE_ROWS + 1
