"""How a job ends when something else goes wrong in its last moments, or beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from scaivault.audit import export_files, export_run
from scaivault.audit.destinations import file
from scaivault.audit.export_run import ExportRun
from scaivault.clock import MINUTE, SECOND
from scaivault.storage.failures import StorageFailed
from tests.audit.exporting import exported, fill, folder, job, run, start, verify
from tests.support.house import House


class Killed(BaseException):
    """As the end of the process."""


async def test_a_crash_behind_the_last_file_begins_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(house)
    started = await start(house)

    async def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(ExportRun, "_end", killed)
    with pytest.raises(Killed):
        await run(house)
    monkeypatch.undo()
    found = await job(house, started.json["export_id"])
    assert found["status"] == "running"
    path = folder(house, found)
    assert (path / "manifest.json").exists()
    await house.crash()
    await house.unseal()
    await run(house)
    done = await job(house, started.json["export_id"])
    assert (done["status"], done["error"]) == ("completed", None)
    assert verify(path)["valid"]
    assert verify(path)["rows_checked"] == done["records"]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    assert len(await house.rows(action="export_run")) == 1


async def test_nothing_is_left_where_the_right_is_lost_after_a_crash(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.client("exporter", ["audit:export"], ["tenant_admin"])
    started = await start(house, token)
    assert started.status == 202

    async def killed(*_: Any) -> None:
        raise Killed

    # As if in the middle: its own end removes the draft, a killed process does not.
    monkeypatch.setattr(export_files, "write_manifest", killed)
    monkeypatch.setattr(file, "_discard", lambda *_: None)
    with pytest.raises(Killed):
        await run(house)
    monkeypatch.undo()
    accounts = f"/v1/identity/tenants/{house.made['tenant_id']}/service-accounts"
    found = (await house.get(accounts)).json["service_accounts"]
    account = next(one["id"] for one in found if one["identity_id"] == "sa:exporter")
    await house.crash()
    await house.unseal()
    where = f"/v1/identity/service-accounts/{account}"
    assert (await house.call("DELETE", where)).status == 204
    base = house.path / "exports" / house.made["tenant_id"]
    assert len(list(base.iterdir())) == 1
    await run(house)
    done = await job(house, started.json["export_id"])
    assert (done["status"], done["error"]["code"]) == ("failed", "access_denied")
    assert list(base.iterdir()) == []


async def test_a_job_is_not_begun_twice_because_the_other_failed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(house)
    failing = (await start(house)).json["export_id"]
    slow = (await start(house)).json["export_id"]
    whole, begun = ExportRun._export, []
    both, release = asyncio.Event(), asyncio.Event()

    async def export(self: ExportRun, task: Any, *others: Any) -> Any:
        begun.append(task.id)
        if task.id == failing and begun.count(failing) == 1:
            await both.wait()
            raise StorageFailed("io")
        if task.id == slow and begun.count(slow) == 1:
            both.set()
            await release.wait()
        return await whole(self, task, *others)

    monkeypatch.setattr(ExportRun, "_export", export)
    await house.run_jobs()
    house.clock.advance(3 * SECOND)
    first = asyncio.create_task(house.run_jobs())
    await both.wait()
    for _ in range(5):
        house.clock.advance(3 * SECOND)
        await house.run_jobs()
    release.set()
    await first
    await run(house)
    assert (begun.count(failing), begun.count(slow)) == (2, 1)
    for one in (failing, slow):
        done = await job(house, one)
        assert done["status"] == "completed", done
        assert verify(folder(house, done))["valid"]


async def test_times_are_told_in_one_form(house: House) -> None:
    wanted = {"from": "2031-05-09T08:00:00+02:00", "to": "2040-01-01"}
    done, path = await exported(house, **wanted)
    told = {"from": "2031-05-09T06:00:00.000000Z", "to": "2040-01-01T00:00:00.000000Z"}
    for shown in (done, done["manifest"]):
        assert {name: shown[name] for name in told} == told
    assert (await house.get("/v1/audit/exports")).json["exports"][0]["to"] == told["to"]
    assert verify(path)["valid"]


async def test_files_leave_the_vault_its_room(tmp_path: Path) -> None:
    house = await House.opened(
        tmp_path / "data", storage__min_free="900000GiB", audit__archive__type="file"
    )
    await house.run_jobs()
    await fill(house)
    started = await start(house)
    for _ in range(8):
        await run(house, 31 * MINUTE)
    done = await job(house, started.json["export_id"])
    assert (done["status"], done["error"]["reason"]) == ("failed", "storage")
    assert "storage.min_free" in done["error"]["message"]
    assert list(folder(house, done).parent.iterdir()) == []
    assert not [path for path in (house.path / "archive").iterdir() if path.stat().st_size]
    assert (await house.read("app/s1")).status == 200
    await house.close()


async def test_a_second_job_begins_beside_a_long_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_run, "LOOK", 0.01)
    whole, begun, release, ended = ExportRun._export, asyncio.Event(), asyncio.Event(), set()
    end = ExportRun._end
    other = asyncio.Event()
    long = (await start(house)).json["export_id"]

    async def export(self: ExportRun, task: Any, *others: Any) -> Any:
        if task.id == long:
            begun.set()
            await release.wait()
        return await whole(self, task, *others)

    async def finish(self: ExportRun, own: Any, task: Any, *others: Any) -> None:
        await end(self, own, task, *others)
        ended.add(task.id)
        other.set()

    monkeypatch.setattr(ExportRun, "_export", export)
    monkeypatch.setattr(ExportRun, "_end", finish)
    await house.run_jobs()
    house.clock.advance(3 * SECOND)
    running = asyncio.create_task(house.run_jobs())
    await begun.wait()
    quick = (await start(house)).json["export_id"]
    third = (await start(house)).json["export_id"]
    async with asyncio.timeout(30):
        while len(ended) < 2:
            await other.wait()
            other.clear()
    assert ended == {quick, third}
    assert (await job(house, long))["status"] == "running"
    release.set()
    await running
    assert (await job(house, long))["status"] == "completed"
