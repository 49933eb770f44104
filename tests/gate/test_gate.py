"""The gate: a change with its rows and events is whole or not at all, refusals are ledgered before
they are told, a failing unit takes no other with it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from tests.support.house import House


def caller(house: House) -> Caller:
    return house.vault.internal("test")


def put(tx: Transaction, name: str) -> str:
    tx.execute("INSERT INTO meta (name, value) VALUES (:name, 'x')", {"name": name})
    return name


async def names(house: House) -> set[str]:
    found = await house.vault.gate.ask(
        lambda db: db.execute("SELECT name FROM meta WHERE name LIKE 't-%'").fetchall()
    )
    return {row[0] for row in found}


async def test_a_change_comes_with_its_rows_and_events(house: House) -> None:
    def change(tx: Transaction) -> int:
        put(tx, "t-1")
        tx.note(permanent=True)
        tx.also("delete", "a/b", version=2)
        tx.emit("secret.deleted", "a/b", version=2)
        return 5

    assert await house.vault.gate.change(caller(house), Act("write", path="a/b"), change) == 5
    first, second = (await house.rows())[-2:]
    assert (first["action"], first["extra_data"]) == ("write", {"permanent": True})
    assert (second["action"], second["extra_data"]) == ("delete", {"version": 2})
    assert first["request_id"] == second["request_id"]
    assert [event["event_type"] for event in await house.events()] == ["secret.deleted"]
    assert await names(house) == {"t-1"}


@pytest.mark.parametrize("error", [Refusal("in_use", "no"), ValueError("a defect")])
async def test_a_failing_change_leaves_one_row_and_nothing_else(
    house: House, error: Exception
) -> None:
    undone: list[str] = []

    def change(tx: Transaction) -> None:
        put(tx, "t-1")
        tx.also("delete", "a/b")
        tx.emit("secret.deleted", "a/b")
        tx.then(lambda: undone.append("then"))
        tx.otherwise(lambda: undone.append("otherwise"))
        raise error

    before = len(await house.rows())
    with pytest.raises(Refusal) as told:
        await house.vault.gate.change(caller(house), Act("write", path="a/b"), change)
    expected = error.code if isinstance(error, Refusal) else "internal_error"
    assert told.value.code == expected
    assert told.value.recorded
    (row,) = (await house.rows())[before:]
    assert (row["action"], row["success"]) == ("write", False)
    assert row["extra_data"]["error_code"] == expected
    assert await names(house) == set()
    assert await house.events() == []
    assert undone == ["otherwise"]


async def test_neighbours_of_a_failing_change_commit(house: House) -> None:
    def change(n: int) -> Any:
        def run(tx: Transaction) -> str:
            put(tx, f"t-{n}")
            if n % 3 == 1:
                raise Refusal("in_use", "no")
            if n % 3 == 2:
                raise RuntimeError
            return f"t-{n}"

        return run

    calls = [house.vault.gate.change(caller(house), Act("write"), change(n)) for n in range(30)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    good = {result for result in results if isinstance(result, str)}
    assert good == {f"t-{n}" for n in range(0, 30, 3)} == await names(house)
    assert len(await house.rows(action="write", success=False)) == 20
    assert (await house.get("/v1/audit/verify")).json["valid"] is True


async def test_a_read_is_ledgered_before_it_is_told(house: House) -> None:
    ledger = house.vault.ledger
    close_group = ledger.close_group

    def broken(*_group: Any) -> None:
        raise OSError

    async def look() -> str:
        return "the secret"

    ledger.close_group = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(Refusal) as told:
        await house.vault.gate.read(caller(house), Act("read"), look)
    ledger.close_group = close_group  # type: ignore[method-assign]
    assert told.value.code == "service_unavailable"
    assert await house.vault.gate.read(caller(house), Act("read"), look) == "the secret"
    assert len(await house.rows(action="read")) == 1


async def test_a_row_that_is_there_though_its_commit_failed_is_built_upon(house: House) -> None:
    ledger = house.vault.ledger
    close_group = ledger.close_group

    def broken(*group: Any) -> None:
        close_group(*group)
        raise OSError

    async def look() -> str:
        return "the secret"

    ledger.close_group = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(Refusal):
        await house.vault.gate.read(caller(house), Act("read"), look)
    ledger.close_group = close_group  # type: ignore[method-assign]
    assert await house.vault.gate.read(caller(house), Act("read"), look) == "the secret"
    assert len(await house.rows(action="read")) == 2
    assert (await house.get("/v1/audit/verify")).json["valid"]


async def test_a_lost_group_runs_what_was_to_happen_otherwise(house: House) -> None:
    ledger = house.vault.ledger
    close_group, seen = ledger.close_group, []

    def broken(*group: Any) -> None:
        close_group(*group)
        raise OSError

    def change(tx: Transaction) -> None:
        put(tx, "t-1")
        tx.then(lambda: seen.append("then"))
        tx.otherwise(lambda: seen.append("first"))
        tx.otherwise(lambda: seen.append("second"))

    ledger.close_group = broken  # type: ignore[method-assign,assignment]
    with pytest.raises(Refusal):
        await house.vault.gate.change(caller(house), Act("write"), change)
    ledger.close_group = close_group  # type: ignore[method-assign]
    assert seen == ["second", "first"]
    assert await names(house) == set()
    await house.vault.gate.change(caller(house), Act("write"), lambda tx: put(tx, "t-2"))
    assert (await house.get("/v1/audit/verify")).json["valid"] is True


async def test_violations_are_announced_at_once_and_then_once_a_minute(house: House) -> None:
    token = await house.client("app", ["secrets:read"])

    async def violations() -> list[int]:
        events = await house.events()
        return [e["data"]["count"] for e in events if e["event_type"] == "policy.violation"]

    for _ in range(3):
        assert (await house.read("a/b", token=token)).code == "access_denied"
    assert await violations() == [1]
    house.clock.advance(60_000_000)
    await house.read("a/b", token=token)
    assert await violations() == [1, 3]
    rows = await house.rows(success=False)
    assert len(rows) == 4
    assert rows[0]["extra_data"] == {"error_code": "access_denied", "permission": "read"}
