"""Exports through the front door, and their files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from scaivault.clock import SECOND
from scaivault.system import offline
from tests.support.house import Answer, House

FILE: Final = {"type": "file"}


async def start(house: House, token: str = "", **body: Any) -> Answer:
    """POST of an export over everything, unless told otherwise."""
    sent = {"from": "2031-01-01", "to": "2040-01-01", "destination": FILE, **body}
    return await house.call("POST", "/v1/audit/export", sent, token=token)


async def run(house: House, after: int = 3 * SECOND) -> None:
    """What is due a little later."""
    await house.run_jobs()
    house.clock.advance(after)
    await house.run_jobs()


async def job(house: House, export_id: str) -> dict[str, Any]:
    answer = await house.get(f"/v1/audit/exports/{export_id}")
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json
    return found


async def exported(house: House, **body: Any) -> tuple[dict[str, Any], Path]:
    """A completed export: (job, its directory)."""
    started = await start(house, **body)
    assert started.status == 202, started.body
    await run(house)
    done = await job(house, started.json["export_id"])
    assert done["status"] == "completed", done
    return done, folder(house, done)


def folder(house: House, done: dict[str, Any]) -> Path:
    prefix = done["destination"].get("prefix", "")
    base: Path = house.path / "exports" / house.made["tenant_id"]
    return base / f"{prefix}{done['export_id']}"


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def verify(path: Path, **options: Any) -> dict[str, Any]:
    def never(_slots: Any) -> dict[str, Any]:
        raise AssertionError("no credential is needed")

    return offline.verify(path, credential=never, **options)


def kinds(report: dict[str, Any]) -> set[str]:
    return {problem["kind"] for problem in report["problems"]}


async def fill(house: House, rows: int = 5) -> None:
    for number in range(rows):
        assert (await house.put(f"app/s{number}", {"n": number})).status == 201
