"""Killed while an export is written: it begins anew by itself, and holds each row once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.audit.exporting import lines, verify
from tests.support.process import Server, until

# Stands still at one step, and leaves a sign that it was reached.
PROGRAM = """
import asyncio, pathlib
from scaivault.audit import export_files, export_run
from scaivault.cli.main import scaivault

async def stand_still(*_):
    pathlib.Path({sign!r}).touch()
    await asyncio.Event().wait()

{step} = stand_still
scaivault()
"""
EVERYTHING = {"from": "2020-01-01", "to": "2099-01-01", "destination": {"type": "file"}}


@pytest.mark.parametrize(
    "step",
    [
        "export_files._Writing.chain",  # the parts are there, as a draft
        "export_files.write_manifest",
        "export_run.ExportRun._end",  # all is there but the word that it is
    ],
)
def test_killed_in_the_middle(server: Server, tmp_path: Path, step: str) -> None:
    sign, program = tmp_path / "reached", tmp_path / "program.py"
    program.write_text(PROGRAM.format(sign=str(sign), step=step))
    server.program = program
    server.founded()
    for number in range(30):
        assert server.put(f"app/s{number}", {"n": number}).status == 201
    started = server.call("POST", "/v1/audit/export", EVERYTHING)
    assert started.status == 202
    until(sign.exists, "the export is at its step")
    server.kill()
    server.program = None
    server.reopened()
    where = f"/v1/audit/exports/{started.json['export_id']}"

    def ended() -> Any:
        job = server.call("GET", where).json
        return job if job["status"] in ("completed", "failed") else None

    job = until(ended, "the export ends")
    assert (job["status"], job["error"]) == ("completed", None)
    folder = server.data / "exports" / server.made["tenant_id"] / job["export_id"]
    assert [entry.name for entry in folder.parent.iterdir()] == [folder.name]
    rows = lines(folder / "part-00001.jsonl")
    logs = server.call("GET", "/v1/audit/logs?order=asc&limit=1000").json["logs"]
    request = started.headers["x-request-id"]
    before = next(place for place, row in enumerate(logs) if row["request_id"] == request)
    assert rows == logs[:before]
    assert verify(folder)["valid"]
