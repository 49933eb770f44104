"""The job table, and its pause."""

from __future__ import annotations

from tests.support.house import House

JOBS = "/v1/system/jobs"


async def test_the_table(house: House) -> None:
    await house.run_jobs()
    body = (await house.get(JOBS)).json
    assert body["paused"] is False
    names = [job["name"] for job in body["jobs"]]
    assert names == sorted(names)
    assert {"purge", "rewrap", "checkpoint"} <= set(names)
    for job in body["jobs"]:
        assert set(job) == {"name", "last_run_at", "next_run_at", "last_status", "lag_seconds"}
    house.clock.advance(3_600_000_000)
    await house.run_jobs()
    (purge,) = [job for job in (await house.get(JOBS)).json["jobs"] if job["name"] == "purge"]
    assert purge["last_status"] == "ok"
    assert purge["last_run_at"] < purge["next_run_at"]
    (row, *_) = await house.rows(action="system_read")
    assert row["identity_id"] == "sa:root"


async def test_a_pause_holds_over_a_restart(house: House) -> None:
    assert (await house.call("POST", f"{JOBS}/pause")).json["paused"] is True
    assert (await house.get(JOBS)).json["paused"] is True
    await house.restart()
    await house.unseal()
    assert (await house.get(JOBS)).json["paused"] is True
    assert (await house.call("POST", f"{JOBS}/resume")).json["paused"] is False
    assert house.vault.jobs.paused is False
    rows = await house.rows(action="job_control", identity_id="sa:root")
    assert [row["extra_data"]["paused"] for row in rows] == [True, False]


async def test_a_replayed_pause_does_not_pause_again(house: House) -> None:
    key = {"idempotency-key": "k"}
    await house.call("POST", f"{JOBS}/pause", headers=key)
    await house.call("POST", f"{JOBS}/resume")
    again = await house.call("POST", f"{JOBS}/pause", headers=key)
    assert again.json["paused"] is True
    assert again.headers["idempotency-replayed"] == "true"
    assert (await house.get(JOBS)).json["paused"] is False
