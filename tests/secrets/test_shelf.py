"""Rows kept in memory: a read that began before a change never outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scaivault.secrets.shelf import Shelf, Stored
from tests.support.house import House

KEY = ("tnt_1", "app/db")


def row(house: House) -> Stored:
    found = house.vault.values.shelf.get((house.made["tenant_id"], "app/db"))
    assert found is not None
    return found


async def test_a_fetch_behind_a_change_does_not_vouch_for_one_before_it(house: House) -> None:
    await house.put("app/db", {"n": 1})
    await house.read("app/db")
    old, shelf = row(house), Shelf(1 << 20)
    before = shelf.fetching(KEY)
    shelf.drop(KEY)
    behind = shelf.fetching(KEY)
    shelf.fetched(KEY, before, old)
    assert shelf.get(KEY) is None
    shelf.fetched(KEY, behind, old)
    assert shelf.get(KEY) is old
    shelf.clear()
    assert shelf.used == 0


async def test_a_deleted_secret_does_not_come_back_from_a_slow_read(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read looks before the delete and hears of it after a second one has begun."""
    await house.put("app/db", {"n": 1})
    gate = house.vault.gate
    ask, gates = gate.ask, [asyncio.Event(), asyncio.Event()]
    seen = [asyncio.Event(), asyncio.Event()]
    count = iter(range(2))

    async def slow(*question: Callable[[Any], Any]) -> Any:
        answer = await ask(*question)
        number = next(count)
        seen[number].set()
        await gates[number].wait()
        return answer

    monkeypatch.setattr(gate, "ask", slow)
    early = asyncio.create_task(house.read("app/db"))
    await seen[0].wait()
    assert (await house.delete("app/db")).status == 200
    late = asyncio.create_task(house.read("app/db"))
    await seen[1].wait()
    gates[0].set()
    assert (await early).status == 200  # it began before the delete
    gates[1].set()
    assert (await late).code == "secret_not_found"
    monkeypatch.undo()
    assert (await house.read("app/db")).code == "secret_not_found"
