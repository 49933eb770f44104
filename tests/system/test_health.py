"""Probes: what they say of an open, sealed, failing and ending vault."""

from __future__ import annotations

from pathlib import Path

import pytest

from scaivault.clock import HOUR, MINUTE
from scaivault.system import health
from scaivault.system.build import Build
from tests.support.house import House

OK = {"database": "ok", "redis": "ok", "encryption": "ok"}
CLOSED = {"database": "error", "redis": "ok", "encryption": "error"}


async def test_the_process_runs_sealed_or_not(house: House) -> None:
    assert (await house.get("/v1/health", token=None)).json["status"] == "healthy"
    await house.restart()
    answer = await house.get("/v1/health", token=None)
    assert (answer.status, answer.json["status"]) == (200, "healthy")


async def test_an_open_vault_is_ready(house: House) -> None:
    answer = await house.get("/v1/health/ready", token=None)
    assert (answer.status, answer.json) == (200, {"status": "ready", "checks": OK})


async def test_a_sealed_vault_is_not_ready(house: House) -> None:
    await house.restart()
    answer = await house.get("/v1/health/ready", token=None)
    assert answer.status == 503
    assert answer.json == {
        "status": "not_ready",
        "checks": CLOSED,
        "errors": {"database": "sealed", "encryption": "sealed"},
    }


async def test_a_vault_never_set_up_is_not_ready(tmp_path: Path) -> None:
    house = House(tmp_path / "vault")
    try:
        answer = await house.get("/v1/health/ready", token=None)
    finally:
        await house.close()
    assert answer.status == 503
    assert answer.json["errors"] == {"database": "not_initialized", "encryption": "not_initialized"}


async def test_head_answers_without_a_body(house: House) -> None:
    answer = await house.call("HEAD", "/v1/health/ready", token=None)
    assert (answer.status, answer.body) == (200, b"")


async def test_a_draining_process_is_not_ready(house: House) -> None:
    house.app.system.draining = True
    answer = await house.get("/v1/health/ready", token=None)
    house.app.system.draining = False
    assert answer.status == 503
    assert answer.json["checks"] == OK
    assert answer.json["errors"] == {"server": "shutting down"}


async def test_too_little_space_is_not_ready(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault", storage__min_free="1000000GiB")
    try:
        answer = await house.get("/v1/health/ready", token=None)
    finally:
        await house.close()
    assert answer.status == 503
    assert answer.json["checks"]["database"] == "error"
    assert "storage.min_free" in answer.json["errors"]["database"]


async def test_a_failed_commit_is_not_ready_until_one_succeeds(house: House) -> None:
    house.vault.database.failing = "disk_full"
    answer = await house.get("/v1/health/ready", token=None)
    assert answer.status == 503
    assert answer.json["errors"] == {"database": "the last commit failed: disk_full"}
    house.clock.advance(2_000_000)
    assert (await house.get("/v1/health/ready", token=None)).status == 200
    assert house.vault.database.failing is None


async def test_the_detailed_state_takes_the_scope_admin(house: House) -> None:
    assert (await house.get("/v1/health/detailed", token=None)).status == 401
    reader = await house.client("reader", ["secrets:read"])
    assert (await house.get("/v1/health/detailed", token=reader)).code == "insufficient_scope"


async def test_the_detailed_state(house: House) -> None:
    house.clock.advance(HOUR // 60)
    state = (await house.get("/v1/health/detailed")).json
    assert state["status"] == "healthy"
    assert state["uptime_seconds"] == 60
    checks = state["checks"]
    assert checks["database"]["status"] == "ok"
    assert (checks["database"]["pool_size"], checks["database"]["pool_available"]) == (4, 4)
    assert checks["encryption"] == {"status": "ok", "key_status": "active", "last_rotation": None}
    assert checks["s3"] == {"status": "not_configured", "latency_ms": None}
    assert checks["audit"]["last_seq"] > 0
    assert checks["disk"]["free_bytes"] > 0
    assert checks["clock"] == {"status": "ok"}
    (row,) = await house.rows(action="system_read")
    assert row["success"] is True


async def test_a_key_rotation_shows(house: House) -> None:
    await house.put("a/b", {"x": 1})
    tenant = house.made["tenant_id"]
    assert (await house.call("POST", f"/v1/system/tenants/{tenant}/rotate-key")).status == 202
    encryption = (await house.get("/v1/health/detailed")).json["checks"]["encryption"]
    assert encryption["key_status"] == "rotating"
    assert encryption["last_rotation"] == "2031-05-09T06:30:00.000000Z"


async def test_a_clock_set_back_shows(house: House) -> None:
    house.clock.advance(-6 * MINUTE)
    state = (await house.get("/v1/health/detailed", token=house.token)).json
    assert state["checks"]["clock"] == {"status": "error"}
    assert state["status"] == "unhealthy"


async def test_paused_jobs_show(house: House) -> None:
    assert (await house.call("POST", "/v1/system/jobs/pause")).status == 200
    state = (await house.get("/v1/health/detailed")).json
    assert state["checks"]["worker"]["paused"] is True
    assert state["status"] == "degraded"


async def test_the_version_names_the_build(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = (await house.get("/v1/version", token=None)).json
    assert (answer["api_version"], answer["commit"], answer["built_at"]) == ("v1", None, None)
    monkeypatch.setattr(health, "BUILD", Build("abc123", "2031-01-01T00:00:00Z"))
    answer = (await house.get("/v1/version", token=None)).json
    assert (answer["commit"], answer["built_at"]) == ("abc123", "2031-01-01T00:00:00Z")
