"""An end to all access of somebody whom an outside issuer speaks for."""

from __future__ import annotations

import pytest

from scaivault.clock import HOUR, SECOND
from tests.identity.foreign.asking import code
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.users import USERS, user

MIRA = "user:mira@harbor.example"


async def test_tokens_of_before_end_and_those_of_after_count(
    house: House, provider: Provider
) -> None:
    old = [provider.token(jti=jti) for jti in "ab"]
    assert await code(house, old[0]) == "ok"
    answer = await house.call("POST", f"/v1/identity/user/{MIRA}/revoke-access", {})
    assert answer.status == 200
    assert answer.json["tokens_revoked"] == 0  # those of an outside issuer are not counted
    assert [await code(house, token) for token in old] == ["token_revoked"] * 2
    assert await code(house, provider.token(jti="c")) == "token_revoked"  # of the same second
    provider.clock.advance(SECOND)
    assert await code(house, provider.token(jti="d")) == "ok"


async def test_an_account_of_the_issuer(house: House, provider: Provider) -> None:
    claims = {"sub": "runner", "client_id": "runner", "email": None}
    token = provider.token(**claims)
    assert await code(house, token) == "ok"
    answer = await house.call("POST", "/v1/identity/service_account/sa:runner/revoke-access", {})
    assert answer.status == 200
    assert await code(house, token) == "token_revoked"
    provider.clock.advance(SECOND)
    assert await code(house, provider.token(**claims)) == "ok"


async def test_a_local_user_whom_the_issuer_speaks_for(house: House, provider: Provider) -> None:
    who = await user(house, "mira@harbor.example")
    token = provider.token()
    assert await code(house, token) == "ok"
    await house.call("PATCH", f"{USERS}/{who}", {"status": "SUSPENDED"})
    assert await code(house, token) == "token_revoked"
    await house.call("PATCH", f"{USERS}/{who}", {"status": "ACTIVE"})
    assert await code(house, token) == "token_revoked"
    provider.clock.advance(SECOND)
    assert await code(house, provider.token()) == "ok"
    await house.call("DELETE", f"{USERS}/{who}")
    provider.clock.advance(SECOND)
    assert await code(house, provider.token()) == "token_revoked"
    assert (await house.get(f"{USERS}/{who}")).status == 404


async def test_somebody_new_is_shown_in_the_list(house: House, provider: Provider) -> None:
    assert await code(house, provider.token()) == "ok"
    where = f"/v1/identity/tenants/{house.made['tenant_id']}/users"
    (shown,) = (await house.get(where)).json["users"]
    assert (shown["identity_id"], shown["issuer"]) == (MIRA, "corp")
    assert shown["last_synced_at"] is not None
    refused = await house.call("PATCH", f"{USERS}/{shown['id']}", {"display_name": "x"})
    assert refused.details == {"reason": "externally_managed"}


@pytest.mark.parametrize("again", ["revoked", "suspended"])
async def test_a_clock_that_goes_back_brings_no_token_back(
    house: House, provider: Provider, again: str
) -> None:
    who = await user(house, "mira@harbor.example")
    access = f"/v1/identity/user/{MIRA}/revoke-access"
    token = provider.token(exp=provider.clock.now() // SECOND + 12 * 3600)
    assert await code(house, token) == "ok"
    first = (await house.call("POST", access, {})).json["revoked_before"]
    provider.clock.advance(-HOUR)
    if again == "revoked":
        assert (await house.call("POST", access, {})).json["revoked_before"] == first
    else:
        for status in ("SUSPENDED", "ACTIVE"):
            await house.call("PATCH", f"{USERS}/{who}", {"status": status})
    provider.clock.advance(HOUR)
    assert await code(house, token) == "token_revoked"
