"""Long work beside the requests: copies, and the log under who reads long."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest

from scaivault.crypto.memory import Guarded
from scaivault.storage import copying, folding, pace
from scaivault.storage.file import Connection, EngineError, open_file, sync
from scaivault.storage.pace import Pace

BLOB = 3000  # bytes: one row a page


@pytest.fixture
def key() -> Guarded:
    return Guarded.random()


@pytest.fixture
def source(tmp_path: Path, key: Guarded) -> Path:
    path = tmp_path / "a.db"
    with opened(path, key) as connection:
        connection.execute("CREATE TABLE t (n INTEGER PRIMARY KEY, value BLOB)")
        add(connection, range(400))
    return path


def opened(path: Path, key: Guarded) -> AbstractContextManager[Connection]:
    return closing(open_file(path, key, cache_mib=2))


def add(connection: Connection, numbers: range) -> None:
    for number in numbers:
        connection.execute("INSERT INTO t VALUES (?, randomblob(?))", (number, BLOB))


def count(path: Path, key: Guarded) -> int:
    with opened(path, key) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        return int(connection.execute("SELECT count(*) FROM t").fetchone()[0])


class Disturber(Pace):
    """Writes behind each step of the copy."""

    def __init__(self, writer: Connection) -> None:
        super().__init__(lambda: 0)
        self._writer = writer
        self.steps = 0

    def rest(self) -> None:
        self.steps += 1
        add(self._writer, range(1000 + self.steps, 1001 + self.steps))


def test_a_copy_ends_however_much_is_written_meanwhile(
    source: Path, key: Guarded, tmp_path: Path
) -> None:
    target = tmp_path / "copy.db"
    with opened(source, key) as writer:
        pages = writer.execute("PRAGMA page_count").fetchone()[0]
        steps = Disturber(writer)
        copying.copy(lambda: open_file(source, key, cache_mib=2), target, key, steps)
        assert steps.steps == -(-pages // copying.STEP)
    assert count(target, key) == 400
    assert count(source, key) == 400 + steps.steps
    assert sorted(path.name for path in tmp_path.iterdir() if "copy" in path.name) == ["copy.db"]


def test_a_copy_replaces_nothing(source: Path, key: Guarded, tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"mine")
    with opened(source, key) as writer, pytest.raises(FileExistsError):
        copying.copy(lambda: writer, tmp_path / "copy.db", key, Pace(lambda: 0))
    assert (tmp_path / "copy.db").read_bytes() == b"mine"


def length(connection: Connection) -> int:
    """Pages in the log."""
    return int(connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()[1])


@pytest.fixture
def reader(source: Path, key: Guarded) -> Iterator[Connection]:
    with opened(source, key) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM t").fetchone()
        yield connection


def test_commits_do_not_wait_for_who_reads_long(
    source: Path, key: Guarded, reader: Connection
) -> None:
    with opened(source, key) as writer:
        add(writer, range(500, 510))
        before = length(writer)
        folding.restart(writer)
        add(writer, range(510, 511))
        assert length(writer) > before
        reader.execute("COMMIT")
        folding.restart(writer)
        add(writer, range(511, 512))
        assert length(writer) < before
        assert writer.execute("PRAGMA busy_timeout").fetchone() == (5000,)


def test_who_works_beside_others_rests_and_alone_does_not() -> None:
    commits = [0]
    rests: list[float] = []
    own = Pace(lambda: commits[0], rests.append)
    own.rest()
    assert rests == []
    commits[0] += 1
    own.rest()
    assert len(rests) == 1
    assert 0 <= rests[0] <= pace.LONGEST / 1e9
    own.rest()
    assert len(rests) == 1


def test_the_file_itself_is_synced(source: Path, key: Guarded) -> None:
    """And a refusal is told: a pipe in the place of the file cannot be synced."""
    with opened(source, key) as connection:
        sync(connection)
        (number,) = (
            int(one.name)
            for one in Path("/proc/self/fd").iterdir()
            if one.resolve() == source.resolve()
        )
        kept, (reading, writing) = os.dup(number), os.pipe()
        os.dup2(writing, number)
        try:
            with pytest.raises(EngineError) as told:
                sync(connection)
        finally:
            os.dup2(kept, number)
            for other in (kept, reading, writing):
                os.close(other)
    assert told.value.sqlite_errorname == "SQLITE_IOERR_FSYNC"
