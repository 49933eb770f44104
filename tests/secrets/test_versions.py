"""Versions: numbers, what is readable, what is pruned."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.secrets.model import pruned
from tests.support.house import House

PATH = "app/db"


async def write(house: House, count: int, **body: Any) -> None:
    """``count`` further versions, each holding its number in the order of writing."""
    for number in range(1, count + 1):
        answer = await house.put(PATH, {"n": number}, **body)
        assert answer.status in (200, 201), answer.body


async def numbers(house: House) -> list[int]:
    listed = await house.get(f"/v1/secrets/{PATH}/versions")
    return [item["version"] for item in listed.json["versions"]]


async def test_every_write_appends_and_old_versions_stay_readable(house: House) -> None:
    await write(house, 3)
    assert (await house.read(PATH)).json["data"] == {"n": 3}
    for number in (1, 2, 3):
        answer = await house.read(f"{PATH}?version={number}")
        assert answer.json["data"] == {"n": number}
        assert answer.json["version"] == number
        assert answer.headers["etag"] == f'"{number}"'


async def test_a_version_that_never_was(house: House) -> None:
    await write(house, 1)
    answer = await house.read(f"{PATH}?version=2")
    assert (answer.status, answer.code) == (404, "version_not_found")
    assert answer.details == {"path": PATH, "version": 2}


@pytest.mark.parametrize("text", ["0", "-1", "1.0", "01", "x", "", "true", "9" * 19, "%31%00"])
async def test_a_version_is_a_whole_number_from_one(house: House, text: str) -> None:
    await write(house, 1)
    answer = await house.read(f"{PATH}?version={text}")
    assert (answer.status, list(answer.details["fields"])) == (422, ["version"])


async def test_ten_are_kept_by_default(house: House) -> None:
    await write(house, 12)
    assert await numbers(house) == list(range(12, 2, -1))
    assert (await house.read(f"{PATH}?version=2")).code == "version_not_found"
    info = await house.get(f"/v1/secrets/metadata/{PATH}")
    assert info.json["version_count"] == 10
    assert info.json["current_version"] == 12
    assert info.json["options"]["max_versions"] == 10


async def test_lowering_max_versions_prunes_at_once_and_raising_brings_nothing_back(
    house: House,
) -> None:
    await write(house, 5)
    await house.put(PATH, {"n": 6}, options={"max_versions": 2})
    assert await numbers(house) == [6, 5]
    await house.put(PATH, {"n": 7}, options={"max_versions": 100})
    assert await numbers(house) == [7, 6, 5]


async def test_one_version_only(house: House) -> None:
    await write(house, 3, options={"max_versions": 1})
    assert await numbers(house) == [3]


async def test_pruning_destroys_the_row_with_its_key(house: House) -> None:
    await write(house, 3, options={"max_versions": 1})
    rows = await house.vault.gate.ask(
        lambda db: db.execute("SELECT version FROM secret_version").fetchall()
    )
    assert rows == [(3,)]


async def test_the_type_is_the_versions_and_kept_when_left_out(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2}, secret_type="ssh_key")
    await house.put(PATH, {"n": 3})
    types = [(await house.read(f"{PATH}?version={n}")).json["secret_type"] for n in (1, 2, 3)]
    assert types == ["kv", "ssh_key", "ssh_key"]
    assert (await house.get(f"/v1/secrets/metadata/{PATH}")).json["secret_type"] == "ssh_key"


async def test_numbers_are_never_used_twice_in_one_life(house: House) -> None:
    await write(house, 3)
    await house.delete(PATH, version=3)
    assert (await house.put(PATH, {"n": 4})).json == {
        "path": PATH,
        "version": 4,
        "created": False,
        "previous_version": 2,
        "updated_at": "2031-05-09T06:30:00.000000Z",
    }
    assert await numbers(house) == [4, 2, 1]


async def test_a_new_life_starts_at_one(house: House) -> None:
    await write(house, 3)
    await house.delete(PATH, permanent="true")
    assert (await house.put(PATH, {"n": 1})).json["version"] == 1


async def test_the_list_of_versions(house: House) -> None:
    await write(house, 1)
    house.clock.advance(1_500_000)
    await write(house, 1)
    answer = await house.get(f"/v1/secrets/{PATH}/versions")
    common = {"created_by": "sa:root", "readable_until": None}
    assert answer.json == {
        "path": PATH,
        "versions": [
            {
                "version": 2,
                "created_at": "2031-05-09T06:30:01.500000Z",
                "is_current": True,
                **common,
            },
            {
                "version": 1,
                "created_at": "2031-05-09T06:30:00.000000Z",
                "is_current": False,
                **common,
            },
        ],
    }
    assert "etag" not in answer.headers


def test_a_version_inside_its_grace_is_never_pruned() -> None:
    versions = [(1, 50), (2, 100), (3, None), (4, None)]
    assert pruned(versions, 4, 1, 60) == [1, 3]
    assert pruned(versions, 4, 1, 100) == [1, 2, 3]
    assert pruned(versions, 4, 4, 60) == []
    assert pruned([(2, None), (3, None)], 2, 1, 0) == [3]
