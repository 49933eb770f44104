"""What is told of an end that comes near, and when."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE
from tests.support.house import House
from tests.support.tenants import found_tenant

PATH = "app/db"
START = "2031-05-09T06:30:00.000000Z"


async def announce(house: House) -> None:
    """One run of the job."""
    await house.vault.upkeep.announce(house.vault.internal("expiry"))


async def told(house: House) -> list[tuple[str, Any]]:
    """(threshold, days remaining), or ("expired", version)."""
    found: list[tuple[str, Any]] = []
    for event in await house.events():
        data = event["data"]
        if event["event_type"] == "secret.expiring":
            found.append((data["threshold"], data["days_remaining"]))
        elif event["event_type"] == "secret.expired":
            found.append(("expired", data["version"]))
    return found


async def test_each_threshold_once_and_then_the_end(house: House) -> None:
    await house.put(PATH, options={"expires_in": "31d"})
    expected: list[tuple[str, Any]] = []
    for day in range(34):
        for _ in range(3):
            await announce(house)
        expected += {1: [("30d", 30)], 24: [("7d", 7)], 30: [("1d", 1)], 31: [("expired", 1)]}.get(
            day, []
        )
        assert await told(house) == expected
        house.clock.advance(DAY)


async def test_the_events(house: House) -> None:
    await house.put(PATH, options={"expires_in": "2d", "notify_before": "36h, 90m"})
    house.clock.advance(12 * HOUR)
    await announce(house)
    house.clock.advance(2 * DAY)
    await announce(house)
    expiring, expired = (await house.events())[1:]
    ends = "2031-05-11T06:30:00.000000Z"
    assert expiring["event_type"] == "secret.expiring"
    assert expiring["data"] == {"expires_at": ends, "days_remaining": 2, "threshold": "36h"}
    assert expired["event_type"] == "secret.expired"
    assert expired["data"] == {"expires_at": ends, "version": 1}
    for event in (expiring, expired):
        assert (event["path"], event["identity_id"]) == (PATH, "system:expiry")
        assert event["tenant_id"] == house.made["tenant_id"]
        assert event["partner_id"] == house.made["partner_id"]


async def test_a_run_leaves_one_row_for_a_tenant_and_an_idle_one_none(house: House) -> None:
    for name in ("a", "b"):
        await house.put(name, options={"expires_in": "1h"})
    before = len(await house.rows())
    await announce(house)
    assert len(await house.rows()) == before
    house.clock.advance(HOUR)
    await announce(house)
    await announce(house)
    (row,) = (await house.rows())[before:]
    assert (row["action"], row["identity_id"], row["secret_path"]) == (
        "job_control", "system:expiry", None,
    )  # fmt: skip
    assert row["extra_data"] == {"job": "expiry", "events": 2}
    assert row["tenant_id"] == house.made["tenant_id"]


async def test_thresholds_that_were_past_at_the_start_are_not_told(house: House) -> None:
    await house.put(PATH, options={"expires_in": "5d"})
    await announce(house)
    assert await told(house) == []
    house.clock.advance(4 * DAY)
    await announce(house)
    assert await told(house) == [("1d", 1)]


async def test_after_a_pause_only_the_nearest_one(house: House) -> None:
    await house.put("near", options={"expires_in": "40d"})
    await house.put("over", options={"expires_in": "32d"})
    house.clock.advance(40 * DAY - HOUR)
    await announce(house)
    assert await told(house) == [("expired", 1), ("1d", 1)]
    house.clock.advance(HOUR)
    await announce(house)
    assert await told(house) == [("expired", 1), ("1d", 1), ("expired", 1)]


async def test_two_spellings_of_one_length_are_two_thresholds(house: House) -> None:
    await house.put(PATH, options={"expires_in": "3d", "notify_before": ["1d", "24h", "2d"]})
    house.clock.advance(2 * DAY)
    await announce(house)
    assert sorted(await told(house)) == [("1d", 1), ("24h", 1)]


async def test_without_thresholds_only_the_end(house: House) -> None:
    await house.put(PATH, options={"expires_in": "3d", "notify_before": []})
    for _ in range(5):
        await announce(house)
        house.clock.advance(DAY)
    assert await told(house) == [("expired", 1)]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_another_end_arms_the_warnings_anew(house: House, method: str) -> None:
    await house.put(PATH, options={"expires_in": "2d"})
    house.clock.advance(DAY)
    await announce(house)
    body: dict[str, Any] = {"options": {"expires_in": "8d"}}
    if method == "PUT":
        body["data"] = {}
    assert (await house.call(method, f"/v1/secrets/{PATH}", body)).status == 200
    for _ in range(10):
        await announce(house)
        house.clock.advance(DAY)
    version = 2 if method == "PUT" else 1
    assert await told(house) == [("1d", 1), ("7d", 7), ("1d", 1), ("expired", version)]


async def test_other_changes_repeat_and_lose_nothing(house: House) -> None:
    """A write or a PATCH that says nothing of the end, also while something is due."""
    await house.put(PATH, options={"expires_in": "8d"})
    house.clock.advance(DAY)
    await house.put(PATH)
    await announce(house)
    await house.call("PATCH", f"/v1/secrets/{PATH}", {"metadata": {"a": 1}})
    await announce(house)
    assert await told(house) == [("7d", 7)]


async def test_other_thresholds(house: House) -> None:
    target = f"/v1/secrets/{PATH}"
    await house.put(PATH, options={"expires_in": "8d"})
    house.clock.advance(DAY)
    await announce(house)
    await house.call("PATCH", target, {"options": {"notify_before": ["7d", "5d"]}})
    await announce(house)
    assert await told(house) == [("7d", 7)]
    house.clock.advance(2 * DAY)
    # 5d is due and not told yet: other thresholds do not lose it.
    await house.call("PATCH", target, {"options": {"notify_before": ["5d", "2d"]}})
    await announce(house)
    assert await told(house) == [("7d", 7), ("5d", 5)]
    await house.call("PATCH", target, {"options": {"notify_before": None}})
    house.clock.advance(5 * DAY)
    await announce(house)
    assert await told(house) == [("7d", 7), ("5d", 5), ("expired", 1)]


async def test_no_end_no_notice(house: House) -> None:
    await house.put(PATH, options={"expires_in": "8d"})
    await house.call("PATCH", f"/v1/secrets/{PATH}", {"options": {"expires_at": None}})
    house.clock.advance(9 * DAY)
    await announce(house)
    assert await told(house) == []


async def test_a_soft_delete_silences_and_a_restore_resumes(house: House) -> None:
    await house.put("near", options={"expires_in": "8d"})
    await house.put("over", options={"expires_in": "2d"})
    await house.delete("near")
    await house.delete("over")
    house.clock.advance(3 * DAY)
    await announce(house)
    assert await told(house) == []
    await house.call("POST", "/v1/secrets/near/restore")
    await house.call("POST", "/v1/secrets/over/restore")
    await announce(house)
    assert sorted(await told(house)) == [("7d", 5), ("expired", 1)]
    await house.delete("over")
    await house.call("POST", "/v1/secrets/over/restore")
    await announce(house)
    assert len(await told(house)) == 2


async def test_what_was_told_survives_a_restart_and_the_worker_does_it(house: House) -> None:
    await house.put(PATH, options={"expires_in": "2d"})
    await house.run_jobs()
    house.clock.advance(DAY)
    await house.run_jobs()
    assert await told(house) == [("1d", 1)]
    await house.restart()
    await house.unseal()
    for _ in range(2):
        house.clock.advance(MINUTE)
        await house.run_jobs()
    assert await told(house) == [("1d", 1)]
    await house.crash()
    house.clock.advance(2 * DAY)
    await house.unseal()
    await house.run_jobs()  # fixes when each job runs first
    house.clock.advance(MINUTE)
    await house.run_jobs()
    assert await told(house) == [("1d", 1), ("expired", 1)]


async def test_more_than_one_step_and_more_than_one_tenant(house: House) -> None:
    other = await found_tenant(house, "other")
    for n in range(120):
        await house.put(f"a{n}", options={"expires_in": "1h"})
        body = {"data": {}, "options": {"expires_in": "1h"}}
        await house.call("PUT", f"/v1/t/{other.id}/secrets/a{n}", body)
    house.clock.advance(HOUR)
    await house.run_jobs()  # fixes when each job runs first
    house.clock.advance(MINUTE)
    await house.run_jobs()
    expired = [e for e in await house.events() if e["event_type"] == "secret.expired"]
    assert len(expired) == 240
    assert {e["tenant_id"] for e in expired} == {other.id, house.made["tenant_id"]}


async def test_a_read_after_the_notice_is_as_fresh_as_before(house: House) -> None:
    await house.put(PATH, {"n": 1}, options={"expires_in": "2d"})
    await house.read(PATH)
    house.clock.advance(DAY)
    await announce(house)
    assert (await house.read(PATH)).json["data"] == {"n": 1}
    house.clock.advance(DAY)
    assert (await house.read(PATH)).code == "secret_expired"
