"""Tokens that are none any more, or not any more of anybody: on every route."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import pytest

from scaivault.clock import HOUR, SECOND
from scaivault.http.routes import ROUTES
from tests.support.house import House
from tests.support.people import MIRA, login, minted, token_id

CLOSED = [route for route in ROUTES if not route.open]
WHERE = f"/v1/identity/users/{MIRA}"


async def revoked(house: House, token: str) -> str:
    await house.call("DELETE", f"/v1/auth/tokens/{await token_id(house, token)}")
    return token


async def of_a_revoked_one(house: House, token: str) -> str:
    child = await minted(house, token, scopes=["admin"])
    await revoked(house, token)
    return child


async def expired(house: House, token: str) -> str:
    short = await minted(house, identity_id=MIRA, scopes=["admin"], expires_in="1h")
    house.clock.advance(HOUR)
    del token
    return short


async def of_a_suspended_user(house: House, token: str) -> str:
    await house.call("PATCH", WHERE, {"status": "SUSPENDED"})
    return token


async def of_a_user_who_is_back(house: House, token: str) -> str:
    """What ended with the suspension does not come back with the user."""
    for status in ("SUSPENDED", "ACTIVE"):
        house.clock.advance(SECOND)
        await house.call("PATCH", WHERE, {"status": status})
    return token


async def of_a_deleted_user(house: House, token: str) -> str:
    await house.call("DELETE", WHERE)
    return token


async def of_revoked_access(house: House, token: str) -> str:
    answer = await house.call("POST", f"/v1/identity/user/{MIRA}/revoke-access", {})
    assert answer.status == 200
    return token


Ending = Callable[[House, str], Awaitable[str]]
DEAD: dict[Ending, str] = {
    revoked: "token_revoked",
    of_a_revoked_one: "token_revoked",
    expired: "token_expired",
    of_a_suspended_user: "token_revoked",
    of_a_user_who_is_back: "token_revoked",
    of_a_deleted_user: "token_revoked",
    of_revoked_access: "token_revoked",
}


@pytest.mark.parametrize("ended", DEAD, ids=lambda one: one.__name__)
async def test_every_route(house: House, ended: Ending) -> None:
    token = await login(house, scopes=["admin"])
    await house.call("PUT", f"{WHERE}/roles", {"roles": ["super_admin"]})
    assert (await house.get("/v1/auth/whoami", token=token)).status == 200
    dead = await ended(house, token)
    for route in CLOSED:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        answer = await house.call(route.method, path, {"x": 1}, token=dead)
        assert (answer.status, answer.code) == (401, DEAD[ended]), route.path
    rows = await house.rows(action="auth_failed")
    assert len(rows) == len(CLOSED)
    assert {row["extra_data"]["error_code"] for row in rows} == {DEAD[ended]}
    assert {row["identity_id"] for row in rows} == {None}
