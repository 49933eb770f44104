"""Seal: who may, what drains, what is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.house import House


async def seal(house: House, **body: Any) -> Any:
    return await house.call("POST", "/v1/system/seal", body)


async def test_a_sealed_vault_answers_nothing(house: House) -> None:
    await house.put("a/b", {"x": 1})
    keyring = house.vault.keyring
    answer = await seal(house)
    assert answer.status == 200
    assert (answer.json["sealed"], answer.json["reason"]) == (True, "manual")
    assert answer.json["held"] is True
    for method, path in (
        ("GET", "/v1/secrets/a/b"),
        ("GET", "/v1/auth/whoami"),
        ("POST", "/v1/system/seal"),
        ("POST", "/v1/system/root-token"),
        ("GET", "/v1/system/slots"),
        ("GET", "/no/such/route"),
    ):
        refused = await house.call(method, path)
        assert (refused.status, refused.code) == (503, "sealed"), path
    for path in ("/v1/health", "/v1/version", "/v1/system/seal-status"):
        assert (await house.get(path, token=None)).status == 200
    assert keyring._root is not None
    with pytest.raises(Exception, match="wiped"):
        keyring._root.reveal()
    await house.unseal()
    assert (await house.read("a/b")).json["data"] == {"x": 1}
    (row,) = await house.rows(action="seal")
    assert row["extra_data"]["hold"] is True


async def test_without_hold(house: House) -> None:
    assert (await seal(house, hold=False)).json["held"] is False
    assert not (house.path / "seal.hold").exists()


@pytest.mark.parametrize("role", [None, "tenant_admin", "partner_admin"])
async def test_it_takes_a_super_admin_with_scope_admin(house: House, role: str | None) -> None:
    token = await house.client("app", ["admin"], [role] if role else None)
    answer = await house.call("POST", "/v1/system/seal", {}, token=token)
    assert (answer.code, answer.details["required_role"]) == ("forbidden", "super_admin")
    scopeless = await house.client("sup", ["secrets:read"], ["super_admin"])
    answer = await house.call("POST", "/v1/system/seal", {}, token=scopeless)
    assert (answer.code, answer.details["required_scope"]) == ("insufficient_scope", "admin")
    assert (await house.get("/v1/auth/whoami")).status == 200


async def test_requests_under_way_are_answered(house: House) -> None:
    calls = [house.put(f"a/{n}", {"n": n}) for n in range(20)]
    *writes, sealed = await asyncio.gather(*calls, seal(house))
    assert sealed.json["sealed"] is True
    await house.unseal()
    for n, write in enumerate(writes):
        assert write.status in (201, 503)
        found = await house.read(f"a/{n}")
        assert found.status == (200 if write.status == 201 else 404)


async def test_several_seals_at_once(house: House) -> None:
    async with asyncio.timeout(10):
        answers = await asyncio.gather(*(seal(house) for _ in range(4)))
    assert {answer.status for answer in answers} <= {200, 503}
    assert answers[0].json["sealed"] is True
    assert (await house.unseal()).status == 200


async def test_a_replayed_seal_closes_nothing(house: House) -> None:
    key = {"idempotency-key": "k"}
    first = await house.call("POST", "/v1/system/seal", {}, headers=key)
    assert first.json["sealed"] is True
    await house.unseal()
    again = await house.call("POST", "/v1/system/seal", {}, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == first.json
    assert (await house.get("/v1/auth/whoami")).status == 200
