"""Values that are too large to stand among the rows of versions."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.storage.file import Connection
from tests.support.house import House

PATH = "app/large"


def value(size: int) -> dict[str, str]:
    return {"text": "x" * size}


async def asked(house: House, sql: str) -> list[Any]:
    def question(db: Connection) -> list[Any]:
        return db.execute(sql).fetchall()

    rows: list[Any] = await house.vault.gate.ask(question)
    return rows


async def test_they_are_read_as_they_were_written(house: House) -> None:
    for size in (1, 400, 600, 100_000, 500_000):
        assert (await house.put(f"{PATH}/{size}", value(size))).status == 201
    for size in (1, 400, 600, 100_000, 500_000):
        assert (await house.read(f"{PATH}/{size}")).json["data"] == value(size)


async def test_no_row_of_a_version_is_larger_than_a_page_takes(house: House) -> None:
    for size in (1, 400, 600, 100_000):
        await house.put(f"{PATH}/{size}", value(size))
    ((longest,),) = await asked(house, "SELECT max(length(value)) FROM secret_version")
    assert longest <= 512
    ((apart,),) = await asked(house, "SELECT count(*) FROM secret_large")
    assert apart == 2


async def test_each_version_has_its_own_and_takes_it_along(house: House) -> None:
    for size in (1000, 2000, 3000, 4000):
        await house.put(PATH, value(size), options={"max_versions": 2})
    assert len(await asked(house, "SELECT 1 FROM secret_large")) == 2
    assert (await house.read(f"{PATH}?version=3")).json["data"] == value(3000)
    await house.delete(PATH, version=3)
    assert (await house.read(PATH)).json["data"] == value(4000)
    await house.put(PATH, value(1))
    await house.put(PATH, value(2))
    assert await asked(house, "SELECT 1 FROM secret_large") == []


async def test_a_secret_that_is_gone_leaves_none(house: House) -> None:
    await house.put(PATH, value(5000))
    assert (await house.delete(PATH, permanent="true")).status == 200
    assert await asked(house, "SELECT 1 FROM secret_large") == []


async def test_the_scrub_and_a_batch_open_them(house: House) -> None:
    await house.put(PATH, value(5000))
    answer = await house.call("POST", "/v1/secrets/batch", {"paths": [PATH]})
    assert answer.json["secrets"][PATH]["data"] == value(5000)
    caller = house.vault.internal("scrub")
    assert await house.vault.upkeep.scrub(caller, ("", "", 0)) == (None, 0)
    await house.vault.database.alone(
        lambda db: db.execute("UPDATE secret_large SET value = zeroblob(length(value))").rowcount
    )
    assert await house.vault.upkeep.scrub(caller, ("", "", 0)) == (None, 1)


async def test_the_scrub_lets_others_go_first_at_each_large_value(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        await house.put(f"{PATH}/{number}", value(100_000))
    loop, own = asyncio.get_running_loop(), house.vault.values.opened
    turns, seen = [0], []

    def opened(key: Any, version: Any) -> Any:
        seen.append(turns[0])
        loop.call_soon(lambda: turns.__setitem__(0, turns[0] + 1))
        return own(key, version)

    monkeypatch.setattr(house.vault.values, "opened", opened)
    caller = house.vault.internal("scrub")
    assert await house.vault.upkeep.scrub(caller, ("", "", 0)) == (None, 0)
    # What was due behind one value was done before the next.
    assert seen == [0, 1, 2]
