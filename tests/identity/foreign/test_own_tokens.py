"""What the holder of an outside issuer's token can do with tokens of our own."""

from __future__ import annotations

from typing import Any

from scaivault.clock import DAY, MINUTE, SECOND, instant
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.people import MIRA, code, enrol, mint, minted, verify
from tests.support.tenants import found_partner, found_tenant


async def introspect(house: House, text: str, token: str = "") -> Any:
    answer = await house.call("POST", "/v1/auth/introspect", {"token": text}, token=token)
    assert answer.status == 200
    return answer.json


async def test_introspection(house: House, provider: Provider) -> None:
    token = provider.token()
    now = provider.clock.now()
    assert await introspect(house, token) == {
        "active": True,
        "identity_id": MIRA,
        "identity_type": "user",
        "tenant_id": provider.tenant,
        "scopes": ["secrets:list", "secrets:read"],
        "expires_at": instant(now + 600 * SECOND),
        "issued_at": instant(now),
    }
    changed = token[:-8] + "AAAAAAAA"
    other = provider.token(iss="https://login.example.org")
    for text in (changed, other, provider.token(aud="other"), provider.token(exp=None)):
        assert await introspect(house, text) == {"active": False}
    assert await house.rows(action="auth_failed") == []  # nobody failed to log in
    house.clock.advance(600 * SECOND + MINUTE)
    assert await introspect(house, token) == {"active": False}


async def test_introspection_out_of_reach(house: House, provider: Provider) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    admin = await house.client("boss", ["admin"], ["partner_admin"])
    assert (await introspect(house, provider.token(), admin))["active"]
    text = provider.token(tenant_id=far.id)
    assert await introspect(house, text, admin) == {"active": False}
    assert (await introspect(house, text))["tenant_id"] == far.id


async def test_introspection_of_a_revoked_one(house: House, provider: Provider) -> None:
    token = provider.token()
    assert (await introspect(house, token))["active"]
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert await introspect(house, token) == {"active": False}


async def test_a_token_made_with_a_session_is_its_own(house: House, provider: Provider) -> None:
    session = provider.token()
    made = (await mint(house, session, scopes=["secrets:read"])).json
    assert (made["parent_id"], made["identity_id"]) == (None, MIRA)
    assert made["expires_at"] == instant(provider.clock.now() + 90 * DAY)
    assert (await mint(house, session, scopes=["secrets:write"])).code == "forbidden"
    listed = (await house.get("/v1/auth/tokens", token=session)).json["tokens"]
    assert [one["id"] for one in listed] == [made["id"]]
    assert (await house.get(f"/v1/auth/tokens/{made['id']}", token=session)).status == 200
    assert (await mint(house, made["token"], scopes=["secrets:read"])).json["parent_id"]
    house.clock.advance(DAY)
    seen = await house.get("/v1/auth/whoami", token=made["token"])
    assert seen.json["issuer"] == "local"


async def test_a_revoked_session_makes_none(house: House, provider: Provider) -> None:
    session = provider.token()
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=session)).status == 204
    answer = await mint(house, session)
    assert (answer.status, answer.code) == (401, "token_revoked")


async def test_the_issuer_keeps_its_users_second_factors(house: House, provider: Provider) -> None:
    session = provider.token()
    personal = await minted(house, session)
    for token in (session, personal):
        for method, path, body in (
            ("POST", "/v1/auth/mfa/totp", None),
            ("DELETE", "/v1/auth/mfa/totp", None),
            ("POST", "/v1/auth/mfa/verify", {"code": "123456"}),
        ):
            answer = await house.call(method, path, body, token=token)
            assert (answer.status, answer.code) == (403, "forbidden")
            assert answer.details == {"reason": "externally_managed"}
    answer = await house.call("DELETE", f"/v1/identity/users/{MIRA}/mfa")
    assert answer.details == {"reason": "externally_managed"}


async def test_a_local_user_with_a_session(house: House, provider: Provider) -> None:
    body = {"email": "mira@harbor.example"}
    assert (await house.call("POST", "/v1/identity/users", body)).status == 201
    session = provider.token()
    secret = await enrol(house, session)
    # Only its issuer says what was proven to a session.
    answer = await verify(house, session, code(house, secret))
    assert answer.details == {"reason": "externally_managed"}
    personal = await minted(house, session)
    assert (await verify(house, personal, code(house, secret))).status == 200
    assert (await house.call("POST", "/v1/auth/mfa/totp", token=session)).code == "mfa_required"
    now = provider.clock.now() // SECOND
    fresh = provider.token(amr=["pwd", "otp"], auth_time=now)
    stale = provider.token(amr=["pwd", "otp"], auth_time=now - 901)
    assert (await house.call("DELETE", "/v1/auth/mfa/totp", token=stale)).code == "mfa_required"
    assert (await house.call("DELETE", "/v1/auth/mfa/totp", token=fresh)).status == 204


async def test_a_session_without_ones_roles_makes_no_token_with_them(
    house: House, provider: Provider
) -> None:
    """The issuer is not trusted with roles; what it lets in must not get them by a detour."""
    user = (await house.call("POST", "/v1/identity/users", {"email": "mira@harbor.example"})).json
    where = f"/v1/identity/users/{user['id']}/roles"
    assert (await house.call("PUT", where, {"roles": ["super_admin"]})).status == 200
    session = provider.token()
    assert (await house.get("/v1/auth/whoami", token=session)).json["roles"] == []
    for more in ({}, {"identity_id": "user:mira@harbor.example"}):
        body = {"name": "mine", "scopes": ["secrets:read"], **more}
        refused = await house.call("POST", "/v1/auth/tokens", body, token=session)
        assert (refused.status, refused.code) == (403, "forbidden")
