"""One writer that commits in groups, and readers beside it.

A unit of work is a synchronous function of the connection. The loop hands over everything that
one turn of the event loop produced; the writer takes all that is waiting, runs each unit in its
own savepoint, lets the closer append the audit rows, commits once (one fsync for all), and wakes
the loop once. So fifty concurrent requests share one fsync, a failing unit rolls back alone, and
nothing that waits on a network can be inside a transaction.

Threads: each reader owns one connection and no other thread touches it. The writing connection is
the writer's or the loop's, in turns: a few rows that wait for nothing are committed, or read, by
the loop itself (``_commit_here``, ``_read_here``). Units come from, and answers return to, the
event loop that called ``start``.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from scaivault.clock import SystemClock
from scaivault.crypto.memory import Guarded
from scaivault.storage import copying
from scaivault.storage.failures import StorageFailed, failure, translate, undo
from scaivault.storage.file import (
    Connection,
    EngineError,
    FileDamaged,
    open_file,
    rekey,
)
from scaivault.storage.folding import LogFolder
from scaivault.storage.pace import Pace
from scaivault.storage.timing import Timing
from scaivault.storage.units import Closer, TooLong, Unit

T = TypeVar("T")

_monotonic: Final = SystemClock().monotonic
# The loop commits itself while commits take less than this, and at most so many rows at a time,
# which take as long: meanwhile it does nothing else.
HERE_NS: Final = 3_000_000
HERE_ROWS: Final = 128
# And it answers questions about a few rows itself while those take less than this.
GLANCE_NS: Final = 2_000_000


class _Alone:
    """A function that needs the writer's connection for itself, outside any transaction."""

    def __init__(self, function: Callable[[Connection], Any]) -> None:
        self.function = function
        self.future: asyncio.Future[Any] | None = None


_Order = list[Unit] | _Alone | None


def _resolve(future: asyncio.Future[Any] | None, result: Any, error: BaseException | None) -> None:
    if future is None or future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def _is_small(units: Sequence[Unit]) -> bool:
    """Whether a group takes no longer than some rows for its closer."""
    rows = 0
    for unit in units:
        if type(unit).run is not Unit.run:
            if unit.work is None:
                return False
            rows += unit.work
        rows += unit.rows
    return rows <= HERE_ROWS


def _without(units: Sequence[Unit], late: Sequence[Unit]) -> Sequence[Unit]:
    return [unit for unit in units if unit not in late] if late else units


def _spawn(name: str, target: Callable[[Connection], None], own: Connection) -> threading.Thread:
    thread = threading.Thread(target=target, args=(own,), name=f"vault-{name}", daemon=True)
    thread.start()
    return thread


class Database:
    """The open file. ``close`` folds the log in and wipes nothing: keys belong to the keyring."""

    def __init__(
        self,
        path: Path,
        key: Guarded,
        closer: Closer,
        *,
        readers: int = 4,
        cache_mib: int = 64,
        group_max: int = 1000,
    ) -> None:
        self.path: Final = path
        self._key = key
        self._closer: Final = closer
        self._group_max: Final = group_max
        self._reader_count: Final = readers
        self._cache_mib: Final = cache_mib
        self._reader_mib: Final = max(1, cache_mib // (8 * readers))
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._questions: SimpleQueue[tuple[Callable[[Connection], Any], Any] | None] = SimpleQueue()
        self._waiting: list[Unit] = []
        self._gathered = 0  # of these, at the last look
        self._writer: threading.Thread | None = None
        self._readers: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._open = False
        self.failing: str | None = None
        self.reads: Final = Timing()
        self.commits: Final = Timing()
        self._asking = 0
        self._together = 0
        # Whose turn it is with the writing connection: the writer's, or the loop's.
        self._turn: Final = threading.Lock()
        self._own: Connection | None = None
        self.here = False  # in a unit that runs: whether it is the loop that runs it
        self._late: list[Unit] = []  # of the last group: too long for the loop, not run yet
        self._away = 0  # units and orders handed to the writer and not settled
        # What a commit on the loop takes lately, in nanoseconds. Those of the writer say nothing:
        # it waits for the interpreter lock in them. Each lowers this a little: the loop tries.
        self._pace = 0
        self._glance = 0  # and a glance

    # -- life ---------------------------------------------------------------------------------

    def connect(self) -> Connection:
        """A further connection, for the caller's thread (a reader, a fold, a copy, …)."""
        return open_file(self.path, self._key, cache_mib=self._reader_mib)

    def _connect_own(self) -> Connection:
        """The writing connection. It has most of the memory: others lose what they have in memory
        with each commit that is not their own."""
        rest = self._cache_mib - self._reader_count * self._reader_mib
        share = max(2, self._cache_mib // 2, rest)
        return open_file(self.path, self._key, cache_mib=share)

    def start(self) -> None:
        """Open all connections and start the threads; call on the event loop."""
        self._loop = asyncio.get_running_loop()
        writer = self._own = self._connect_own()
        self._folder = LogFolder(self)
        readers = [self.connect() for _ in range(self._reader_count)]
        self._open = True
        self._writer = _spawn("writer", self._write_forever, writer)
        self._readers = [_spawn("reader", self._read_forever, own) for own in readers]

    async def close(self) -> None:
        """Finish what was handed over, fold the log into the file, close every connection."""
        if not self._open:
            return
        self._flush()
        self._open = False
        await asyncio.to_thread(self._join)

    def _join(self) -> None:
        """The writer is the last: what becomes of the log is its own to say."""
        self._stop_readers()
        self._orders.put(None)
        if self._writer is not None:
            self._writer.join()

    def _stop_readers(self) -> None:
        for _ in self._readers:
            self._questions.put(None)
        for thread in self._readers:
            thread.join()
        self._readers = []

    async def rekey(self, key: Guarded) -> Guarded:
        """Rewrite every page with ``key``; the old key, for the caller to wipe.

        Writers and readers wait meanwhile: an answer needs its audit row, and that needs the
        writer, so nobody could be answered anyway."""
        await asyncio.to_thread(self._stop_readers)
        old = self._key
        try:
            await self.alone(lambda connection: self._replace_key(connection, key))
            self._key = key
        finally:
            own = [self.connect() for _ in range(self._reader_count)]
            self._readers = [_spawn("reader", self._read_forever, one) for one in own]
        return old

    def _replace_key(self, connection: Connection, key: Guarded) -> None:
        """The engine reports success even when the pages did not fit on the disk; that the first
        page opens with ``key`` proves it, as all are rewritten in one transaction."""
        try:
            rekey(connection, key)
            open_file(self.path, key, cache_mib=2).close()
        except FileDamaged as error:
            raise StorageFailed("io") from error

    # -- the loop's side ----------------------------------------------------------------------

    def submit(self, unit: Unit) -> asyncio.Future[Any]:
        """Hand over one unit; the future ends after its group is on disk."""
        loop = self._loop
        if loop is None or not self._open:
            raise StorageFailed("closed")
        future = unit.future = loop.create_future()
        waiting = self._waiting
        waiting.append(unit)
        if len(waiting) == 1:
            # Everything that turns of the loop submit one after the other goes over together.
            loop.call_soon(self._gather)
        return future

    def _gather(self) -> None:
        """Flush once a turn of the loop brought nothing more, or as much waits as one group takes.
        Clients that were answered together ask again together, but not in one turn: without this
        16 of them shared a commit by eights."""
        count = len(self._waiting)
        if count != self._gathered and count < HERE_ROWS and self._loop is not None:
            self._gathered = count
            self._loop.call_soon(self._gather)
        else:
            self._flush()

    def _flush(self) -> None:
        self._gathered = 0
        if not self._waiting:
            return
        units, self._waiting = self._waiting, []
        if not self._commit_here(units):
            self._hand_over(units, len(units))

    def _hand_over(self, order: _Order, count: int = 1) -> None:
        """To the writer. Nothing passes it: until it is settled the loop commits nothing itself."""
        self._away += count
        self._orders.put(order)

    def _commit_here(self, units: list[Unit]) -> bool:
        """Commit on the loop, if the writer has nothing to do, nothing in the group can take long,
        and the disk did not lately: to wake a thread and to be woken by it costs twice as much as
        such a commit, and nobody could be answered before it anyway."""
        if self._away or self._pace > HERE_NS or not _is_small(units):
            return False
        if not self._turn.acquire(blocking=False):
            return False
        try:
            connection = self._own  # another one after a failure: only now it stays this one
            if connection is None:
                return False
            start = _monotonic()
            self.here = True
            lost, late = self._commit_group(connection, units), self._late
            took = _monotonic() - start
            connection = self._own = self._afresh(connection, lost)
            folds = self._folder.after_commit(connection)
        finally:
            self.here = False
            self._turn.release()
        self._pace += (took - self._pace) >> 3
        self._settle(_without(units, late), lost, took)
        if late:
            self._hand_over(late, len(late))
        if folds:
            self._hand_over(_Alone(self._folder.restart))
        return True

    async def alone(self, function: Callable[[Connection], T]) -> T:
        """Run with the writer's connection between two groups (rekey, checkpoint)."""
        loop = self._loop
        if loop is None or not self._open:
            raise StorageFailed("closed")
        self._flush()
        order = _Alone(function)
        future = order.future = loop.create_future()
        self._hand_over(order)
        result: T = await future
        return result

    async def read(
        self,
        function: Callable[[Connection], T],
        glance: Callable[[Connection], T] | None = None,
    ) -> T:
        """Run in a reader, on one snapshot. ``glance`` answers the same from a few rows, or raises
        ``TooLong``: the loop runs it, if nobody is at the writing connection."""
        loop = self._loop
        if loop is None or not self._open:
            raise StorageFailed("closed")
        if glance is not None and (seen := self._read_here(glance)) is not None:
            return seen[0]
        future: asyncio.Future[T] = loop.create_future()
        start = _monotonic()
        self._asking += 1
        try:
            self._questions.put((function, future))
            return await future
        finally:
            self._asking -= 1
            self.reads.add(_monotonic() - start)

    def _read_here(self, glance: Callable[[Connection], T]) -> tuple[T] | None:
        """A reader drops all that it has in memory with each commit of others, and so decrypts
        some ten pages for one row; the writing connection has them, and nobody is to be woken."""
        if self._glance > GLANCE_NS:
            self._glance -= self._glance >> 6
            return None
        if not self._turn.acquire(blocking=False):
            return None
        if (connection := self._own) is None:
            self._turn.release()
            return None
        start = _monotonic()
        try:
            connection.execute("BEGIN")
            seen = glance(connection)
            connection.execute("COMMIT")
        except TooLong:
            undo(connection)
            return None
        except BaseException as error:
            undo(connection)
            if not isinstance(error, EngineError):
                raise
            told = translate(error)
            self._own = self._afresh(connection, told)
            self._glance = GLANCE_NS << 6  # readers for a while: this costs the writer its cache
            raise told from error
        finally:
            self._turn.release()
            took = _monotonic() - start
            self._glance += (took - self._glance) >> 3
            self.reads.add(took)
        return (seen,)

    @property
    def awaited(self) -> bool:
        """In a unit that runs: whether others wait for its group to end. A unit that can be
        broken off is."""
        return self._together > 1 or not self._orders.empty()

    @property
    def pool_size(self) -> int:
        """How many readers there are."""
        return len(self._readers)

    @property
    def pool_available(self) -> int:
        """How many of them have nothing to do."""
        return max(0, len(self._readers) - self._asking)

    def _settle_away(self, units: Sequence[Unit], lost: StorageFailed | None, took: int) -> None:
        self._away -= len(units)
        self._pace -= self._pace >> 6
        self._settle(units, lost, took)

    def _settle_alone(self, order: _Alone, result: Any, error: BaseException | None) -> None:
        self._away -= 1
        _resolve(order.future, result, error)

    def _settle(self, units: Sequence[Unit], lost: StorageFailed | None, took: int) -> None:
        self.commits.add(took)
        self.failing = lost.reason if lost is not None else None
        if lost is not None:
            for unit in units:
                _resolve(unit.future, None, StorageFailed(lost.reason))
            return
        self._closer.group_committed(units)
        for unit in units:
            if unit.error is None:
                try:
                    unit.settle()
                except Exception as error:  # noqa: BLE001 - told to its own caller, not to all
                    unit.error = error
        for unit in units:
            if unit.error is not None:
                _resolve(unit.future, None, unit.error)
            else:
                _resolve(unit.future, unit.result(), None)

    def _post(self, function: Callable[..., object], *arguments: Any) -> None:
        loop = self._loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is gone: nobody waits any more
                loop.call_soon_threadsafe(function, *arguments)

    # -- the writer's side --------------------------------------------------------------------

    def _take(self) -> tuple[list[Unit], _Alone | None, bool]:
        """All waiting units; what came after them and must run alone; whether to stop."""
        units: list[Unit] = []
        order = self._orders.get()
        while isinstance(order, list):
            units += order
            if len(units) >= self._group_max:
                return units, None, False
            try:
                order = self._orders.get_nowait()
            except Empty:
                return units, None, False
        return units, order, order is None

    def _write_forever(self, connection: Connection) -> None:
        """What is told is told outside of the turn: the loop may take the next one at once."""
        stopping = False
        while not stopping:
            units, alone, stopping = self._take()
            if units:
                with self._turn:
                    connection = self._own or connection  # the loop may have opened another one
                    start = _monotonic()
                    lost = self._commit_group(connection, units)
                    took = _monotonic() - start
                    connection = self._own = self._afresh(connection, lost)
                    folds = self._folder.after_commit(connection)
                self._post(self._settle_away, units, lost, took)
                if folds:
                    with self._turn:
                        self._folder.restart(self._own)
            if alone is not None:
                with self._turn:
                    connection = self._own or connection
                    connection, result, error = self._run_alone(connection, alone)
                    self._own = connection
                self._post(self._settle_alone, alone, result, error)
        with self._turn:
            connection, self._own = self._own or connection, None
        self._folder.finish(connection)
        connection.close()

    def _run_alone(
        self, connection: Connection, order: _Alone
    ) -> tuple[Connection, Any, BaseException | None]:
        """The connection to go on with, and what came of it: another one after a failure, because
        a replacement of the key that was broken off leaves the engine writing with the key that
        nobody has."""
        try:
            return connection, order.function(connection), None
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
            told = translate(error) if isinstance(error, EngineError) else error
            undo(connection)
            with contextlib.suppress(EngineError, FileDamaged):
                fresh = self._connect_own()
                connection.close()
                connection = fresh
            return connection, None, told

    def _commit_group(self, connection: Connection, units: Sequence[Unit]) -> StorageFailed | None:
        """Run and commit; on any failure of the file itself the whole group is undone."""
        closed = False
        self._late = []
        self._together = len(units)
        try:
            if self._closer.is_one_statement(units):
                closed = True
                self._closer.close_group(connection, units)
                return None
            connection.execute("BEGIN IMMEDIATE")
            late = [unit for unit in units if not self._run_unit(connection, unit)]
            closed = True
            self._closer.close_group(connection, _without(units, late))
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
            undo(connection)
            for unit in reversed(units):
                unit.undone()
            if closed:  # else the closer still stands where the last group left it
                self._closer.group_lost()
            return failure(error)
        self._late = late
        return None

    @staticmethod
    def _run_unit(connection: Connection, unit: Unit) -> bool:
        """False: it is to be run once more, by the writer."""
        if type(unit).run is Unit.run:
            return True  # a ledgered read: nothing to undo, so no savepoint
        connection.execute("SAVEPOINT unit")
        try:
            unit.run(connection)
        except TooLong:
            connection.execute("ROLLBACK TO unit")
            connection.execute("RELEASE unit")
            unit.undone()
            return False
        except Exception as error:
            if not connection.in_transaction:
                raise  # a full disk or a failing one has ended the whole transaction
            unit.error = translate(error) if isinstance(error, EngineError) else error
            connection.execute("ROLLBACK TO unit")
            unit.undone()
        connection.execute("RELEASE unit")
        return True

    # -- a reader's side ----------------------------------------------------------------------

    def _read_forever(self, connection: Connection) -> None:
        while (question := self._questions.get()) is not None:
            function, future = question
            try:
                connection.execute("BEGIN")
                result = function(connection)
                connection.execute("COMMIT")
            except BaseException as error:  # noqa: BLE001 - handed to whoever waits for it
                undo(connection)
                if isinstance(error, EngineError):
                    error = translate(error)
                self._post(_resolve, future, None, error)
                connection = self._afresh(connection, error)
            else:
                self._post(_resolve, future, result, None)
        connection.close()

    def _afresh(self, connection: Connection, error: BaseException | None) -> Connection:
        """A new connection after the file failed: SQLCipher answers nothing more on one that met
        a page with a wrong MAC, though every other page is sound."""
        if not isinstance(error, StorageFailed) or error.reason not in ("damaged", "io"):
            return connection
        with contextlib.suppress(EngineError, FileDamaged):
            fresh = self._connect_own() if connection is self._own else self.connect()
            connection.close()
            return fresh
        return connection

    # -- beside the requests ------------------------------------------------------------------

    def pace(self) -> Pace:
        """Of work in a thread of its own, which makes way for commits."""
        return Pace(lambda: self.commits.total)

    def copy_to(self, target: Path) -> None:
        """An online copy under the same key, for the caller's own thread. Writers go on meanwhile;
        the copy is one consistent state. ``FileExistsError`` when ``target`` is there."""
        copying.copy(self.connect, target, self._key, self.pace())
