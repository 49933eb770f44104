"""Tokens of the vault's own against narrower ones."""

from __future__ import annotations

from typing import Any

import jwt
import pytest

from scaivault.clock import MINUTE, SECOND
from scaivault.gate.gate import Act
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.policies import bound, policy, rule
from tests.support.tenants import found_tenant, suspend
from tests.support.trusting import (
    GRANT,
    TYPE,
    build,
    exchange,
    form,
    given,
    narrower,
    runner,
    trust,
)

OWN = TYPE + "access_token"


async def whoami(house: House, token: str, **more: Any) -> Any:
    return (await house.get("/v1/auth/whoami", token=token, **more)).json


async def personal(house: House, **fields: Any) -> tuple[str, str]:
    """(text, id) of a new token of ``user:mira@harbor.example``."""
    await house.call("POST", "/v1/identity/users", {"email": "mira@harbor.example"})
    body = {
        "name": "laptop",
        "scopes": ["secrets:read", "secrets:list"],
        "identity_id": "user:mira@harbor.example",
        **fields,
    }
    made = await house.call("POST", "/v1/auth/tokens", body)
    assert made.status == 201, made.body
    return made.json["token"], made.json["id"]


async def test_a_personal_token_becomes_a_session(house: House) -> None:
    text, token_id = await personal(house, ip_ranges=["127.0.0.0/8"], allowed_paths=["app/**"])
    answer = await exchange(
        house, text, subject_token_type=OWN, scope="secrets:read", allowed_paths=["app/db/*"]
    )
    assert answer.status == 200, answer.body
    assert (answer.json["expires_in"], answer.json["scope"]) == (3600, "secrets:read")
    mine = answer.json["access_token"]
    me = await whoami(house, mine)
    assert (me["identity_id"], me["token_kind"]) == ("user:mira@harbor.example", "user_session")
    assert me["allowed_paths"] == ["app/db/*", "app/**"]
    assert me["ip_ranges"] == ["127.0.0.0/8"]
    shown = await house.get(f"/v1/auth/tokens/{me['token_id']}")
    assert (shown.json["parent_id"], shown.json["token_kind"]) == (token_id, "user_session")
    row = (await house.rows(action="auth_login"))[-1]
    assert row["identity_id"] == "user:mira@harbor.example"
    assert row["extra_data"] == {
        "grant": "token_exchange", "issuer": (await house.get("/v1/auth/config")).json["issuer"],
        "subject": "user:mira@harbor.example", "token_id": me["token_id"],
    }  # fmt: skip


async def test_it_ends_with_the_token_that_it_was_made_from(house: House) -> None:
    text, token_id = await personal(house)
    child = await narrower(house, text)
    grandchild = await narrower(house, child)
    assert (await house.call("DELETE", f"/v1/auth/tokens/{token_id}")).status == 204
    for token in (child, grandchild):
        assert (await whoami(house, token))["error"]["code"] == "token_revoked"
    refused = await exchange(house, text, subject_token_type=OWN)
    assert (refused.status, refused.code) == (401, "token_revoked")


async def test_it_never_ends_later(house: House) -> None:
    """To the second, without the skew that other clocks are granted."""
    text, _ = await personal(house, expires_in="10m")
    answer = await exchange(house, text, subject_token_type=OWN, ttl="30m")
    assert answer.json["expires_in"] == 600
    child = answer.json["access_token"]
    house.clock.advance(10 * MINUTE - SECOND)
    assert "identity_id" in await whoami(house, child)
    house.clock.advance(SECOND)
    for token in (text, child):
        assert (await whoami(house, token))["error"]["code"] == "token_expired"
    refused = await exchange(house, text, subject_token_type=OWN)
    assert (refused.status, refused.code) == (401, "token_expired")


async def test_an_hour_at_most(house: House) -> None:
    text, _ = await personal(house)
    lives = {}
    for ttl in ("10m", "2h"):
        answer = await exchange(house, text, subject_token_type=OWN, ttl=ttl)
        lives[ttl] = answer.json["expires_in"]
    assert lives == {"10m": 600, "2h": 3600}


async def test_scopes_only_shrink(house: House) -> None:
    token = await house.client("app", ["secrets:read", "secrets:list"])
    answer = await exchange(house, token, subject_token_type=OWN, scope="secrets:list admin")
    assert answer.json["scope"] == "secrets:list"
    again = await exchange(
        house, answer.json["access_token"], subject_token_type=OWN, scope="secrets:read"
    )
    assert (again.status, again.code) == (403, "insufficient_scope")
    assert again.details == {"required_scope": "secrets:read"}
    me = await whoami(house, answer.json["access_token"])
    assert (me["identity_id"], me["token_kind"]) == ("sa:app", "exchanged")


async def test_admin_is_every_scope(house: House) -> None:
    """The most useful thing to do with a root token."""
    await house.put("app/db", {"n": 1})
    token = await narrower(house, house.token, scope="secrets:read", allowed_paths=["app/**"])
    assert (await whoami(house, token))["scopes"] == ["secrets:read"]
    assert (await house.read("app/db", token=token)).status == 200
    assert (await house.read("bank/db", token=token)).status == 403
    assert (await house.get("/v1/system/jobs", token=token)).code == "insufficient_scope"


async def test_paths_are_inherited_by_every_generation(house: House, provider: Provider) -> None:
    await runner(house)
    await bound(house, await policy(house, rule("**", "read", "list")), "sa:ci")
    await trust(house, provider, allowed_paths=["shop/**"])
    for path in ("shop/eu/key", "shop/us/key", "bank/eu/key"):
        await house.put(path, {})
    first = await given(house, build(provider))
    second = await narrower(house, first, allowed_paths=["**/eu/*"])
    third = await narrower(house, second, allowed_paths=["**"])
    read = {path: (await house.read(path, token=third)).status for path in (
        "shop/eu/key", "shop/us/key", "bank/eu/key",
    )}  # fmt: skip
    assert read == {"shop/eu/key": 200, "shop/us/key": 403, "bank/eu/key": 403}
    told = jwt.decode(third, options={"verify_signature": False})
    assert told["act"] == {"iss": provider.url, "sub": "repo:harbor/shop:ref:refs/heads/main"}


async def test_lists_of_paths_do_not_pile_up(house: House) -> None:
    """A token that may only read could else fill the disk, and make each request slower."""
    token = await house.client("app", ["secrets:read"])
    for number in range(10):
        token = await narrower(house, token, allowed_paths=[f"a{number}/**"])
    asked = {"subject_token_type": TYPE + "access_token", "allowed_paths": ["b/**"]}
    refused = await exchange(house, token, **asked)
    assert (refused.status, refused.code) == (422, "validation_error")
    assert list(refused.details["fields"]) == ["allowed_paths"]
    again = await narrower(house, token, allowed_paths=["a3/**"])  # it is bound to these already
    again = await narrower(house, again)
    whole = (await house.get("/v1/auth/whoami", token=again)).json["allowed_paths"]
    assert sorted(whole) == [f"a{number}/**" for number in range(10)]


async def test_a_second_factor_goes_along(house: House) -> None:
    text, token_id = await personal(house)
    at = house.clock.now()

    def write(tx: Any) -> None:
        tx.execute(
            "UPDATE token SET mfa_verified_at = :at WHERE id = :id", {"at": at, "id": token_id}
        )
        tx.then(house.vault.authentication.forget)

    await house.vault.gate.change(house.vault.internal("test"), Act("mfa_verify"), write)
    child = await narrower(house, text)
    me = await whoami(house, child)
    assert me["mfa_verified_at"] == "2031-05-09T06:30:00.000000Z"
    told = jwt.decode(child, options={"verify_signature": False})
    assert (told["auth_time"], told["amr"]) == (at // SECOND, ["mfa"])


async def test_it_stays_the_same_identity(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    await house.client("other", ["secrets:read"])
    for fields in ({"role": "sa:other"}, {"tenant_id": "tnt_nowhere"}):
        refused = await exchange(house, token, subject_token_type=OWN, **fields)
        assert (refused.status, refused.code) == (403, "access_denied")
    assert (await exchange(house, token, subject_token_type=OWN, role="sa:app")).status == 200


async def test_from_the_addresses_of_the_token_only(house: House) -> None:
    text, _ = await personal(house, ip_ranges=["10.1.0.0/16"])
    refused = await exchange(house, text, subject_token_type=OWN)
    assert (refused.status, refused.code) == (403, "ip_not_allowed")
    body = {"subject_token": text, "subject_token_type": OWN}
    answer = await house.call(
        "POST", "/v1/auth/exchange", body, token=None, client=("10.1.2.3", 4711)
    )
    assert answer.status == 200


async def test_in_a_suspended_tenant_nothing_is_given(house: House) -> None:
    second = (await found_tenant(house, "second")).id
    token = await house.client("app", ["secrets:read"], tenant=second)
    await suspend(house, "tenant", second)
    refused = await exchange(house, token, subject_token_type=OWN)
    assert (refused.status, refused.details) == (403, {"reason": "tenant_suspended"})


async def test_what_is_no_token_of_ours(house: House, provider: Provider, trusted: str) -> None:
    for text in ("x", "skt_" + "0" * 49, build(provider), "a.b.c"):
        refused = await exchange(house, text, subject_token_type=OWN)
        assert (refused.status, refused.code) == (401, "token_invalid")
    rows = await house.rows(action="auth_failed")
    assert rows[-1]["extra_data"]["error_code"] == "token_invalid"


@pytest.mark.parametrize("where", ["/v1/auth/token", "/oauth/token"])
async def test_at_the_token_endpoint(house: House, where: str) -> None:
    answer = await form(
        house, where, grant_type=GRANT, subject_token=house.token, subject_token_type=OWN,
        scope="secrets:read",
    )  # fmt: skip
    assert (answer.status, answer.json["scope"]) == (200, "secrets:read")
