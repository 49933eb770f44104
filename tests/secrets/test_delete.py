"""Deleting: soft, for good, one version; undoing it; the purge."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY
from scaivault.gate.gate import Act
from tests.support.house import House
from tests.support.rights import SCOPES, grant

PATH = "app/db"
UNTIL = "2031-06-08T06:30:00.000000Z"


async def stored(house: House) -> list[Any]:
    def question(db: Any) -> list[Any]:
        tables = ("secret", "secret_version", "secret_access")
        return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

    return await house.vault.gate.ask(question)


async def test_soft(house: House) -> None:
    await house.put(PATH, {"n": 1})
    answer = await house.delete(PATH)
    assert (answer.status, answer.json) == (
        200,
        {"path": PATH, "deleted": True, "permanent": False, "recoverable_until": UNTIL},
    )
    assert (await house.get("/v1/secrets")).json["total_count"] == 0


@pytest.mark.parametrize("soft_first", [False, True])
async def test_for_good(house: House, soft_first: bool) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    await house.read(PATH)
    await house.vault.flush()
    if soft_first:
        await house.delete(PATH)
    answer = await house.delete(PATH, permanent="true")
    assert answer.json == {"path": PATH, "deleted": True, "permanent": True}
    assert await stored(house) == [0, 0, 0]
    assert (await house.delete(PATH, permanent="true")).code == "secret_not_found"


async def test_an_older_version(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    answer = await house.delete(PATH, version=1)
    assert answer.json == {"path": PATH, "deleted": True, "permanent": True, "version": 1}
    assert (await house.read(f"{PATH}?version=1")).code == "version_not_found"
    assert (await house.read(PATH)).json["version"] == 2
    again = await house.delete(PATH, version=1)
    assert (again.code, again.details) == ("version_not_found", {"path": PATH, "version": 1})


async def test_the_current_version_gives_way_to_the_newest_other(house: House) -> None:
    for n in (1, 2, 3):
        await house.put(PATH, {"n": n})
        house.clock.advance(DAY)
    await house.delete(PATH, version=2)
    await house.delete(PATH, version=3)
    read = (await house.read(PATH)).json
    assert (read["version"], read["data"]) == (1, {"n": 1})
    # Neither a write nor a change of options: the time of the last write stays.
    assert read["updated_at"] == "2031-05-11T06:30:00.000000Z"


async def grace(house: House, version: int, until: int) -> None:
    """As a rotation leaves a version behind."""

    def bound(tx: Any) -> None:
        values = {"version": version, "until": until}
        tx.execute(
            "UPDATE secret_version SET readable_until = :until WHERE version = :version", values
        )

    await house.vault.gate.change(house.vault.internal("test"), Act("write"), bound)
    house.vault.values.shelf.clear()


async def test_a_version_whose_grace_is_over_cannot_be_read_nor_become_current(
    house: House,
) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    await grace(house, 1, house.clock.now() + DAY)
    assert (await house.read(f"{PATH}?version=1")).json["readable_until"] == (
        "2031-05-10T06:30:00.000000Z"
    )
    house.clock.advance(DAY)
    assert (await house.read(f"{PATH}?version=1")).code == "version_not_found"
    answer = await house.delete(PATH, version=2)
    assert (answer.status, answer.details) == (409, {"reason": "last_version"})
    listed = (await house.get(f"/v1/secrets/{PATH}/versions")).json["versions"]
    assert [item["version"] for item in listed] == [2, 1]


async def test_a_version_in_its_grace_becomes_current_without_end(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    await grace(house, 1, house.clock.now() + DAY)
    await house.delete(PATH, version=2)
    house.clock.advance(2 * DAY)
    read = (await house.read(PATH)).json
    assert (read["version"], read["readable_until"]) == (1, None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("permanent=true&version=1", "version"),
        ("permanent=yes", "permanent"),
        ("permanent=", "permanent"),
        ("permanent=true&permanent=true", "permanent"),
        ("version=0", "version"),
        ("force=true", "force"),
        ("path=other", "path"),
        ("if_match=1", "if_match"),
    ],
)
async def test_queries_at_fault(house: House, query: str, field: str) -> None:
    await house.put(PATH, {"n": 1})
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}?{query}")
    assert (answer.status, list(answer.details["fields"])) == (422, [field])
    assert (await house.read(PATH)).status == 200


async def test_for_good_takes_the_permission_admin(house: House) -> None:
    token = await house.client("app", SCOPES)
    grant(house, ("**", {"read", "write", "delete", "list", "rotate"}))
    await house.put(PATH, {"n": 1}, token=token)
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}?permanent=true", token=token)
    assert (answer.status, answer.code) == (403, "access_denied")
    assert answer.details == {"path": PATH, "permission": "admin"}
    assert (await house.call("DELETE", f"/v1/secrets/{PATH}", token=token)).status == 200
    grant(house, ("app/*", {"admin"}))
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}?permanent=true", token=token)
    assert answer.status == 200


async def test_restore_brings_everything_back(house: House) -> None:
    await house.put(PATH, {"n": 1}, metadata={"a": 1}, options={"max_versions": 4})
    await house.put(PATH, {"n": 2}, secret_type="json")
    await house.read(PATH)
    before = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    await house.delete(PATH)
    house.clock.advance(DAY)
    answer = await house.call("POST", f"/v1/secrets/{PATH}/restore")
    assert answer.json == {**before, "updated_at": "2031-05-10T06:30:00.000000Z"}
    assert (await house.read(f"{PATH}?version=1")).json["data"] == {"n": 1}
    again = await house.call("POST", f"/v1/secrets/{PATH}/restore")
    assert (again.status, again.json["updated_at"]) == (200, answer.json["updated_at"])


@pytest.mark.parametrize(("late", "left"), [(-1, [1, 1, 1]), (0, [0, 0, 0])])
async def test_the_purge(house: House, late: int, left: list[int]) -> None:
    await house.put(PATH, {"n": 1})
    await house.read(PATH)
    await house.vault.flush()
    await house.delete(PATH)
    house.clock.advance(30 * DAY + late)
    await house.vault.upkeep.purge(house.vault.internal("purge"))
    assert await stored(house) == left


async def test_a_shorter_retention_can_be_set(tmp_path: Any) -> None:
    house = await House.opened(tmp_path / "vault", secrets__soft_delete_retention="1d")
    await house.put(PATH, {"n": 1})
    assert (await house.delete(PATH)).json["recoverable_until"] == "2031-05-10T06:30:00.000000Z"
    await house.close()
