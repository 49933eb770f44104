"""POST /v1/auth/introspect: what is told of a token, and of which nothing is."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE, instant
from scaivault.crypto import codes
from tests.support.house import House
from tests.support.people import MIRA, login, minted, token_id
from tests.support.rights import neighbour
from tests.support.tenants import found_partner, found_tenant, suspend

INACTIVE = b'{"active":false}'


async def introspect(house: House, text: str, token: str = "") -> Any:
    answer = await house.call("POST", "/v1/auth/introspect", {"token": text}, token=token)
    assert answer.status == 200, answer.body
    return answer


async def is_active(house: House, text: str, token: str = "") -> bool:
    answer = await introspect(house, text, token)
    if answer.body == INACTIVE:
        return False
    assert answer.json["active"] is True
    return True


async def test_a_live_one(house: House) -> None:
    text = await login(house)
    now = house.clock.now()
    house.clock.advance(MINUTE)
    assert (await introspect(house, text)).json == {
        "active": True,
        "identity_id": MIRA,
        "identity_type": "user",
        "tenant_id": house.made["tenant_id"],
        "scopes": ["secrets:list", "secrets:read"],
        "expires_at": instant(now + 90 * DAY),
        "issued_at": instant(now),
    }
    (row,) = await house.rows(action="auth_read")
    assert row["identity_id"] == "sa:root"
    assert row["extra_data"] == {"token_id": await token_id(house, text)}
    assert text not in str(await house.rows())


async def test_an_issued_one_until_it_ends(house: House) -> None:
    text = await house.client("app", ["secrets:read"])
    seen = (await introspect(house, text)).json
    assert (seen["identity_id"], seen["identity_type"]) == ("sa:app", "service_account")
    house.clock.advance(HOUR + MINUTE)
    assert not await is_active(house, text)


async def test_it_counts_as_no_use(house: House) -> None:
    text = await login(house)
    await introspect(house, text)
    house.clock.advance(2 * MINUTE)
    await house.run_jobs()
    listed = (await house.get(f"/v1/auth/tokens?identity_id={MIRA}")).json["tokens"]
    assert listed[0]["last_used_at"] is None


@pytest.mark.parametrize(
    "text",
    [
        "x", "skt_", "skt_" + "0" * 49, codes.token(codes.TOKEN, bytes(32)),
        codes.token(codes.CLIENT_SECRET, bytes(32)), "eyJhbGciOiJub25lIn0.e30.", "a.b.c", "é", " ",
        "\u0000", "[" * 4000 + ".x.y", "Bearer x", "x" * 16_384,
    ],
)  # fmt: skip
async def test_what_is_no_token(house: House, text: str) -> None:
    assert not await is_active(house, text)


async def test_what_is_no_text(house: House) -> None:
    for body in ({}, {"token": ""}, {"token": "x" * 16_385}, {"token": 7}, {"token": None}):
        answer = await house.call("POST", "/v1/auth/introspect", body)
        assert (answer.status, list(answer.details["fields"])) == (422, ["token"])


async def test_revoked_suspended_deleted(house: House) -> None:
    text = await login(house)
    child = await minted(house, text)
    for one in (text, child):
        assert await is_active(house, one)
    await house.call("DELETE", "/v1/auth/tokens/self", token=text)
    for one in (text, child):
        assert not await is_active(house, one)
    again = await minted(house, identity_id=MIRA)
    where = f"/v1/identity/users/{MIRA}"
    await house.call("PATCH", where, {"status": "SUSPENDED"})
    assert not await is_active(house, again)
    await house.call("PATCH", where, {"status": "ACTIVE"})
    last = await minted(house, identity_id=MIRA)
    assert await is_active(house, last)
    await house.call("DELETE", where)
    assert not await is_active(house, last)


async def test_of_a_suspended_tenant(house: House) -> None:
    tenant = await found_tenant(house, "near")
    text = await house.client("app", ["secrets:read"], tenant=tenant.id)
    assert await is_active(house, text)
    await suspend(house, "tenant", tenant.id)
    assert not await is_active(house, text)


async def test_of_tenants_out_of_reach(house: House) -> None:
    home = await login(house)
    near = await house.client("near", ["admin"], tenant=(await found_tenant(house, "near")).id)
    away = (await found_partner(house, "away")).id
    far = await neighbour(house, "partner_admin", away)
    plain = await house.client("plain", ["admin"])
    partner = await house.client("partner", ["admin"], ["partner_admin"])
    sees = {
        name: [await is_active(house, text, token) for text in (home, near, far)]
        for name, token in (("plain", plain), ("near", near), ("partner", partner), ("root", ""))
    }
    assert sees == {
        "plain": [True, False, False],
        "near": [False, True, False],
        "partner": [True, True, False],
        "root": [True, True, True],
    }


async def test_it_takes_admin(house: House) -> None:
    text = await login(house, scopes=["identity:admin", "identity:read"])
    body = {"token": text}
    answer = await house.call("POST", "/v1/auth/introspect", body, token=text)
    assert (answer.status, answer.details) == (403, {"required_scope": "admin"})


async def test_an_address_says_nothing_of_the_token(house: House) -> None:
    text = await login(house, ip_ranges=["192.0.2.0/24"])
    assert await is_active(house, text)
