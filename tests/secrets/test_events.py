"""What is announced of secrets."""

from __future__ import annotations

from typing import Any

from scaivault.clock import DAY
from tests.support.house import House

PATH = "app/db"


async def announced(house: House) -> list[tuple[str, dict[str, Any]]]:
    return [(event["event_type"], event["data"]) for event in await house.events()]


async def test_the_envelope(house: House) -> None:
    answer = await house.put(PATH, {})
    (event,) = await house.events()
    assert list(event) == [
        "event_id", "event_type", "timestamp", "tenant_id", "partner_id", "identity_id", "path",
        "data", "request_id",
    ]  # fmt: skip
    assert event["event_id"].startswith("evt_")
    assert event["timestamp"] == "2031-05-09T06:30:00.000000Z"
    assert event["tenant_id"] == house.made["tenant_id"]
    assert event["partner_id"] == house.made["partner_id"]
    assert (event["identity_id"], event["path"]) == ("sa:root", PATH)
    assert event["request_id"] == answer.headers["x-request-id"]


async def test_created_and_updated(house: House) -> None:
    await house.put(
        PATH, {}, secret_type="json", metadata={"tags": ["a"]}, options={"expires_in": "1h"}
    )
    await house.put(PATH, {})
    assert await announced(house) == [
        (
            "secret.created",
            {
                "version": 1,
                "secret_type": "json",
                "created_by": "sa:root",
                "tags": ["a"],
                "expires_at": "2031-05-09T07:30:00.000000Z",
            },
        ),
        (
            "secret.updated",
            {"old_version": 1, "new_version": 2, "updated_by": "sa:root", "is_rotation": False},
        ),
    ]


async def test_deleted_restored_and_gone(house: House) -> None:
    await house.put(PATH, {})
    await house.delete(PATH)
    await house.call("POST", f"/v1/secrets/{PATH}/restore")
    await house.delete(PATH, permanent="true")
    common = {"version_count": 1, "deleted_by": "sa:root"}
    assert (await announced(house))[1:] == [
        (
            "secret.deleted",
            {**common, "permanent": False, "recoverable_until": "2031-06-08T06:30:00.000000Z"},
        ),
        ("secret.restored", {"version": 1, "restored_by": "sa:root"}),
        ("secret.deleted", {**common, "permanent": True}),
    ]


async def test_a_version_delete_is_announced_only_where_the_current_one_changes(
    house: House,
) -> None:
    for n in (1, 2, 3):
        await house.put(PATH, {"n": n})
    count = len(await announced(house))
    await house.delete(PATH, version=1)
    assert len(await announced(house)) == count
    await house.delete(PATH, version=3)
    assert (await announced(house))[count:] == [
        (
            "secret.updated",
            {"old_version": 3, "new_version": 2, "updated_by": "sa:root", "is_rotation": False},
        )
    ]


async def test_the_purge(house: House) -> None:
    await house.put(PATH, {})
    await house.put("b", {})
    await house.delete(PATH)
    await house.delete("b")
    house.clock.advance(30 * DAY)
    await house.put("b", {})
    await house.vault.upkeep.purge(house.vault.internal("purge"))
    gone = {"version_count": 1, "deleted_by": "system:purge", "permanent": True}
    last = (await house.events())[4:]
    assert [(event["event_type"], event["path"]) for event in last] == [
        ("secret.deleted", "b"), ("secret.created", "b"), ("secret.deleted", PATH),
    ]  # fmt: skip
    assert [last[0]["data"], last[2]["data"]] == [gone, gone]


async def test_reads_refusals_and_a_restore_of_what_lives_announce_nothing(house: House) -> None:
    await house.put(PATH, {})
    await house.read(PATH)
    await house.get("/v1/secrets")
    await house.put(PATH, {}, options={"cas": 9})
    await house.delete("none")
    await house.call("POST", f"/v1/secrets/{PATH}/restore")
    assert len(await announced(house)) == 1


async def test_ids_rise_also_when_the_clock_goes_back(house: House) -> None:
    for n in range(5):
        await house.put(PATH, {"n": n})
        house.clock.advance(-DAY)
    ids = [event["event_id"] for event in await house.events()]
    versions = [event["data"].get("new_version", 1) for event in await house.events()]
    assert (ids, versions) == (sorted(set(ids)), [1, 2, 3, 4, 5])
