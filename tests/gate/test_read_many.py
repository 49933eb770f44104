"""Several looks of one request: each decided and recorded, all in one commit, or nothing told."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.storage.failures import StorageFailed
from tests.support.house import House
from tests.support.rights import grant


def caller(house: House) -> Caller:
    made = house.vault.internal("test")
    made.by_role = False
    return made


def acts(*paths: str) -> list[Act]:
    return [Act("read", "read", path) for path in paths]


async def seen() -> str:
    return "seen"


async def told(house: House, before: int) -> list[dict[str, Any]]:
    return (await house.rows())[before:]


async def test_a_row_for_each_in_order(house: House) -> None:
    grant(house, ("a/**", {"read"}))
    before = len(await house.rows())
    calls: list[str] = []
    three = acts("a/1", "b/1", "a/2")

    async def look() -> str:
        assert [act.refused is None for act in three] == [True, False, True]
        three[0].extra["version"] = 3
        three[0].after.append(lambda: calls.append("a/1"))
        three[2].refused = Refusal("secret_not_found", "no")
        return "seen"

    assert await house.vault.gate.read_many(caller(house), three, look) == "seen"
    rows = await told(house, before)
    assert [(row["secret_path"], row["success"], row["extra_data"]) for row in rows] == [
        ("a/1", True, {"version": 3}),
        ("b/1", False, {"error_code": "access_denied", "permission": "read"}),
        ("a/2", False, {"error_code": "secret_not_found"}),
    ]
    assert len({row["request_id"] for row in rows}) == 1
    assert calls == ["a/1"]
    events = await house.events()
    assert [(event["event_type"], event["path"]) for event in events] == [
        ("policy.violation", "b/1")
    ]


async def test_the_first_fault_ends_it_and_has_the_only_row(house: House) -> None:
    grant(house, ("a/**", {"read"}))
    before = len(await house.rows())
    calls: list[str] = []
    three = acts("a/1", "b/1", "c/1")
    three[0].after.append(lambda: calls.append("a/1"))
    with pytest.raises(Refusal) as refused:
        await house.vault.gate.read_many(caller(house), three, seen, fail_fast=True)
    assert (refused.value.code, refused.value.recorded) == ("access_denied", True)
    assert [row["secret_path"] for row in await told(house, before)] == ["b/1"]
    assert [event["path"] for event in await house.events()] == ["b/1"]
    assert calls == []


async def test_rows_for_all(house: House) -> None:
    grant(house, ("a/**", {"read"}))
    before = len(await house.rows())
    rows = [Act("list"), Act("list")]
    rows[0].extra["paths"], rows[1].extra["paths"] = ["a/1"], ["b/1"]
    await house.vault.gate.read_many(caller(house), acts("a/1", "b/1"), seen, told=rows)
    assert [
        (one["action"], one["success"], one["extra_data"]) for one in await told(house, before)
    ] == [("list", True, {"paths": ["a/1"]}), ("list", True, {"paths": ["b/1"]})]
    assert [event["path"] for event in await house.events()] == ["b/1"]


async def test_a_defect_is_recorded_and_nothing_told(house: House) -> None:
    grant(house, ("**", {"read"}))
    before = len(await house.rows())

    async def look() -> str:
        raise ValueError("inner names")

    with pytest.raises(Refusal) as refused:
        await house.vault.gate.read_many(caller(house), acts("a"), look)
    assert refused.value.code == "internal_error"
    (row,) = await told(house, before)
    assert row["extra_data"] == {"error_code": "internal_error"}


@pytest.mark.parametrize("where", ["look", "commit"])
async def test_a_failing_file_tells_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    grant(house, ("**", {"read"}))
    before = len(await house.rows())

    async def look() -> str:
        if where == "look":
            raise StorageFailed("io")
        return "seen"

    async def lost(*_: Any) -> None:
        raise StorageFailed("disk_full")

    if where == "commit":
        monkeypatch.setattr(house.vault.gate.database, "submit", lost)
    calls: list[str] = []
    one = acts("a")
    one[0].after.append(lambda: calls.append("a"))
    with pytest.raises(Refusal) as refused:
        await house.vault.gate.read_many(caller(house), one, look)
    assert refused.value.code == "service_unavailable"
    monkeypatch.undo()
    assert (await told(house, before), calls) == ([], [])
