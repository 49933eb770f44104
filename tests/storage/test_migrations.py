"""Steps of the schema: each once, whole, in order, and unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from scaivault.crypto.memory import Guarded
from scaivault.storage import migrations
from scaivault.storage.file import Connection, EngineError, open_file
from scaivault.storage.migrations import SchemaForeign, SchemaNewer, Step, migrate, steps


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with Guarded.random() as key:
        made = open_file(tmp_path / "a.db", key, cache_mib=2)
        yield made
        made.close()


def test_an_empty_file_takes_every_step_once(connection: Connection) -> None:
    assert migrate(connection) == steps()
    assert migrate(connection) == []


def test_a_file_of_a_newer_program(connection: Connection) -> None:
    migrate(connection)
    connection.execute("INSERT INTO migration VALUES (99, 'later', 'x')")
    with pytest.raises(SchemaNewer):
        migrate(connection)


def test_a_step_that_is_not_ours(connection: Connection) -> None:
    migrate(connection)
    connection.execute("UPDATE migration SET digest = 'x' WHERE number = 1")
    with pytest.raises(SchemaForeign):
        migrate(connection)


def test_a_failing_step_leaves_the_one_before(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = steps()
    bad = Step(len(known) + 1, "bad", "CREATE TABLE fresh (n);\nCREATE TABLE meta (n);\n")
    monkeypatch.setattr(migrations, "steps", lambda: [*known, bad])
    with pytest.raises(EngineError):
        migrate(connection)
    assert connection.execute("SELECT count(*) FROM migration").fetchone()[0] == len(known)
    assert connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'fresh'").fetchone() is None
    good = bad._replace(sql="CREATE TABLE fresh (n);\n")
    monkeypatch.setattr(migrations, "steps", lambda: [*known, good])
    assert migrate(connection) == [good]
