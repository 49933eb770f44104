"""Tokens of a foreign issuer against tokens of the vault."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import jwt
import pytest

from scaivault.clock import DAY, HOUR, MINUTE, SECOND
from scaivault.identity.model import SCOPES
from tests.support.house import House
from tests.support.issuing import Provider, jwk
from tests.support.policies import bound, policy, rule
from tests.support.tenants import found_tenant, suspend
from tests.support.trusting import (
    EXCHANGE,
    FORM,
    GRANT,
    SETTINGS,
    SUBJECT,
    TRUSTS,
    TYPE,
    build,
    code,
    exchange,
    form,
    given,
    patch,
    runner,
    trust,
)


def claims(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def test_a_build_reads_one_subtree_and_nothing_else(house: House, provider: Provider) -> None:
    """Its forge vouches for it; no secret of the vault was ever in the build."""
    await runner(house)
    await bound(house, await policy(house, rule("**", "read", "list")), "sa:ci")
    trust_id = await trust(house, provider, allowed_paths=["shop/deploy/**"])
    for path in ("shop/deploy/registry", "shop/deploy/eu/key", "shop/payroll", "bank/key"):
        await house.put(path, {"of": path})
    calls = len(provider.calls)
    answer = await exchange(house, build(provider))
    assert answer.status == 200, answer.body
    assert {**answer.json, "access_token": None} == {
        "access_token": None,
        "issued_token_type": TYPE + "access_token",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "secrets:list secrets:read",
    }
    assert provider.calls[calls:] == ["/.well-known/openid-configuration", "/keys"]
    token = answer.json["access_token"]
    read = {path: await house.read(path, token=token) for path in (
        "shop/deploy/registry", "shop/deploy/eu/key", "shop/payroll", "bank/key", "shop/deploy",
    )}  # fmt: skip
    assert {path: got.status for path, got in read.items()} == {
        "shop/deploy/registry": 200, "shop/deploy/eu/key": 200, "shop/payroll": 403,
        "bank/key": 403, "shop/deploy": 403,
    }  # fmt: skip
    assert read["bank/key"].details["reason"] == "token_paths"
    listed = await house.get("/v1/secrets", token=token)
    paths = [item["path"] for item in listed.json["secrets"]]
    assert paths == ["shop/deploy/eu/key", "shop/deploy/registry"]
    me = (await house.get("/v1/auth/whoami", token=token)).json
    assert (me["identity_id"], me["token_kind"]) == ("sa:ci", "exchanged")
    assert (me["allowed_paths"], me["tenant_id"]) == (["shop/deploy/**"], house.made["tenant_id"])
    row = (await house.rows(action="auth_login"))[-1]
    assert (row["success"], row["identity_id"]) == (True, "sa:ci")
    assert row["tenant_id"] == house.made["tenant_id"]
    assert row["extra_data"] == {
        "grant": "token_exchange", "trust_id": trust_id, "issuer": provider.url,
        "subject": SUBJECT, "token_id": me["token_id"],
    }  # fmt: skip


async def test_what_the_new_token_says(house: House, provider: Provider, trusted: str) -> None:
    token = await given(house, build(provider))
    told = claims(token)
    assert told["act"] == {"iss": provider.url, "sub": SUBJECT}
    assert (told["sub"], told["token_type"]) == ("sa:ci", "exchanged")
    assert told["scope"] == "secrets:list secrets:read"
    assert "allowed_paths" not in told
    assert "auth_time" not in told
    shown = (await house.get(f"{TRUSTS}/{trusted}")).json
    assert shown["last_used_at"] is not None


@pytest.mark.parametrize("where", [EXCHANGE, "/v1/auth/token", "/oauth/token"])
async def test_a_form_says_the_same(
    house: House, provider: Provider, trusted: str, where: str
) -> None:
    answer = await form(
        house,
        where,
        grant_type=GRANT,
        subject_token=build(provider),
        subject_token_type=TYPE + "id_token",
        audience="scaivault",
        scope="secrets:read",
        allowed_paths="shop/** bank/*",
        ttl="10m",
        requested_token_type=TYPE + "access_token",
    )
    assert answer.status == 200, answer.body
    assert (answer.json["expires_in"], answer.json["scope"]) == (600, "secrets:read")
    assert claims(answer.json["access_token"])["allowed_paths"] == ["shop/**", "bank/*"]


async def test_the_token_endpoint_takes_json_too(
    house: House, provider: Provider, trusted: str
) -> None:
    sent = {"grant_type": GRANT, "subject_token": build(provider)}
    answer = await house.call("POST", "/v1/auth/token", sent, token=None)
    assert (answer.status, answer.json["expires_in"]) == (200, 3600)


async def test_oauth_errors(house: House, provider: Provider, trusted: str) -> None:
    async def error(**fields: str) -> tuple[int, str]:
        answer = await form(house, "/oauth/token", grant_type=GRANT, **fields)
        return answer.status, answer.json["error"]

    assert await error() == (400, "invalid_request")
    assert await error(subject_token="x" * 17_000) == (400, "invalid_request")
    assert await error(subject_token="x.y.z") == (400, "invalid_grant")
    assert await error(subject_token=build(provider, sub="repo:x/y")) == (400, "invalid_grant")
    good = build(provider)
    assert await error(subject_token=good, scope="admin") == (400, "invalid_scope")
    assert await error(subject_token=good, client_secret="x") == (400, "invalid_request")
    assert await error(subject_token=good, audience="else") == (400, "invalid_request")


async def test_client_credentials_in_a_header_do_no_harm(
    house: House, provider: Provider, trusted: str
) -> None:
    """Some clients always send one."""
    raw = f"subject_token={build(provider)}".encode()
    headers = {**FORM, "authorization": "Basic eDp5"}
    answer = await house.call("POST", EXCHANGE, raw=raw, headers=headers, token=None)
    assert answer.status == 200


async def test_the_life_is_the_trusts(house: House, provider: Provider) -> None:
    """Whatever the life of the token that it is given for."""
    await runner(house)
    await trust(house, provider, max_ttl="2h", single_use=False)
    token = build(provider)
    lives = {}
    for ttl in (None, "90m", "12h"):
        fields = {} if ttl is None else {"ttl": ttl}
        lives[ttl] = (await exchange(house, token, **fields)).json["expires_in"]
    assert lives == {None: 7200, "90m": 5400, "12h": 7200}
    assert await code(house, token, ttl="soon") == "invalid_duration"
    mine = await given(house, token)
    house.clock.advance(2 * HOUR + 61 * SECOND)
    over = await house.get("/v1/auth/whoami", token=mine)
    assert over.code == "token_expired"


async def test_scopes_only_shrink(house: House, provider: Provider) -> None:
    account = await runner(house)
    await trust(house, provider, single_use=False)
    token = build(provider)
    answer = await exchange(house, token, scope="secrets:read secrets:write openid")
    assert answer.json["scope"] == "secrets:read"
    none = await exchange(house, token, scope="secrets:write admin")
    assert (none.status, none.code) == (403, "insufficient_scope")
    where = f"/v1/identity/service-accounts/{account}"
    assert (await house.call("PATCH", where, {"scopes": ["secrets:list"]})).status == 200
    assert (await exchange(house, token)).json["scope"] == "secrets:list"


async def test_paths_of_trust_and_request_both_bind(house: House, provider: Provider) -> None:
    await runner(house)
    await bound(house, await policy(house, rule("**", "read", "list")), "sa:ci")
    await trust(house, provider, allowed_paths=["shop/**"])
    for path in ("shop/eu/key", "shop/us/key", "bank/eu"):
        await house.put(path, {})
    token = await given(house, build(provider), allowed_paths=["*/eu/*", "bank/*"])
    found = {path: (await house.read(path, token=token)).status for path in (
        "shop/eu/key", "shop/us/key", "bank/eu",
    )}  # fmt: skip
    assert found == {"shop/eu/key": 200, "shop/us/key": 403, "bank/eu": 403}
    assert claims(token)["allowed_paths"] == [["shop/**"], ["*/eu/*", "bank/*"]]


async def test_the_longest_token_can_be_used(tmp_path: Path, provider: Provider) -> None:
    """Of the longest issuer, subject and lists of paths that are taken."""
    house = await House.opened(tmp_path / "other", provider.clock, **SETTINGS)
    await runner(house, "s" * 128, scopes=list(SCOPES))
    longest = "https://" + "/".join(["i" * 60] * 33)
    keys = {"keys": [jwk(provider.key, "one")]}
    await trust(
        house, provider, issuer=longest, jwks=keys, subject="x*", identity="sa:" + "s" * 128,
        max_scopes=list(SCOPES), allowed_paths=["a" * 500, "b" * 500], single_use=False,
    )  # fmt: skip
    answers = {
        subject[:2]: await exchange(house, build(provider, iss=longest, sub=subject))
        for subject in ("x" * 1022, "xä" + "x" * 900, "y" + "x" * 1022)
    }
    assert {name: answer.status for name, answer in answers.items()} == {
        "xx": 200, "xä": 200, "yx": 403,
    }  # fmt: skip
    assert await code(house, build(provider, iss=longest, sub="x" * 1023)) == "access_denied"
    assert await code(house, build(provider, iss=longest, sub="x" + "ä" * 171)) == "access_denied"
    token = answers["xx"].json["access_token"]
    assert (await house.get("/v1/auth/whoami", token=token)).status == 200
    await house.close()


async def test_very_many_paths_still_make_a_token(house: House, provider: Provider) -> None:
    """They are in its row; its text would be too long to be sent."""
    await runner(house)
    globs = [f"{'a' * 480}/{n}/**" for n in range(50)]
    await trust(house, provider, allowed_paths=globs)
    token = await given(house, build(provider))
    assert "allowed_paths" not in claims(token)
    me = (await house.get("/v1/auth/whoami", token=token)).json
    assert me["allowed_paths"] == globs


# -- which trust -----------------------------------------------------------------------------------


async def test_nobody_is_called_who_is_not_trusted(house: House, provider: Provider) -> None:
    assert await code(house, build(provider)) == "token_invalid"
    await runner(house)
    trust_id = await trust(house, provider, is_active=False)
    assert await code(house, build(provider)) == "token_invalid"
    assert provider.calls == []
    rows = await house.rows(action="auth_failed")
    assert rows[-1]["extra_data"] == {
        "error_code": "token_invalid", "route": f"POST {EXCHANGE}",
    }  # fmt: skip
    await patch(house, trust_id, is_active=True)
    assert await code(house, build(provider)) == "ok"


async def test_subject_and_claims_must_fit(house: House, provider: Provider) -> None:
    await runner(house)
    await trust(
        house,
        provider,
        claims_equal={"repository": ["harbor/shop", "harbor/bank"], "run_attempt": 1},
        single_use=False,
    )
    assert await code(house, build(provider)) == "ok"
    others: list[dict[str, Any]] = [
        {"sub": "repo:harbor/shop"}, {"sub": "x" + SUBJECT}, {"sub": SUBJECT.upper()},
        {"sub": None}, {"sub": 7}, {"sub": [SUBJECT]}, {"sub": "repo:harbor/shop:" + "x" * 1100},
        {"repository": "harbor/other"}, {"repository": None}, {"repository": ["harbor/shop"]},
        {"run_attempt": True}, {"run_attempt": "1"}, {"run_attempt": 2},
    ]  # fmt: skip
    for changed in others:
        assert await code(house, build(provider, **changed)) == "access_denied", changed
    row = (await house.rows(action="auth_failed"))[-1]
    assert row["extra_data"] == {
        "error_code": "access_denied", "route": f"POST {EXCHANGE}", "issuer": provider.url,
        "subject": SUBJECT,
    }  # fmt: skip


async def test_several_trusts(house: House, provider: Provider) -> None:
    await runner(house)
    other = await runner(house, "release")
    await trust(house, provider, single_use=False)
    await trust(house, provider, name="releases", identity=other, single_use=False)
    token = build(provider)
    answer = await exchange(house, token)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.details == {"reason": "ambiguous_role"}
    for role in ("sa:release", other):
        mine = await given(house, token, role=role)
        me = await house.get("/v1/auth/whoami", token=mine)
        assert me.json["identity_id"] == "sa:release"
    assert await code(house, token, role="sa:nobody") == "access_denied"
    assert await code(house, token, tenant_id="tnt_nowhere") == "access_denied"


async def test_trusts_of_several_tenants(house: House, provider: Provider) -> None:
    second = (await found_tenant(house, "second")).id
    await runner(house)
    await runner(house, tenant_id=second)
    await trust(house, provider, single_use=False)
    await trust(house, provider, tenant_id=second, single_use=False)
    token = build(provider)
    assert await code(house, token) == "invalid_request"
    for tenant in (second, house.made["tenant_id"]):
        me = await house.get("/v1/auth/whoami", token=await given(house, token, tenant_id=tenant))
        assert me.json["tenant_id"] == tenant
    await suspend(house, "tenant", second)
    refused = await exchange(house, token, tenant_id=second)
    assert (refused.status, refused.details) == (403, {"reason": "tenant_suspended"})


async def test_a_deleted_tenants_trusts_are_not_there(house: House, provider: Provider) -> None:
    second = (await found_tenant(house, "second")).id
    await runner(house, tenant_id=second)
    await trust(house, provider, tenant_id=second)
    where = f"/v1/identity/tenants/{second}"
    assert (await house.call("DELETE", f"{where}?confirm={second}")).status == 204
    assert await code(house, build(provider)) == "token_invalid"
    assert provider.calls == []


async def test_very_many_key_sets_are_not_asked_for(house: House, provider: Provider) -> None:
    """A tenant could else make every exchange of a shared issuer slow."""
    second = (await found_tenant(house, "second")).id
    await runner(house)
    await runner(house, tenant_id=second)
    await trust(house, provider)
    for number in range(33):
        keys = f"{provider.url}/keys/{number}"
        await trust(house, provider, tenant_id=second, name=f"t{number}", jwks_url=keys)
    answer = await exchange(house, build(provider))
    assert (answer.status, answer.details) == (400, {"reason": "ambiguous_role"})
    assert provider.calls == []
    assert await code(house, build(provider), tenant_id=house.made["tenant_id"]) == "ok"


async def test_very_many_trusts_are_not_looked_at(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaivault.identity.oauth.exchange._MOST", 3)
    await runner(house)
    await runner(house, "other")
    for number in range(3):
        await trust(house, provider, name=f"t{number}", subject=f"repo:harbor/{number}:*")
    await trust(house, provider, identity="sa:other", single_use=False)
    token = build(provider)
    answer = await exchange(house, token)
    assert (answer.status, answer.details) == (400, {"reason": "ambiguous_role"})
    assert provider.calls == []
    assert await code(house, token, role="sa:other") == "ok"


async def test_an_unproven_token_learns_of_no_trust(house: House, provider: Provider) -> None:
    """Junk is junk, whether its subject would fit a trust or not."""
    await runner(house)
    await trust(house, provider)
    for subject in (SUBJECT, "repo:other/one"):
        head, payload, _ = build(provider, sub=subject).split(".")
        forged = f"{head}.{payload}.{'A' * 86}"
        assert await code(house, forged) == "token_invalid"
        assert await code(house, forged, role="sa:nobody") == "token_invalid"
    assert "subject" not in (await house.rows(action="auth_failed"))[-1]["extra_data"]


async def test_one_trusts_keys_prove_nothing_to_another(house: House, provider: Provider) -> None:
    """A tenant that brings keys of its own for somebody else's issuer lets in only itself."""
    second = (await found_tenant(house, "second")).id
    await runner(house)
    await runner(house, tenant_id=second)
    await trust(house, provider, single_use=False)
    forger = Provider(house.clock)
    forger.url = provider.url
    keys = {"keys": [jwk(forger.key, "one")]}
    await trust(house, provider, tenant_id=second, jwks=keys, single_use=False)
    forged = build(forger)
    assert await code(house, forged, tenant_id=house.made["tenant_id"]) == "token_invalid"
    me = await house.get("/v1/auth/whoami", token=await given(house, forged))
    assert me.json["tenant_id"] == second


# -- checks of the token ---------------------------------------------------------------------------


async def test_the_checks_are_those_of_any_foreign_token(
    house: House, provider: Provider, trusted: str
) -> None:
    now = house.clock.now() // SECOND
    bad = {
        "expired": build(provider, iat=now - 700, exp=now - 60),
        "audience": build(provider, aud="else"),
        "no audience": build(provider, aud=None),
        "no exp": build(provider, exp=None),
        "no iat": build(provider, iat=None),
        "later": build(provider, nbf=now + 61),
        "a day and more": build(provider, exp=now + 86_401),
        "issuer": build(provider, iss=provider.url + "/"),
        "junk": "x.y.z",
        "personal": house.token,
    }
    found = {name: await code(house, token) for name, token in bad.items()}
    assert found == {
        **dict.fromkeys(bad, "token_invalid"),
        "expired": "token_expired",
    }
    assert await code(house, build(provider, aud=["x", "scaivault"])) == "ok"


async def test_a_trusts_own_audience_and_algorithms(house: House, provider: Provider) -> None:
    await runner(house)
    await trust(house, provider, audience=["https://vault.harbor.example"], algorithms=["ES256"])
    assert await code(house, build(provider)) == "token_invalid"
    assert await code(house, build(provider, aud="https://vault.harbor.example")) == "ok"
    rsa = build(provider)
    provider.kid = "other"
    assert await code(house, rsa) == "token_invalid"


async def test_our_own_token_is_no_foreign_one(house: House, provider: Provider) -> None:
    await runner(house)
    own = await house.client("own", ["secrets:read"])
    assert await code(house, own) == "token_invalid"


async def test_limits_of_the_request(house: House, provider: Provider, trusted: str) -> None:
    token = build(provider)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"subject_token_type": "jwt"}, "validation_error"),
        ({"grant_type": "client_credentials"}, "validation_error"),
        ({"audience": "other"}, "validation_error"),
        ({"allowed_paths": []}, "validation_error"),
        ({"allowed_paths": ["a"] * 51}, "validation_error"),
        ({"allowed_paths": ["/a"]}, "invalid_glob"),
        ({"ttl": "0s"}, "invalid_duration"),
        ({"who": "me"}, "validation_error"),
    ]
    for fields, wanted in cases:
        assert await code(house, token, **fields) == wanted, fields
    assert await code(house, "x" * 16_385) == "validation_error"
    assert await code(house, "x" * 16_384) == "token_invalid"


# -- once ------------------------------------------------------------------------------------------


async def test_a_short_token_counts_once(house: House, provider: Provider, trusted: str) -> None:
    token = build(provider)
    assert await code(house, token) == "ok"
    again = await exchange(house, token)
    assert (again.status, again.code) == (401, "token_invalid")
    row = (await house.rows(request_id=again.headers["x-request-id"]))[0]
    assert (row["action"], row["success"]) == ("auth_failed", False)
    assert row["extra_data"] == {
        "error_code": "token_invalid", "route": f"POST {EXCHANGE}", "issuer": provider.url,
        "subject": SUBJECT,
    }  # fmt: skip
    assert (row["identity_id"], row["tenant_id"]) == (None, house.made["tenant_id"])
    assert len(await house.rows(request_id=again.headers["x-request-id"])) == 1
    await house.restart()
    await house.unseal()
    assert await code(house, token) == "token_invalid"
    assert await code(house, build(provider, jti="another")) == "ok"


async def test_once_also_over_a_crash(house: House, provider: Provider, trusted: str) -> None:
    token = build(provider)
    mine = await given(house, token)
    await house.crash()
    await house.unseal()
    assert await code(house, token) == "token_invalid"
    assert (await house.get("/v1/auth/whoami", token=mine)).status == 200


async def test_a_refused_login_spends_nothing(
    house: House, provider: Provider, trusted: str
) -> None:
    token = build(provider)
    assert await code(house, token, scope="admin") == "insufficient_scope"
    assert await code(house, token, role="sa:nobody") == "access_denied"
    assert await code(house, token) == "ok"


async def test_once_also_for_all_who_come_together(
    house: House, provider: Provider, trusted: str
) -> None:
    token = build(provider)
    found = await asyncio.gather(*(code(house, token) for _ in range(8)))
    assert sorted(found) == ["ok", *["token_invalid"] * 7]


@pytest.mark.parametrize(
    ("single_use", "minutes", "jti", "wanted"),
    [
        (None, 9, "j", ["ok", "token_invalid"]),
        (None, 10, "j", ["ok", "ok"]),
        (None, 9, None, ["ok", "ok"]),
        (True, 60, "j", ["ok", "token_invalid"]),
        (True, 60, None, ["token_invalid", "token_invalid"]),
        (True, 60, "", ["token_invalid", "token_invalid"]),
        (False, 1, "j", ["ok", "ok"]),
    ],
)
async def test_which_tokens_count_once(
    house: House,
    provider: Provider,
    single_use: bool | None,
    minutes: int,
    jti: str | None,
    wanted: list[str],
) -> None:
    await runner(house)
    await trust(house, provider, single_use=single_use)
    now = house.clock.now() // SECOND
    token = build(provider, exp=now + minutes * 60, jti=jti)
    assert [await code(house, token) for _ in wanted] == wanted


async def test_spent_tokens_are_forgotten_when_they_are_over(
    house: House, provider: Provider, trusted: str
) -> None:
    """For a day: until then a clock that is set back does not make them count again."""

    async def kept() -> int:
        rows = await house.vault.gate.ask(
            lambda db: db.execute("SELECT count(*) FROM trust_spent").fetchall()
        )
        return int(rows[0][0])

    await house.run_jobs()  # from here on they are due at their time
    token = build(provider)
    await given(house, token)
    house.clock.advance(HOUR)
    await house.run_jobs()
    assert await kept() == 1
    house.clock.advance(-HOUR)
    assert await code(house, token) == "token_invalid"
    house.clock.advance(DAY + HOUR)
    await house.run_jobs()
    assert await kept() == 0


# -- the end of it ---------------------------------------------------------------------------------


async def test_a_change_or_the_end_of_the_trust_ends_its_tokens(
    house: House, provider: Provider, trusted: str
) -> None:
    first = await given(house, build(provider, jti="1"))
    assert (await patch(house, trusted, max_ttl="30m")).status == 200
    assert (await house.get("/v1/auth/whoami", token=first)).code == "token_revoked"
    second = await given(house, build(provider, jti="2"))
    child = await given(house, second, subject_token_type=TYPE + "access_token")
    assert (await house.call("DELETE", f"{TRUSTS}/{trusted}")).status == 204
    for token in (second, child):
        assert (await house.get("/v1/auth/whoami", token=token)).code == "token_revoked"
    assert await code(house, build(provider, jti="3")) == "token_invalid"


async def test_revoked_access_ends_trusts_too(house: House, provider: Provider) -> None:
    account = await runner(house)
    trust_id = await trust(house, provider)
    await trust(house, provider, name="off", is_active=False)
    mine = await given(house, build(provider, jti="1"))
    where = f"/v1/identity/service_account/{account}/revoke-access"
    answer = await house.call("POST", where, {})
    assert (answer.status, answer.json["trusts_disabled"]) == (200, 1), answer.body
    assert (await house.get(f"{TRUSTS}/{trust_id}")).json["is_active"] is False
    assert (await house.get("/v1/auth/whoami", token=mine)).code == "token_revoked"
    assert await code(house, build(provider, jti="2")) == "token_invalid"


async def test_a_suspended_account_gets_nothing(house: House, provider: Provider) -> None:
    account = await runner(house)
    trust_id = await trust(house, provider)
    where = f"/v1/identity/service-accounts/{account}"
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).status == 200
    assert await code(house, build(provider, jti="1")) == "token_invalid"
    again = await patch(house, trust_id, is_active=True)
    assert (again.status, again.code) == (409, "invalid_state")
    await house.call("PATCH", where, {"status": "ACTIVE"})
    assert await code(house, build(provider, jti="2")) == "token_invalid"
    assert (await patch(house, trust_id, is_active=True)).status == 200
    assert await code(house, build(provider, jti="3")) == "ok"


async def test_tokens_are_listed_and_revoked_like_others(
    house: House, provider: Provider, trusted: str
) -> None:
    token = await given(house, build(provider))
    listed = await house.get("/v1/auth/tokens?token_kind=exchanged&identity_id=sa:ci")
    assert listed.status == 200, listed.body
    (item,) = listed.json["tokens"]
    assert (item["token_kind"], item["identity_id"]) == ("exchanged", "sa:ci")
    live = await house.call("POST", "/v1/auth/introspect", {"token": token})
    assert (live.json["active"], live.json["identity_id"]) == (True, "sa:ci")
    assert (await house.call("DELETE", f"/v1/auth/tokens/{item['id']}")).status == 204
    assert (await house.get("/v1/auth/whoami", token=token)).code == "token_revoked"
    gone = await house.call("POST", "/v1/auth/introspect", {"token": token})
    assert gone.json == {"active": False}


async def test_an_issuer_that_cannot_be_reached(house: House, provider: Provider) -> None:
    await runner(house)
    await trust(house, provider, single_use=False)
    await provider.stop()
    assert await code(house, build(provider)) == "token_invalid"
    await provider.start()
    house.clock.advance(MINUTE)
    assert await code(house, build(provider)) == "ok"
