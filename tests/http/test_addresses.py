"""Tokens that are bound to addresses: from elsewhere they do nothing, on no route."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from scaivault.http.routes import ROUTES, Route
from tests.support.house import Answer, House
from tests.support.people import MIRA, login, mint, minted, person, token_id

HOME, ELSEWHERE = ("192.0.2.7", 1), ("198.51.100.9", 1)
CLOSED = [route for route in ROUTES if not route.open]


async def whoami(house: House, token: str, source: str | None) -> Answer:
    client = None if source is None else (source, 1)
    return await house.get("/v1/auth/whoami", token=token, client=client)


async def test_every_route(house: House) -> None:
    token = await login(house, scopes=["admin"], ip_ranges=["192.0.2.0/24"])
    roles = f"/v1/identity/users/{MIRA}/roles"
    assert (await house.call("PUT", roles, {"roles": ["super_admin"]})).status == 200
    for route in CLOSED:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        body = {"paths": ["x"]} if "batch" in path else {"x": 1}
        answer = await house.call(route.method, path, body, token=token, client=ELSEWHERE)
        assert (answer.status, answer.code) == (403, "ip_not_allowed"), route.path
        rows = await house.rows(request_id=answer.headers["x-request-id"])
        if not route.unrecorded:
            assert [(row["action"], row["identity_id"]) for row in rows] == [(route.action, MIRA)]
            assert rows[0]["source_ip"] == ELSEWHERE[0]
            assert rows[0]["extra_data"] == {"error_code": "ip_not_allowed"}
    assert (await whoami(house, token, HOME[0])).status == 200
    assert (await whoami(house, token, ELSEWHERE[0])).status == 403


@pytest.mark.parametrize("route", [one for one in CLOSED if one.tenant][:3], ids=str)
async def test_with_a_tenant_in_front(house: House, route: Route) -> None:
    token = await login(house, scopes=["admin"], ip_ranges=["192.0.2.0/24"])
    path = re.sub(r"\{[^}]*\}", "x", route.path).removeprefix("/v1")
    where = f"/v1/t/{house.made['tenant_id']}{path}"
    answer = await house.call(route.method, where, token=token, client=ELSEWHERE)
    assert answer.code == "ip_not_allowed"


RANGES = [
    ("192.0.2.0/24", "192.0.2.0", True), ("192.0.2.0/24", "192.0.2.255", True),
    ("192.0.2.0/24", "192.0.3.0", False), ("192.0.2.0/24", "192.0.1.255", False),
    ("192.0.2.7", "192.0.2.7", True), ("192.0.2.7", "192.0.2.8", False),
    ("192.0.2.0/24", "::ffff:192.0.2.9", True), ("192.0.2.0/24", "::ffff:c000:209", True),
    ("::ffff:192.0.2.0/120", "192.0.2.9", True), ("192.0.2.0/24", "::192.0.2.9", False),
    ("2001:db8::/32", "2001:db8:1::1", True), ("2001:db8::/32", "2001:db9::1", False),
    ("fe80::/10", "fe80::1%eth0", True), ("::/0", "192.0.2.9", False), ("0.0.0.0/0", "::1", False),
    ("0.0.0.0/0", "192.0.2.9", True), ("0.0.0.0/0", None, False), ("::/0", None, False),
]  # fmt: skip


async def test_ranges(house: House) -> None:
    await person(house)
    for allowed, source, fits in RANGES:
        token = await minted(house, identity_id=MIRA, ip_ranges=[allowed])
        answer = await whoami(house, token, source)
        assert answer.status == (200 if fits else 403), (allowed, source)
    several = await minted(house, identity_id=MIRA, ip_ranges=["10.0.0.0/8", "2001:db8::/32"])
    for source, status in (("10.1.1.1", 200), ("2001:db8::1", 200), ("192.0.2.7", 403)):
        assert (await whoami(house, several, source)).status == status


FORGED = [
    {"x-forwarded-for": "192.0.2.7"}, {"forwarded": "for=192.0.2.7"}, {"x-real-ip": "192.0.2.7"},
    {"x-forwarded-for": "192.0.2.7, 192.0.2.7", "forwarded": "for=192.0.2.7"},
    {"x-client-ip": "192.0.2.7"}, {"true-client-ip": "192.0.2.7"}, {"via": "192.0.2.7"},
]  # fmt: skip


@pytest.mark.parametrize("headers", FORGED)
async def test_forged_forwarding_headers(house: House, headers: dict[str, str]) -> None:
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    answer = await house.get("/v1/auth/whoami", token=token, client=ELSEWHERE, headers=headers)
    assert (answer.status, answer.code) == (403, "ip_not_allowed")


async def test_behind_a_trusted_proxy(tmp_path: Path) -> None:
    house = await House.opened(
        tmp_path / "vault", rate_limits__enabled=False, server__trusted_proxies=["10.0.0.0/8"]
    )
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    proxy = ("10.0.0.1", 1)
    for hops, status in (
        ("192.0.2.7", 200),
        ("192.0.2.7, 198.51.100.9", 403),  # what the client said of himself
        ("198.51.100.9, 192.0.2.7", 200),
        ("198.51.100.9", 403),
        ("unknown", 403),
    ):
        headers = {"x-forwarded-for": hops}
        answer = await house.get("/v1/auth/whoami", token=token, client=proxy, headers=headers)
        assert answer.status == status, hops
    answer = await house.get(
        "/v1/auth/whoami", token=token, client=ELSEWHERE, headers={"forwarded": "for=192.0.2.7"}
    )
    assert answer.status == 403
    await house.close()


async def test_a_thief_spends_his_own_limit_and_not_the_owners(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault")
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    first = await whoami(house, token, HOME[0])
    answers = [await whoami(house, token, ELSEWHERE[0]) for _ in range(70)]
    assert [one.status for one in answers] == [403] * 60 + [429] * 10
    assert answers[-1].details["category"] == "auth_failed"
    again = await whoami(house, token, HOME[0])
    left = [int(one.headers["x-ratelimit-remaining"]) for one in (first, again)]
    assert left[0] - left[1] == 1
    await house.close()


async def test_it_ends_from_one_request_to_the_next(house: House) -> None:
    """Known tokens are held against the address each time."""
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    answers = await asyncio.gather(
        *(whoami(house, token, source) for _ in range(10) for source in (HOME[0], ELSEWHERE[0]))
    )
    assert [one.status for one in answers] == [200, 403] * 10


async def test_no_token_without_them_comes_of_one(house: House) -> None:
    token = await login(house, scopes=["admin"], ip_ranges=["192.0.2.0/24"])
    answer = await mint(house, token)
    assert answer.code == "ip_not_allowed"  # the test calls from elsewhere
    body = {"name": "x", "scopes": ["secrets:read"], "identity_id": MIRA}
    made = await house.call("POST", "/v1/auth/tokens", body, token=token, client=HOME)
    assert made.json["ip_ranges"] == ["192.0.2.0/24"]
    assert made.json["parent_id"] == (await whoami(house, token, HOME[0])).json["token_id"]
    assert await token_id(house, house.token)
