"""Personal access tokens made through the API."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, instant
from scaivault.crypto import codes
from tests.support.house import Answer, House
from tests.support.people import MIRA, login, mint, minted, person, proven, token_id
from tests.support.tenants import found_tenant

INES = "user:ines@harbor.example"
ADMIN = ("identity:admin", "secrets:read", "secrets:list")


async def whoami(house: House, token: str) -> Any:
    return (await house.get("/v1/auth/whoami", token=token)).json


async def revoke(house: House, wanted: str, token: str = "") -> Answer:
    return await house.call("DELETE", f"/v1/auth/tokens/{wanted}", token=token)


# -- what is answered ------------------------------------------------------------------------------


async def test_a_token_for_a_user(house: House) -> None:
    await person(house)
    made = await mint(
        house,
        name="Mira's laptop",
        scopes=["secrets:read", "secrets:list", "secrets:read"],
        identity_id=MIRA,
        allowed_paths=["app/**"],
        ip_ranges=["127.0.0.0/8", "2001:db8::/32"],
    )
    assert made.status == 201
    body = made.json
    text = body.pop("token")
    assert codes.is_token(codes.TOKEN, text)
    now = house.clock.now()
    assert body == {
        "id": body["id"],
        "token_kind": "personal_access_token",
        "name": "Mira's laptop",
        "identity_id": MIRA,
        "tenant_id": house.made["tenant_id"],
        "scopes": ["secrets:list", "secrets:read"],
        "allowed_paths": ["app/**"],
        "ip_ranges": ["127.0.0.0/8", "2001:db8::/32"],
        "parent_id": None,
        "created_at": instant(now),
        "expires_at": instant(now + 90 * DAY),
        "last_used_at": None,
        "mfa_verified_at": None,
        "revoked_at": None,
        "status": "active",
    }
    seen = await whoami(house, text)
    assert (seen["identity_id"], seen["token_id"]) == (MIRA, body["id"])
    assert (seen["allowed_paths"], seen["ip_ranges"]) == (body["allowed_paths"], body["ip_ranges"])
    (row,) = await house.rows(action="token_create", success=True)
    assert row["extra_data"] == {
        "token_id": body["id"],
        "for": MIRA,
        "scopes": body["scopes"],
        "expires_at": body["expires_at"],
    }
    assert text not in str(await house.rows())


async def test_a_replay_answers_without_the_token(house: House) -> None:
    await person(house)
    body = {"name": "x", "scopes": ["secrets:read"], "identity_id": MIRA}
    first, again = [
        await house.call("POST", "/v1/auth/tokens", body, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert (first.status, again.status) == (201, 201)
    assert again.headers["idempotency-replayed"] == "true"
    told = first.json
    assert codes.is_token(codes.TOKEN, told.pop("token"))
    assert again.json == told
    assert len(await house.rows(action="token_create")) == 2
    listed = await house.get(f"/v1/auth/tokens?identity_id={MIRA}")
    assert [one["id"] for one in listed.json["tokens"]] == [told["id"]]


async def test_how_long_it_lives(house: House) -> None:
    await person(house)
    now = house.clock.now()
    for sent, life in (
        ({"expires_in": "36h"}, 36 * HOUR),
        ({"expires_at": instant(now + 5 * SECOND)}, 5 * SECOND),
        ({"expires_in": "365d"}, 365 * DAY),
        ({"expires_in": None}, 90 * DAY),
    ):
        made = await mint(house, identity_id=MIRA, **sent)
        assert made.json["expires_at"] == instant(now + life)
    for refused, field in (
        ({"expires_in": "366d"}, "expires_in"),
        ({"expires_at": instant(now + 365 * DAY + 1)}, "expires_at"),
        ({"expires_at": instant(now)}, "expires_at"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59Z"}, "expires_at"),
        ({"expires_in": "1h", "expires_at": instant(now + HOUR)}, "expires_at"),
    ):
        answer = await mint(house, identity_id=MIRA, **refused)
        assert (answer.status, list(answer.details["fields"])) == (422, [field]), refused
    answer = await mint(house, identity_id=MIRA, expires_in="366d")
    assert answer.details["fields"] == {"expires_in": "is longer than identity.pat_max_ttl: 365d"}
    answer = await mint(house, identity_id=MIRA, expires_in="1 day")
    assert (answer.status, answer.code) == (400, "invalid_duration")


async def test_the_end_that_was_named_is_the_end(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the request waits for its turn to write."""
    text = await login(house)
    check, wait = house.vault.minting._check_may, 3

    async def slow(*given: Any) -> None:
        await check(*given)
        house.clock.advance(wait)

    monkeypatch.setattr(house.vault.minting, "_check_may", slow)
    now = house.clock.now()
    made = await mint(house, text, expires_at=instant(now + HOUR))
    assert made.json["expires_at"] == instant(now + HOUR)
    wait = HOUR
    answer = await mint(house, text, expires_at=instant(now + HOUR))
    assert (answer.status, list(answer.details["fields"])) == (422, ["expires_at"])
    wait = 91 * DAY
    assert (await mint(house, text, expires_in="1h")).code == "token_expired"


async def test_it_ends_on_time(house: House) -> None:
    text = await login(house, expires_in="2s")
    house.clock.advance(2 * SECOND)
    answer = await house.get("/v1/auth/whoami", token=text)
    assert (answer.status, answer.code) == (401, "token_expired")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"scopes": []}, "scopes"),
        ({"scopes": ["secrets:read", "secrets:fly"]}, "scopes"),
        ({"name": ""}, "name"),
        ({"name": "a\u202eb"}, "name"),
        ({"name": 7}, "name"),
        ({"allowed_paths": []}, "allowed_paths"),
        ({"allowed_paths": ["a"] * 51}, "allowed_paths"),
        ({"ip_ranges": []}, "ip_ranges"),
        ({"ip_ranges": ["10.0.0.0/8"] * 51}, "ip_ranges"),
        ({"ip_ranges": ["10.0.0.0/8", "10.0.0.1/8"]}, "ip_ranges.1"),
        ({"ip_ranges": ["office"]}, "ip_ranges.0"),
        ({"identity_id": "sa:root"}, "identity_id"),
        ({"identity_id": "group:night"}, "identity_id"),
        ({"identity_id": "system:purge"}, "identity_id"),
        ({"color": "red"}, "color"),
    ],
)
async def test_bodies_that_are_refused(house: House, body: dict[str, Any], field: str) -> None:
    await person(house)
    answer = await mint(house, **{"identity_id": MIRA, **body})
    assert (answer.status, answer.code) == (422, "validation_error"), answer.body
    assert list(answer.details["fields"]) == [field]


async def test_bad_globs(house: House) -> None:
    await person(house)
    answer = await mint(house, identity_id=MIRA, allowed_paths=["app/**", "/app"])
    assert (answer.status, answer.code) == (400, "invalid_glob")
    assert answer.details["field"] == "allowed_paths.1"


# -- for whom --------------------------------------------------------------------------------------


async def test_service_accounts_have_none(house: House) -> None:
    account = await house.client("app", ["secrets:read"], ["tenant_admin"])
    for token in (account, ""):
        answer = await mint(house, token, scopes=["secrets:read"])
        assert (answer.status, answer.code) == (403, "forbidden")
    record = (await house.get("/v1/identity/service-accounts/sa:app")).json["id"]
    for named in ("sa:app", record):
        answer = await mint(house, identity_id=named)
        assert (answer.status, answer.code) == (422, "validation_error")


async def test_scopes_beyond_ones_own(house: House) -> None:
    text = await login(house, scopes=["secrets:read"])
    for scopes in (["secrets:write"], ["secrets:read", "secrets:list"], ["admin"]):
        answer = await mint(house, text, scopes=scopes)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"reason": "scope_not_held"}
        assert answer.json["error"]["message"].endswith(f"does not hold: {scopes[-1]}")
    (row, *_) = await house.rows(action="token_create", success=False)
    assert row["extra_data"]["error_code"] == "forbidden"
    assert (await mint(house, text, scopes=["secrets:read"])).status == 201


async def test_admin_hands_on_any_scope(house: House) -> None:
    text = await login(house, scopes=["admin"])
    assert (await mint(house, text, scopes=["pki:issue", "secrets:read"])).status == 201


async def test_others_take_identity_admin_and_tell_nothing_without(house: House) -> None:
    await person(house, INES)
    text = await login(house, scopes=["secrets:read", "secrets:list"])
    told = [
        await mint(house, text, identity_id=who)
        for who in (INES, "user:nobody@harbor.example", "usr_00000000000000000000")
    ]
    assert {(one.status, one.code) for one in told} == {(403, "forbidden")}
    assert len({str(one.details) for one in told}) == 1
    admin = await minted(house, identity_id=MIRA, scopes=list(ADMIN))
    made = await mint(house, admin, identity_id=INES)
    assert made.json["identity_id"] == INES
    assert made.json["parent_id"] is None
    answer = await mint(house, admin, identity_id="user:nobody@harbor.example")
    assert (answer.status, answer.code) == (404, "identity_not_found")


async def test_nobody_makes_a_token_for_who_ranks_above(house: House) -> None:
    admin = await login(house, scopes=list(ADMIN))
    above = await person(house, INES)
    roles = f"/v1/identity/users/{above}/roles"
    assert (await house.call("PUT", roles, {"roles": ["tenant_admin"]})).status == 200
    answer = await mint(house, admin, identity_id=INES)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details == {"required_role": "tenant_admin"}


async def test_another_tenants_user(house: House) -> None:
    far = await found_tenant(house, "far")
    body = {"email": "mira@harbor.example", "tenant_id": far.id}
    stranger = (await house.call("POST", "/v1/identity/users", body)).json["id"]
    await person(house)
    admin = await minted(house, identity_id=MIRA, scopes=list(ADMIN))
    answer = await mint(house, admin, identity_id=stranger)
    assert (answer.status, answer.code) == (404, "identity_not_found")
    made = await mint(house, identity_id=stranger)  # super_admin
    assert (made.status, made.json["tenant_id"]) == (201, far.id)
    (row,) = await house.rows(action="token_create", tenant_id=far.id)
    assert row["success"]
    # The namesake of another tenant is somebody else.
    mine = await mint(house, admin, identity_id=MIRA)
    assert mine.json["parent_id"] == await token_id(house, admin)


async def test_users_who_are_not_active(house: House) -> None:
    gone, idle = await person(house), await person(house, INES)
    assert (await house.call("DELETE", f"/v1/identity/users/{gone}")).status == 204
    where = f"/v1/identity/users/{idle}"
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).status == 200
    answer = await mint(house, identity_id=INES)
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details["state"] == "SUSPENDED"
    assert (await mint(house, identity_id=MIRA)).code == "identity_not_found"


# -- children --------------------------------------------------------------------------------------


async def test_a_child_ends_with_its_parent(house: House) -> None:
    text = await login(house, expires_in="10d")
    for sent in ({}, {"expires_in": "20d"}, {"identity_id": MIRA}):
        made = (await mint(house, text, **sent)).json
        assert made["parent_id"] == await token_id(house, text)
        assert made["expires_at"] == (await whoami(house, text))["token_expires_at"]
    assert (await mint(house, text, expires_in="1h")).json["expires_at"] == instant(
        house.clock.now() + HOUR
    )


async def test_a_chain_of_children_is_revoked_with_the_first(house: House) -> None:
    chain = [await login(house)]
    for _ in range(4):
        chain.append(await minted(house, chain[-1]))
    beside = await minted(house, chain[0])
    middle = await token_id(house, chain[2])
    assert (await revoke(house, middle, chain[0])).status == 204
    codes = [(await house.get("/v1/auth/whoami", token=one)).status for one in chain]
    assert codes == [200, 200, 401, 401, 401]
    assert (await house.get("/v1/auth/whoami", token=beside)).status == 200
    assert (await revoke(house, "self", chain[0])).status == 204
    answer = await house.get("/v1/auth/whoami", token=beside)
    assert (answer.status, answer.code) == (401, "token_revoked")


async def test_a_token_cannot_prolong_itself(house: House) -> None:
    text = await login(house, expires_in="1h")
    ends = (await whoami(house, text))["token_expires_at"]
    for _ in range(3):
        house.clock.advance(19 * MINUTE)
        text = await minted(house, text, expires_in="90d")
        assert (await whoami(house, text))["token_expires_at"] == ends
    house.clock.advance(3 * MINUTE)
    assert (await house.get("/v1/auth/whoami", token=text)).code == "token_expired"


async def session(house: House, token: str) -> str:
    """A session narrowed from a token."""
    body = {
        "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }
    made = await house.call("POST", "/v1/auth/exchange", body, token=None)
    assert made.status == 200, made.body
    text: str = made.json["access_token"]
    return text


async def test_a_session_is_no_way_around(house: House) -> None:
    """What is made with a narrowed session ends with it, as what is made with its token does."""
    text = await login(house, allowed_paths=["app/**"])
    narrow = await session(house, text)
    made = (await mint(house, narrow)).json
    assert made["parent_id"] == await token_id(house, narrow)
    assert made["expires_at"] == instant(house.clock.now() + HOUR)
    assert made["allowed_paths"] == ["app/**"]
    assert (await revoke(house, "self", text)).status == 204
    assert (await house.get("/v1/auth/whoami", token=made["token"])).code == "token_revoked"


async def test_fresh_mfa_makes_a_token_of_its_own(house: House) -> None:
    text = await login(house, expires_in="10d")
    await proven(house, text)
    house.clock.advance(15 * MINUTE)
    free = (await mint(house, text)).json
    assert free["parent_id"] is None
    assert free["expires_at"] == instant(house.clock.now() + 90 * DAY)
    assert free["mfa_verified_at"] is None  # what was proven was proven to the other token
    house.clock.advance(1)
    assert (await mint(house, text)).json["parent_id"] is not None
    # A child of the fresh one is a child all the same: it has nothing proven.
    assert (await mint(house, free["token"])).json["parent_id"] == free["id"]
    assert (await revoke(house, "self", text)).status == 204
    assert (await house.get("/v1/auth/whoami", token=free["token"])).status == 200


async def test_none_is_made_with_a_token_that_ends_meanwhile(house: House) -> None:
    """Whatever comes first: with the revocation all that was made ends, and nothing is made
    behind it."""
    await person(house)
    for _ in range(5):
        text = await minted(house, identity_id=MIRA)
        answers = await asyncio.gather(
            *(mint(house, text) for _ in range(4)),
            revoke(house, "self", text),
            *(mint(house, text) for _ in range(4)),
        )
        made = [one.json["token"] for one in answers if one.status == 201]
        for one in made:
            assert (await house.get("/v1/auth/whoami", token=one)).code == "token_revoked"
        refused = [one.code for one in answers if one.status >= 400]
        assert set(refused) <= {"token_revoked"}


# -- what is inherited -----------------------------------------------------------------------------


async def test_paths_only_shrink(house: House) -> None:
    await house.put("app/db/main", {"n": 1})
    await house.put("app/web", {"n": 1})
    await house.put("lab/db", {"n": 1})
    narrow = await login(house, scopes=["admin"], allowed_paths=["app/**"])
    role = f"/v1/identity/users/{MIRA}/roles"
    assert (await house.call("PUT", role, {"roles": ["super_admin"]})).status == 200
    await person(house, INES)
    role = f"/v1/identity/users/{INES}/roles"
    assert (await house.call("PUT", role, {"roles": ["super_admin"]})).status == 200
    child = await minted(house, narrow, scopes=["admin"], allowed_paths=["**/db/*", "lab/**"])
    same = await minted(house, narrow, scopes=["admin"], allowed_paths=["app/**"])
    other = await minted(house, narrow, scopes=["admin"], identity_id=INES)
    reads = {
        name: [
            (await house.read(path, token=token)).status
            for path in ("app/db/main", "app/web", "lab/db")
        ]
        for name, token in (("child", child), ("same", same), ("other", other))
    }
    assert reads == {
        "child": [200, 403, 403],
        "same": [200, 200, 403],
        "other": [200, 200, 403],
    }
    assert (await whoami(house, child))["allowed_paths"] == ["**/db/*", "lab/**", "app/**"]
    assert (await whoami(house, same))["allowed_paths"] == ["app/**"]
    assert (await whoami(house, other))["allowed_paths"] == ["app/**"]
    await proven(house, narrow)  # no way around either
    free = await mint(house, narrow, scopes=["admin"])
    assert (free.json["parent_id"], free.json["allowed_paths"]) == (None, ["app/**"])


async def test_addresses_only_shrink(house: House) -> None:
    text = await login(house, ip_ranges=["127.0.0.0/8", "10.0.0.0/8"])
    assert (await mint(house, text)).json["ip_ranges"] == ["127.0.0.0/8", "10.0.0.0/8"]
    sent = ["127.0.0.1/32", "0.0.0.0/1", "192.0.2.0/24"]
    made = await mint(house, text, ip_ranges=sent)
    assert made.json["ip_ranges"] == ["127.0.0.1/32", "127.0.0.0/8", "10.0.0.0/8"]
    answer = await mint(house, text, ip_ranges=["192.0.2.0/24", "::/0"])
    assert (answer.status, list(answer.details["fields"])) == (422, ["ip_ranges"])
