"""Which of several faults is told: the checks stand in one order."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.house import House
from tests.support.rights import SCOPES, grant, neighbour


async def test_each_fault_hides_those_behind_it(tmp_path: Path) -> None:
    """One bad request, mended step by step; each answer is that of the next check."""
    house = await House.opened(tmp_path / "vault", rate_limits__secrets_write=3)
    own = house.made["tenant_id"]
    foreign = await neighbour(house, "partner_admin")
    reader = await house.client("reader", ["secrets:read"])
    writer = await house.client("writer", SCOPES)
    fresh = await house.client("fresh", SCOPES)

    async def call(method: str, target: str, token: str | None, body: Any, **headers: str) -> str:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        answer = await house.call(method, target, body, token=token, headers=named)
        return answer.code if answer.status >= 400 else str(answer.status)

    bad: dict[str, Any] = {"x": 1}
    good = {"data": {}, "options": {"cas": 3}}
    target = "/v1/secrets/A"
    assert await call("PUT", "/v1/nothing", None, bad) == "not_found"
    assert await call("POST", "/v1/secrets/a", None, bad) == "method_not_allowed"
    assert await call("PUT", target, None, bad, X_Tenant_ID="tnt_x") == "authentication_required"
    for _ in range(3):
        assert await call("PUT", target, reader, bad, X_Tenant_ID="tnt_x") == "tenant_access_denied"
    assert await call("PUT", target, reader, bad, X_Tenant_ID="tnt_x") == "rate_limited"
    house.clock.advance(60_000_000)
    assert await call("PUT", target, foreign, bad, X_Tenant_ID="tnt_x") == "tenant_not_found"
    assert await call("PUT", target, reader, bad, X_Tenant_ID=own) == "insufficient_scope"
    assert await call("PUT", target, writer, bad) == "invalid_path"
    assert await call("PUT", "/v1/secrets/a", writer, bad) == "validation_error"
    assert await call("PUT", "/v1/secrets/a", writer, good) == "access_denied"
    grant(house, ("**", {"write", "delete", "read"}))
    assert await call("PUT", "/v1/secrets/a", fresh, good) == "version_conflict"
    assert await call("PUT", "/v1/secrets/a", fresh, {"data": {}}) == "201"
    await house.close()


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/v1/secrets"), ("PUT", "/v1/secrets/a"), ("GET", "/v1/nothing"),
        ("POST", "/v1/secrets/a"), ("POST", "/v1/health"), ("POST", "/v1/system/seal"),
        ("GET", "/v1/auth/config"), ("POST", "/oauth/token"), ("GET", "/.well-known/jwks.json"),
        ("POST", "/v1/system/root-token"), ("GET", "/v1/openapi.json"), ("POST", "/v1/auth/token"),
    ],
)  # fmt: skip
async def test_a_sealed_vault_says_nothing_else(
    house: House, tmp_path: Path, method: str, target: str
) -> None:
    await house.restart()
    answer = await house.call(method, target, {"x": 1})
    assert (answer.status, answer.code) == (503, "sealed")
    unmade = House(tmp_path / "unmade")
    answer = await unmade.call(method, target, {"x": 1}, token=None)
    assert (answer.status, answer.code) == (503, "not_initialized")
    await unmade.close()


@pytest.mark.parametrize(
    ("target", "status"),
    [("/v1/health", 200), ("/v1/health/ready", 503), ("/v1/version", 200),
     ("/v1/system/seal-status", 200)],
)  # fmt: skip
async def test_what_answers_while_sealed(house: House, target: str, status: int) -> None:
    await house.restart()
    assert (await house.get(target, token=None)).status == status


async def test_what_was_refused_while_sealed_left_no_row(house: House) -> None:
    before = len(await house.rows())
    await house.restart()
    await house.get("/v1/secrets")
    await house.get("/v1/nothing")
    await house.unseal()
    later = [row["action"] for row in (await house.rows())[before:]]
    assert "list" not in later
