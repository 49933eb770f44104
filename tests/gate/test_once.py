"""Idempotency keys through the front door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import Answer, House

KEY = {"idempotency-key": "key-1"}


async def put(house: House, data: Any, **more: Any) -> Answer:
    return await house.call("PUT", "/v1/secrets/a/b", {"data": data}, headers=KEY, **more)


async def test_the_first_answer_again(house: House) -> None:
    first = await put(house, {"x": 1})
    again = await put(house, {"x": 1})
    assert (first.status, again.status) == (201, 201)
    assert first.body == again.body
    assert first.headers["etag"] == again.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    rows = await house.rows(action="write")
    assert [row["extra_data"].get("replayed") for row in rows] == [None, True]
    assert (await house.read("a/b")).json["version"] == 1


async def test_another_body_is_a_conflict_and_spoils_nothing(house: House) -> None:
    await put(house, {"x": 1})
    for _ in range(2):
        other = await put(house, {"x": 2})
        assert (other.status, other.code) == (409, "idempotency_conflict")
        assert other.details == {"reason": "body_mismatch"}
    assert (await put(house, {"x": 1})).headers["idempotency-replayed"] == "true"


async def test_it_holds_over_a_crash_and_ends_after_a_day(house: House) -> None:
    await put(house, {"x": 1})
    await house.crash()
    await house.unseal()
    house.clock.advance(DAY - 1)
    assert (await put(house, {"x": 1})).headers["idempotency-replayed"] == "true"
    house.clock.advance(1)
    assert (await put(house, {"x": 1})).json["version"] == 2


async def test_refusals_of_state_are_kept_and_those_of_rights_are_not(house: House) -> None:
    body = {"data": {}, "options": {"cas": 7}}
    for replayed in (None, "true"):
        answer = await house.call("PUT", "/v1/secrets/c/d", body, headers=KEY)
        assert (answer.status, answer.code) == (409, "version_conflict")
        assert answer.headers.get("idempotency-replayed") == replayed
    token = await house.client("app", ["secrets:write"])
    assert (await put(house, {"x": 1}, token=token)).code == "access_denied"
    roles = "/v1/identity/service-accounts/sa:app/roles"
    await house.call("PUT", roles, {"roles": ["tenant_admin"]})
    granted = await put(house, {"x": 1}, token=token)
    assert (granted.status, granted.json["version"]) == (201, 1)
    await house.call("PUT", roles, {"roles": []})
    assert (await put(house, {"x": 1}, token=token)).code == "access_denied"


async def test_twenty_at_once_write_once(house: House) -> None:
    answers = await asyncio.gather(*(put(house, {"x": 1}) for _ in range(20)))
    assert len({answer.body for answer in answers}) == 1
    assert (await house.read("a/b")).json["version"] == 1


async def test_a_key_is_of_one_identity_method_and_path(house: House) -> None:
    await put(house, {"x": 1})
    other = await house.call("PUT", "/v1/secrets/a/c", {"data": {"x": 1}}, headers=KEY)
    assert "idempotency-replayed" not in other.headers
    token = await house.client("app", ["secrets:write"], ["tenant_admin"])
    assert (await put(house, {"x": 1}, token=token)).json["version"] == 2


@pytest.mark.parametrize("key", ["", "a b", "ä", "k" * 256])
async def test_keys_that_are_none(house: House, key: str) -> None:
    answer = await house.call(
        "PUT", "/v1/secrets/a/b", {"data": {}}, headers={"idempotency-key": key}
    )
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_what_is_kept_is_sealed(house: House) -> None:
    await house.call(
        "PUT", "/v1/secrets/a/b", {"data": {}, "metadata": {"m": "canary-7"}}, headers=KEY
    )
    (kept,) = await house.vault.gate.ask(
        lambda db: db.execute("SELECT answer, body_hash FROM kept_answer").fetchall()
    )
    assert b"canary-7" not in kept[0] + kept[1]
