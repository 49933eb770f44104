"""Bearer tokens: authentication, whoami, a token looked at and ended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, instant
from scaivault.crypto import codes
from tests.support.house import Answer, House
from tests.support.tenants import found_partner, found_tenant


async def whoami(house: House, token: str | None = "") -> Answer:
    return await house.get("/v1/auth/whoami", token=token)


async def test_who_i_am(house: House) -> None:
    body = (await whoami(house)).json
    assert body["identity_id"] == "sa:root"
    assert body["identity_type"] == "service_account"
    assert body["scopes"] == ["admin"]
    assert body["roles"] == ["super_admin"]
    assert body["token_kind"] == "personal_access_token"
    assert body["tenant_id"] == house.made["tenant_id"]
    assert body["partner_id"] == house.made["partner_id"]
    assert body["token_expires_at"] == house.made["root_token_expires_at"]
    assert (body["mfa_verified_at"], body["allowed_paths"], body["ip_ranges"]) == (None,) * 3
    (row,) = await house.rows(action="auth_read")
    assert row["identity_id"] == "sa:root"
    assert row["extra_data"] == {"token_id": body["token_id"]}


@pytest.mark.parametrize(
    "value", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "Token x", "Bearer ü"]
)
async def test_a_header_that_is_no_bearer(house: House, value: str | None) -> None:
    headers = {} if value is None else {"authorization": value}
    answer = await house.call("GET", "/v1/auth/whoami", token=None, headers=headers)
    assert (answer.status, answer.code) == (401, "authentication_required")
    challenge = 'Bearer realm="scaivault", error="authentication_required"'
    assert answer.headers["www-authenticate"] == challenge
    (row,) = await house.rows(action="auth_failed")
    assert row["extra_data"]["route"] == "GET /v1/auth/whoami"
    assert row["identity_id"] is None


async def test_the_scheme_in_any_case(house: House) -> None:
    headers = {"authorization": f"bEARER  {house.token}"}
    answer = await house.call("GET", "/v1/auth/whoami", token=None, headers=headers)
    assert answer.status == 200


async def test_unknown_and_mistyped_tokens(house: House) -> None:
    unknown = codes.token(codes.TOKEN, bytes(32))
    mistyped = house.token[:-1] + ("a" if house.token[-1] != "a" else "b")
    secret = codes.token(codes.CLIENT_SECRET, bytes(32))
    for token in (unknown, mistyped, secret, "skt_", "skt_" + "0" * 49, "skt_" + "a" * 9000):
        answer = await whoami(house, token)
        assert (answer.status, answer.code) == (401, "token_invalid"), token[:20]
    assert unknown not in str(await house.rows())


async def test_a_personal_token_ends_to_the_microsecond(house: House) -> None:
    house.clock.advance(90 * DAY - 1)
    assert (await whoami(house)).status == 200
    house.clock.advance(1)
    answer = await whoami(house)
    assert (answer.status, answer.code) == (401, "token_expired")
    assert (await whoami(house)).code == "token_expired"


async def test_a_token_looked_at(house: House) -> None:
    own = (await house.get("/v1/auth/tokens/self")).json
    assert own["token_kind"] == "personal_access_token"
    assert (own["status"], own["revoked_at"], own["parent_id"]) == ("active", None, None)
    assert (await house.get(f"/v1/auth/tokens/{own['id']}")).json == own
    assert house.token not in str(own)
    house.clock.advance(90 * SECOND)
    await house.run_jobs()
    house.clock.advance(MINUTE)
    await whoami(house)
    await house.run_jobs()
    seen = (await house.get("/v1/auth/tokens/self")).json["last_used_at"]
    assert seen.endswith(":00.000000Z")


async def test_when_a_token_was_last_used_is_told_at_once(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    (made,) = (await house.get("/v1/auth/tokens?identity_id=sa:app")).json["tokens"]
    where = f"/v1/auth/tokens/{made['id']}"
    assert made["last_used_at"] is None
    minute = house.clock.now() // MINUTE * MINUTE
    house.clock.advance(59 * SECOND)
    await whoami(house, token)
    assert (await house.get(where)).json["last_used_at"] == instant(minute)
    (listed,) = (await house.get("/v1/auth/tokens?identity_id=sa:app")).json["tokens"]
    assert listed["last_used_at"] == instant(minute)
    await house.vault.flush()  # the row says so now, and the next use is later
    assert (await house.get(where)).json["last_used_at"] == instant(minute)
    house.clock.advance(MINUTE)
    await whoami(house, token)
    assert (await house.get(where)).json["last_used_at"] == instant(minute + MINUTE)


async def test_a_token_revoked_works_no_more(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    token_id = (await whoami(house, token)).json["token_id"]
    for _ in range(2):
        assert (await house.call("DELETE", f"/v1/auth/tokens/{token_id}")).status == 204
        answer = await whoami(house, token)
        assert (answer.status, answer.code) == (401, "token_revoked")
    assert (await house.get(f"/v1/auth/tokens/{token_id}")).json["status"] == "revoked"
    row = (await house.rows(action="token_revoke"))[0]
    assert row["extra_data"] == {"token_id": token_id, "for": "sa:app"}


async def test_one_may_end_ones_own_token_with_any_scope(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert (await whoami(house, token)).code == "token_revoked"


async def test_revocations_survive_a_crash(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    await house.call("DELETE", "/v1/auth/tokens/self", token=token)
    await house.crash()
    await house.unseal()
    assert (await whoami(house, token)).code == "token_revoked"
    assert (await whoami(house)).status == 200


async def test_others_tokens_take_identity_admin_in_reach(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    near = await found_tenant(house, "near")
    root = (await whoami(house)).json["token_id"]
    plain = await house.client("plain", ["secrets:read", "identity:read"])
    for token_id in (root, "tok_unknown"):
        answer = await house.get(f"/v1/auth/tokens/{token_id}", token=plain)
        assert (answer.status, answer.code) == (404, "token_not_found")
    partner = await house.client("partner", ["identity:admin"], ["partner_admin"])
    for tenant, status in ((near, 204), (far, 404)):
        other = await house.client("app", ["secrets:read"], tenant=tenant.id)
        token_id = (await whoami(house, other)).json["token_id"]
        where = f"/v1/auth/tokens/{token_id}"
        assert (await house.call("DELETE", where, token=partner)).status == status
    row = (await house.rows(action="token_revoke", success=True))[0]
    assert row["tenant_id"] == near.id


async def test_others_tokens_take_the_scope_whatever_the_rank(house: House) -> None:
    other = await house.client("app", ["secrets:read"])
    where = f"/v1/auth/tokens/{(await whoami(house, other)).json['token_id']}"
    scope = await house.client("scope", ["identity:admin"])
    rank = await house.client("rank", ["identity:read"], ["tenant_admin"])
    for method in ("GET", "DELETE"):
        answer = await house.call(method, where, token=rank)
        assert (answer.status, answer.code) == (404, "token_not_found")
    assert (await house.get("/v1/auth/tokens/self", token=rank)).status == 200
    assert (await whoami(house, other)).status == 200
    assert (await house.get(where, token=scope)).status == 200
    assert (await house.call("DELETE", where, token=scope)).status == 204
    assert (await whoami(house, other)).code == "token_revoked"


async def test_nobody_ends_a_token_of_who_ranks_above(house: House) -> None:
    above = await house.client("above", ["secrets:read"], ["tenant_admin"])
    where = f"/v1/auth/tokens/{(await whoami(house, above)).json['token_id']}"
    scope = await house.client("scope", ["identity:admin"])
    assert (await house.get(where, token=scope)).status == 200
    answer = await house.call("DELETE", where, token=scope)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details == {"required_role": "tenant_admin"}
    assert (await whoami(house, above)).status == 200


async def test_a_revocation_that_races_an_authentication_is_not_forgotten(house: House) -> None:
    """The look-up reads the token before the revocation, and comes back after it."""
    identity = house.vault.authentication
    token = await house.client("app", ["secrets:read"])
    ask, looked, go_on = identity.gate.ask, asyncio.Event(), asyncio.Event()

    async def slow(*question: Any) -> Any:
        found = await ask(*question)
        looked.set()
        await go_on.wait()
        return found

    identity.gate.ask = slow  # type: ignore[assignment,method-assign]
    first = asyncio.create_task(identity.authenticate(token, house.clock.now()))
    await looked.wait()
    identity.gate.ask = ask  # type: ignore[method-assign]
    await house.call("DELETE", "/v1/auth/tokens/self", token=token)
    go_on.set()
    await asyncio.gather(first, return_exceptions=True)
    assert (await whoami(house, token)).code == "token_revoked"


async def test_many_requests_while_a_token_is_revoked(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    calls = [whoami(house, token) for _ in range(20)]
    calls.insert(10, house.call("DELETE", "/v1/auth/tokens/self", token=token))
    await asyncio.gather(*calls)
    assert (await whoami(house, token)).code == "token_revoked"


async def test_what_anybody_may_know_of_the_issuer(house: House) -> None:
    config = await house.get("/v1/auth/config", token=None)
    assert config.json["grant_types_supported"] == [
        "client_credentials", "urn:ietf:params:oauth:grant-type:token-exchange",
    ]  # fmt: skip
    base = config.json["token_endpoint"].removesuffix("/oauth/token")
    found = await house.get("/.well-known/openid-configuration", token=None)
    assert found.json["issuer"] == config.json["issuer"]
    assert found.json["jwks_uri"] == config.json["jwks_uri"] == f"{base}/.well-known/jwks.json"
    assert found.json["response_types_supported"] == []
    keys = await house.get("/.well-known/jwks.json", token=None)
    for answer in (config, found, keys):
        assert answer.headers["cache-control"] == "max-age=300"
    for key in keys.json["keys"]:
        assert (key["kty"], key["crv"]) == ("EC", "P-256")
        assert "d" not in key


async def test_refused_authentications_are_limited_by_address(tmp_path: Any) -> None:
    house = await House.opened(tmp_path / "vault")
    try:
        for _ in range(60):
            assert (await whoami(house, "skt_x")).status == 401
        limited = await whoami(house, "skt_x")
        assert (limited.status, limited.details["category"]) == (429, "auth_failed")
        other = await house.call("GET", "/v1/auth/whoami", token="skt_x", client=("192.0.2.9", 1))
        assert other.status == 401
        assert (await whoami(house)).status == 200  # a stranger's guesses lock out nobody
    finally:
        await house.close()


async def test_an_issued_token_can_be_ended_while_the_clock_skew_keeps_it(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    house.clock.advance(HOUR + 30 * SECOND)
    assert (await whoami(house, token)).status == 200
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert (await whoami(house, token)).code == "token_revoked"
