"""The worker: what is due, one run at a time, failures, pause."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, instant
from scaivault.errors import Refusal
from scaivault.identity.store import tokens as tokens_store
from scaivault.storage.failures import StorageFailed
from scaivault.worker.jobs import JOBS, Job
from scaivault.worker.loop import Worker
from tests.support.house import House


def worker(house: House, work: Callable[..., Any], **more: Any) -> Worker:
    job = Job("test", "purge", work, lambda _: MINUTE, **more)
    return Worker([job], lambda: house.app.system.vault, house.settings, house.clock)


async def run(of: Worker) -> int:
    due = of.due()
    for job, vault in due:
        await of.once(job, vault)
    return len(due)


async def test_every_minute(house: House) -> None:
    callers = []

    async def work(_vault: Any, caller: Any) -> None:
        callers.append(caller.identity_id)

    own = worker(house, work)
    assert await run(own) == 0
    house.clock.advance(MINUTE - 1)
    assert await run(own) == 0
    house.clock.advance(1)
    assert await run(own) == 1
    assert await run(own) == 0
    house.clock.advance(MINUTE)
    assert await run(own) == 1
    assert callers == ["system:purge"] * 2
    assert own.counts == {("test", "ok"): 2}


async def test_one_run_at_a_time(house: House) -> None:
    go_on = asyncio.Event()

    async def work(_vault: Any, _caller: Any) -> None:
        await go_on.wait()

    own = worker(house, work)
    own.due()
    house.clock.advance(MINUTE)
    ((job, vault),) = own.due()
    running = asyncio.create_task(own.once(job, vault))
    house.clock.advance(10 * MINUTE)
    assert own.due() == []
    go_on.set()
    await running
    house.clock.advance(MINUTE)
    assert len(own.due()) == 1


async def test_a_failing_job_is_told_and_tried_again(house: House) -> None:
    async def work(_vault: Any, _caller: Any) -> None:
        raise ValueError("never mind")

    own = worker(house, work)
    await run(own)
    for _ in range(2):
        house.clock.advance(MINUTE)
        assert await run(own) == 1
    assert house.vault.jobs.runs["test"].status == "failed"
    assert own.counts == {("test", "failed"): 2}
    assert (await house.get("/v1/auth/whoami")).status == 200


async def test_a_job_that_is_due_early_does_not_wait_for_its_time(house: House) -> None:
    """But for its period, once it failed: what fails is not tried every second."""
    wanted, failing = False, False

    async def work(_vault: Any, _caller: Any) -> None:
        nonlocal wanted
        if failing:
            raise ValueError("never mind")
        wanted = False

    own = worker(house, work, early=lambda _: wanted)
    assert await run(own) == 0
    wanted = True
    assert await run(own) == 1
    assert await run(own) == 0
    wanted = failing = True
    assert await run(own) == 1
    assert await run(own) == 0
    house.clock.advance(MINUTE)
    assert await run(own) == 1


async def test_counts_of_many_secrets_do_not_wait_for_the_minute(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(house.vault.facts.access, "_most", 3)
    flush = Worker(
        [job for job in JOBS if job.name == "flush"],
        lambda: house.app.system.vault,
        house.settings,
        house.clock,
    )
    for n in range(3):
        assert await run(flush) == 0
        await house.put(f"app/s{n}", {})
        await house.read(f"app/s{n}")
        await house.read(f"app/s{n}")
    assert await run(flush) == 1
    assert await run(flush) == 0
    await house.crash()
    await house.unseal()
    told = [(await house.get(f"/v1/secrets/metadata/app/s{n}")).json for n in range(3)]
    assert [one["access_count_30d"] for one in told] == [2, 2, 2]


async def test_a_pause_stops_outward_jobs_only(house: House) -> None:
    async def work(_vault: Any, _caller: Any) -> None: ...

    await house.call("POST", "/v1/system/jobs/pause")
    for outward, expected in ((True, 0), (False, 1)):
        house.vault.jobs.runs.pop("test", None)
        own = worker(house, work, outward=outward)
        await run(own)
        house.clock.advance(MINUTE)
        assert await run(own) == expected


async def test_nothing_is_due_while_sealed(house: House) -> None:
    async def work(_vault: Any, _caller: Any) -> None: ...

    own = worker(house, work)
    await run(own)
    house.clock.advance(MINUTE)
    await house.call("POST", "/v1/system/seal", {})
    assert own.due() == []


async def test_a_clock_set_back_delays_by_no_more_than_a_period(house: House) -> None:
    async def work(_vault: Any, _caller: Any) -> None: ...

    own = worker(house, work)
    await run(own)
    house.clock.advance(-3600 * SECOND)
    assert await run(own) == 0
    house.clock.advance(MINUTE)
    assert await run(own) == 1


async def test_a_kept_job_knows_its_last_run_after_a_restart(house: House) -> None:
    async def work(_vault: Any, _caller: Any) -> None: ...

    own = worker(house, work, kept=True)
    await run(own)
    house.clock.advance(MINUTE)
    await run(own)
    await house.restart()
    await house.unseal()
    house.clock.advance(MINUTE - 1)
    own = worker(house, work, kept=True)
    assert await run(own) == 0
    house.clock.advance(1)
    assert await run(own) == 1


async def test_the_loop_finishes_what_runs_when_it_is_cancelled(house: House) -> None:
    started, done = asyncio.Event(), []

    async def work(_vault: Any, _caller: Any) -> None:
        started.set()
        await asyncio.sleep(0)
        done.append(1)

    own = worker(house, work)
    own.due()
    house.clock.advance(MINUTE)
    task = asyncio.create_task(own.run())
    await started.wait()
    task.cancel()
    await task
    assert done == [1]


async def test_ended_tokens_and_answers_are_forgotten(house: House) -> None:
    await house.client("app", ["secrets:read"])
    await house.call("PUT", "/v1/secrets/a/b", {"data": {}}, headers={"idempotency-key": "k"})
    await house.run_jobs()

    async def counts() -> list[int]:
        def ask(db: Any) -> list[int]:
            tables = ("token WHERE kind <> 'personal_access_token'", "kept_answer", "outbox")
            return [db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables]

        return await house.vault.gate.ask(ask)

    assert await counts() == [1, 1, 1]
    house.clock.advance(8 * 86_400 * SECOND)
    await house.run_jobs()
    assert await counts() == [0, 0, 0]
    rows = await house.rows(action="job_control", identity_id="system:expiry")
    assert len(rows) == 1
    house.clock.advance(3600 * SECOND)
    await house.run_jobs()
    assert len(await house.rows(action="job_control", identity_id="system:expiry")) == 1


async def test_when_a_secret_was_last_read_is_told_however_long_ago_that_was(
    house: House,
) -> None:
    await house.put("app/db")
    for _ in range(2):
        read_at = house.clock.now()
        await house.read("app/db")
        await house.run_jobs()
        house.clock.advance(DAY)
    await house.vault.flush()
    house.clock.advance(70 * DAY)
    await house.run_jobs()
    (days,) = await house.vault.gate.ask(
        lambda db: db.execute("SELECT count(*) FROM secret_access").fetchone()
    )
    assert days == 1
    await house.restart()
    await house.unseal()
    told = (await house.get("/v1/secrets/metadata/app/db")).json
    assert (told["last_accessed_at"], told["access_count_30d"]) == (instant(read_at), 0)


async def test_when_an_account_was_last_seen_is_told_after_its_token_is_forgotten(
    house: House,
) -> None:
    token = await house.client("app", ["secrets:read"])
    seen_at = house.clock.now() // MINUTE * MINUTE
    await house.get("/v1/auth/whoami", token=token)
    house.clock.advance(HOUR)
    await house.run_jobs()
    house.clock.advance(2 * DAY)
    await house.run_jobs()
    (tokens,) = await house.vault.gate.ask(
        lambda db: db.execute("SELECT count(*) FROM token WHERE identity_id = 'sa:app'").fetchone()
    )
    assert tokens == 0
    told = (await house.get("/v1/identity/service-accounts/sa:app")).json
    assert told["last_seen_at"] == instant(seen_at)


async def test_a_use_of_a_token_is_written_down_after_a_flush_that_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.vault.flush()
    used_at = house.clock.now() // MINUTE * MINUTE
    token = await house.client("app", ["secrets:read"])
    await house.get("/v1/auth/whoami", token=token)

    def failing(*_: Any) -> None:
        raise StorageFailed("io")

    with monkeypatch.context() as patch:
        patch.setattr(tokens_store, "used", failing)
        with pytest.raises(Refusal):
            await house.vault.flush()
    await house.vault.flush()
    told = (await house.get("/v1/identity/service-accounts/sa:app")).json
    assert told["last_seen_at"] == instant(used_at)
