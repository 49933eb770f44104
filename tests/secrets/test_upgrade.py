"""Secrets of an older file get their types, tags and notices as if they were written today."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import DAY, FakeClock
from scaivault.crypto.memory import Guarded
from scaivault.storage import migrations
from scaivault.storage.file import Connection, open_file
from scaivault.storage.migrations import migrate, steps
from tests.storage.test_released import FIXTURES, copied
from tests.support.house import House

BEFORE = 3  # the last step without these columns


@pytest.fixture
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """A file at the step before."""
    known = steps()
    with Guarded.random() as key:
        made = open_file(tmp_path / "a.db", key, cache_mib=2)
        monkeypatch.setattr(migrations, "steps", lambda: known[:BEFORE])
        migrate(made)
        monkeypatch.setattr(migrations, "steps", lambda: known)
        yield made
        made.close()


def add(db: Connection, path: str, types: list[str], metadata: str, **more: Any) -> None:
    values = {
        "path": path, "current": len(types), "metadata": metadata, "expires_at": None,
        "deleted_at": None, **more,
    }  # fmt: skip
    db.execute(
        "INSERT INTO secret VALUES ('tnt_1', :path, :current, :current, :metadata, 10, '1d', 5, 7,"
        " :expires_at, :deleted_at, NULL, NULL)",
        values,
    )
    for number, secret_type in enumerate(types, 1):
        db.execute(
            "INSERT INTO secret_version VALUES ('tnt_1', ?, ?, ?, 5, 'x', NULL, NULL, 1, x'', x'')",
            (path, number, secret_type),
        )


def test_types_tags_and_notices_are_filled_in(older: Connection) -> None:
    big = "9" * 5000
    add(older, "a", ["json", "kv"], '{"tags":["x","y"],"n":' + big + "}")
    add(older, "b", ["kv", "api_key"], '{"tags":null}', expires_at=900)
    add(older, "c", ["ssh_key"], '{"tags":["x"]}', expires_at=900, deleted_at=8)
    add(older, "d", ["kv"], '{"other":["x"],"tags":[]}')
    migrate(older)
    rows = older.execute("SELECT path, secret_type, notice_at FROM secret ORDER BY path")
    assert rows.fetchall() == [
        ("a", "kv", None), ("b", "api_key", 7), ("c", "ssh_key", 7), ("d", "kv", None),
    ]  # fmt: skip
    tags = older.execute("SELECT owner_id, tag, path FROM secret_tag ORDER BY tag, path")
    assert tags.fetchall() == [
        ("tnt_1", "x", "a"), ("tnt_1", "x", "c"), ("tnt_1", "y", "a"),
    ]  # fmt: skip
    assert migrate(older) == []


async def test_a_released_file_goes_on_as_if_it_had_been_so(tmp_path: Path) -> None:
    released = FIXTURES / "vault-0.1.0"
    house = House(copied(released, tmp_path), FakeClock())
    house.token = (released / "token").read_text()
    try:
        await house.unseal()
        found = await house.vault.gate.ask(
            lambda db: db.execute("SELECT tag, path FROM secret_tag").fetchall()
        )
        assert found == [("db", "app/db")]
        target = "/v1/secrets/app/db"
        body: Any = {"metadata": {"tags": ["new"]}, "options": {"expires_in": "2d"}}
        patched = (await house.call("PATCH", target, body)).json
        assert (patched["metadata"], patched["current_version"]) == ({"tags": ["new"]}, 2)
        rotated = await house.call("POST", f"{target}/rotate", {"new_value": {"n": 3}})
        assert rotated.json["version"] == 3
        house.clock.advance(DAY)
        await house.vault.upkeep.announce(house.vault.internal("expiry"))
        assert (await house.events())[-1]["event_type"] == "secret.expiring"
    finally:
        await house.close()
