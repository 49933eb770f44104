"""Lists of tokens: whose, which, in pages."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import HOUR, SECOND
from tests.support.house import House
from tests.support.people import MIRA, login, minted, person, token_id
from tests.support.tenants import found_partner, found_tenant

INES = "user:ines@harbor.example"


async def listed(house: House, token: str = "", **query: Any) -> list[str]:
    """The names."""
    answer = await house.get("/v1/auth/tokens", token=token, query=query)
    assert answer.status == 200, answer.body
    return [one["name"] for one in answer.json["tokens"]]


async def test_ones_own_newest_first(house: House) -> None:
    text = await login(house, name="first")
    await login(house, INES, name="other")
    for name in ("second", "third"):
        house.clock.advance(1)
        await minted(house, text, name=name)
    assert await listed(house, text) == ["third", "second", "first"]
    answer = await house.get("/v1/auth/tokens", token=text)
    one = answer.json["tokens"][2]
    assert one == (await house.get("/v1/auth/tokens/self", token=text)).json
    assert "token" not in one
    assert (answer.json["cursor"], answer.json["has_more"]) == (None, False)
    rows = await house.rows(action="auth_read", identity_id=MIRA)
    assert [(row["success"], row["extra_data"]) for row in rows[:2]] == [(True, {})] * 2


async def test_filters(house: House) -> None:
    text = await login(house, name="stays")
    short = await minted(house, identity_id=MIRA, name="short", expires_in="1h")
    ended = await minted(house, identity_id=MIRA, name="ended")
    await house.call("DELETE", "/v1/auth/tokens/self", token=ended)
    del short
    account = await house.client("app", ["secrets:read"])
    house.clock.advance(HOUR)
    assert await listed(house, text) == ["stays"]
    assert await listed(house, text, status="active") == ["stays"]
    assert await listed(house, text, status="expired") == ["short"]
    assert await listed(house, text, status="revoked") == ["ended"]
    assert await listed(house, text, token_kind="client_credentials") == []
    assert await listed(house, identity_id="sa:app", status="expired") == [""]
    assert await listed(house, token_kind="client_credentials", status="expired") == [""]
    del account
    for query in ({"status": "all"}, {"token_kind": "skt"}, {"limit": 201}, {"limit": 0}):
        answer = await house.get("/v1/auth/tokens", query=query)
        assert (answer.status, answer.code) == (422, "validation_error")


async def test_pages(house: House) -> None:
    text = await login(house, name="0")
    for number in range(1, 12):
        if number % 3:  # some of one instant
            house.clock.advance(SECOND)
        await minted(house, identity_id=MIRA, name=str(number))
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 5, "token_kind": "personal_access_token"}
    while True:
        page = (await house.get("/v1/auth/tokens", token=text, query=query)).json
        seen += [one["name"] for one in page["tokens"]]
        if not page["has_more"]:
            break
        await minted(house, identity_id=MIRA, name="later")
        query = {"cursor": page["cursor"]}
    assert page["cursor"] is None
    assert sorted(seen, key=int) == [str(number) for number in range(12)]
    assert seen[0] in ("11", "10")
    first = (await house.get("/v1/auth/tokens", token=text, query={"limit": 1})).json["cursor"]
    for wrong in ({"status": "revoked"}, {"identity_id": MIRA}):
        answer = await house.get("/v1/auth/tokens", token=text, query={"cursor": first, **wrong})
        assert (answer.status, answer.code) == (400, "invalid_cursor")


async def test_a_cursor_of_somebody_else_shows_nothing_of_his(house: House) -> None:
    mira = await login(house, name="mira")
    await minted(house, identity_id=MIRA, name="mira too")
    ines = await login(house, INES, name="ines")
    cursor = (await house.get("/v1/auth/tokens?limit=1", token=mira)).json["cursor"]
    assert set(await listed(house, ines, cursor=cursor)) <= {"ines"}
    asked = (await house.get(f"/v1/auth/tokens?limit=1&identity_id={MIRA}", token=mira)).json
    answer = await house.get("/v1/auth/tokens", token=ines, query={"cursor": asked["cursor"]})
    assert (answer.status, answer.code) == (403, "insufficient_scope")


async def test_those_of_others_take_the_scope_whatever_the_rank(house: House) -> None:
    text = await login(house, name="mira")
    record = await person(house, INES)
    await minted(house, identity_id=INES, name="ines")
    scope = await house.client("scope", ["identity:admin"])
    rank = await house.client("rank", ["identity:read"], ["tenant_admin"])
    told = [
        await house.get("/v1/auth/tokens", token=token, query={"identity_id": who})
        for token in (text, rank)
        for who in (INES, record, "user:nobody@harbor.example", "usr_x", "sa:root")
    ]
    assert {(one.status, one.code) for one in told} == {(403, "insufficient_scope")}
    assert told[0].details == {"required_scope": "identity:admin"}
    for who in (INES, record):
        assert await listed(house, scope, identity_id=who) == ["ines"]
    assert set(await listed(house, scope)) == {"mira", "ines", "root", ""}
    assert await listed(house, text, identity_id=MIRA) == ["mira"]
    answer = await house.get("/v1/auth/tokens", token=scope, query={"identity_id": "user:nobody"})
    assert (answer.status, answer.code) == (404, "identity_not_found")


@pytest.mark.parametrize("role", ["tenant_admin", "partner_admin", "super_admin"])
async def test_tenants_in_reach(house: House, role: str) -> None:
    near = await found_tenant(house, "near")
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    ids = {}
    for tenant in (near, far):
        body = {"email": "mira@harbor.example", "tenant_id": tenant.id}
        made = await house.call("POST", "/v1/identity/users", body)
        ids[tenant.slug] = made.json["id"]
        await minted(house, identity_id=made.json["id"], name=tenant.slug)
    admin = await house.client("boss", ["identity:admin"], [role])
    reaches = {"tenant_admin": [], "partner_admin": ["near"], "super_admin": ["near", "far"]}[role]
    for tenant in (near, far):
        answer = await house.get(
            "/v1/auth/tokens", token=admin, query={"identity_id": ids[tenant.slug]}
        )
        named = await house.get("/v1/auth/tokens", token=admin, headers={"X-Tenant-ID": tenant.id})
        if tenant.slug in reaches:
            assert [one["name"] for one in answer.json["tokens"]] == [tenant.slug]
            assert [one["name"] for one in named.json["tokens"]] == [tenant.slug]
        else:
            assert answer.code == "identity_not_found"
            assert named.code == "tenant_access_denied"
    assert not {"near", "far"} & set(await listed(house, admin))


async def test_tokens_of_who_is_deleted_are_still_told(house: House) -> None:
    await login(house, name="mira")
    assert (await house.call("DELETE", f"/v1/identity/users/{MIRA}")).status == 204
    assert await listed(house, identity_id=MIRA) == []
    assert await listed(house, identity_id=MIRA, status="revoked") == ["mira"]


async def test_a_session_of_the_caller(house: House) -> None:
    text = await login(house)
    mine = await token_id(house, text)
    for named in ("self", mine):
        assert (await house.get(f"/v1/auth/tokens/{named}", token=text)).json["id"] == mine
    child = await token_id(house, await minted(house, text))
    assert (await house.call("DELETE", f"/v1/auth/tokens/{child}", token=text)).status == 204
    assert (await house.call("DELETE", f"/v1/auth/tokens/{child}", token=text)).status == 204
    other = await token_id(house, await login(house, INES))
    for named in (other, "tok_00000000000000000000", "mine"):
        for method in ("GET", "DELETE"):
            answer = await house.call(method, f"/v1/auth/tokens/{named}", token=text)
            assert (answer.status, answer.code) == (404, "token_not_found")
