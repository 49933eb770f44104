"""When a secret was last read, and how often within 30 days."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, SECOND
from scaivault.secrets import access
from scaivault.storage.units import Unit
from tests.support.house import House

PATH = "app/db"
START = "2031-05-09T06:30:00.000000Z"


async def facts(house: House) -> tuple[Any, Any]:
    found = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    return found["access_count_30d"], found["last_accessed_at"]


async def test_a_read_shows_the_state_before_it(house: House) -> None:
    await house.put(PATH, {})
    assert (await house.read(PATH)).json["last_accessed_at"] is None
    house.clock.advance(SECOND)
    assert (await house.read(PATH)).json["last_accessed_at"] == START
    assert (await house.read(PATH)).json["last_accessed_at"] == "2031-05-09T06:30:01.000000Z"


async def test_only_successful_value_reads_count(house: House) -> None:
    await house.put(PATH, {})
    await house.read(f"{PATH}?version=9")
    await house.get(f"/v1/secrets/{PATH}/versions")
    await house.get("/v1/secrets")
    assert await facts(house) == (0, None)
    await house.read(PATH)
    await house.read(f"{PATH}?version=1")
    assert await facts(house) == (2, START)


async def test_reads_older_than_thirty_days_drop_out(house: House) -> None:
    await house.put(PATH, {})
    await house.read(PATH)
    house.clock.advance(29 * DAY)
    await house.read(PATH)
    assert (await facts(house))[0] == 2
    house.clock.advance(DAY)
    assert (await facts(house))[0] == 1


async def test_the_flush_and_a_restart_change_nothing(house: House) -> None:
    await house.put(PATH, {})
    await house.read(PATH)
    house.clock.advance(HOUR)
    await house.run_jobs()
    await house.read(PATH)
    told = await facts(house)
    assert told[0] == 2
    await house.restart()
    await house.unseal()
    assert await facts(house) == told
    assert (await house.read(PATH)).json["last_accessed_at"] == told[1]


async def test_a_crash_loses_no_read(house: House) -> None:
    await house.put(PATH, {})
    for _ in range(3):
        await house.read(PATH)
    await house.crash()
    await house.unseal()
    assert await facts(house) == (3, START)


async def test_a_crash_behind_the_delete_of_a_version_loses_no_read(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    await house.read(PATH)
    assert (await house.delete(PATH, version=1)).status == 200
    await house.crash()
    await house.unseal()
    assert await facts(house) == (1, START)


async def test_a_new_life_has_no_past(house: House) -> None:
    await house.put(PATH, {})
    await house.read(PATH)
    await house.delete(PATH, permanent="true")
    await house.put(PATH, {})
    assert await facts(house) == (0, None)
    await house.read(PATH)
    await house.delete(PATH)
    house.clock.advance(30 * DAY)
    assert (await house.put(PATH, {})).status == 201
    assert await facts(house) == (0, None)


async def test_a_new_life_has_no_past_though_the_loop_remembers(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A portion may run behind the delete and before the loop has heard of it."""
    await house.put(PATH, {})
    await house.read(PATH)
    monkeypatch.setattr(house.vault.facts.access, "forget", lambda _: None)
    house.clock.advance(SECOND)
    await house.delete(PATH, permanent="true")
    await house.put(PATH, {})
    await house.vault.flush()
    assert await facts(house) == (0, None)
    await house.read(PATH)
    await house.vault.flush()
    assert (await facts(house))[0] == 1


class Broken(Exception):
    """Where a flush is broken off."""


async def flush_until(house: House, portions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flush of a secret at a time, broken off behind so many, or before its end."""
    left = portions
    gate = house.vault.gate
    submit = gate.database.submit

    def counted(unit: Unit) -> Any:
        nonlocal left
        if isinstance(unit, access.Portion):
            if not left:
                raise Broken
            left -= 1
        return submit(unit)

    def never(*_: Any) -> Any:
        raise Broken

    with monkeypatch.context() as patched:
        patched.setattr(access, "TOGETHER", 1)
        patched.setattr(access, "PORTION", 0)
        patched.setattr(gate.database, "submit", counted)
        patched.setattr(gate, "change", never)
        with pytest.raises(Broken):
            await house.vault.flush()


async def counts(house: House) -> list[int]:
    found = [await house.get(f"/v1/secrets/metadata/app/s{n}") for n in range(4)]
    return [one.json["access_count_30d"] for one in found]


@pytest.mark.parametrize("then", ["crash", "crash, flush", "flush", "crash, break, crash"])
@pytest.mark.parametrize("portions", range(5))
async def test_a_flush_that_is_broken_off_counts_every_read_once(
    house: House, monkeypatch: pytest.MonkeyPatch, portions: int, then: str
) -> None:
    for n in range(4):
        await house.put(f"app/s{n}", {})
        for _ in range(n + 1):
            await house.read(f"app/s{n}")
    await flush_until(house, portions, monkeypatch)
    await house.read("app/s0")
    await house.read("app/s3")
    assert await counts(house) == [2, 2, 3, 5]
    for step in then.split(", "):
        if step == "crash":
            await house.crash()
            await house.unseal()
        elif step == "flush":
            await house.vault.flush()
            await house.vault.flush()
            assert not house.vault.facts.access.due(house.vault.ledger.committed_seq)
        else:
            await flush_until(house, min(portions, 1), monkeypatch)
            await house.read("app/s1")
            assert await counts(house) == [2, 3, 3, 5]
        assert (await counts(house))[2:] == [3, 5]
    await house.restart()
    await house.unseal()
    assert await counts(house) == [2, 3 if "break" in then else 2, 3, 5]


def test_keys_are_sorted_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [(f"tn_{n % 3}", f"app/{n * 7919 % 101}") for n in range(101)]
    monkeypatch.setattr(access, "_SORTED", 10)
    assert access.in_order(keys) == sorted(keys)


async def test_two_flushes_at_once_count_every_read_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the vault is sealed while that of the minute waits for the disk."""
    monkeypatch.setattr(access, "TOGETHER", 1)
    monkeypatch.setattr(access, "PORTION", 0)
    for n in range(4):
        await house.put(f"app/s{n}", {})
        await house.read(f"app/s{n}")
    await asyncio.gather(house.vault.flush(), house.vault.flush(), house.vault.flush())
    assert await counts(house) == [1, 1, 1, 1]
    await house.crash()
    await house.unseal()
    assert await counts(house) == [1, 1, 1, 1]
