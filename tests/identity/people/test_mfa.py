"""Second factors: enrolled, proven to a token, replaced, taken away."""

from __future__ import annotations

import asyncio

import pytest

from scaivault.clock import MINUTE, SECOND, instant
from scaivault.storage.file import Connection
from tests.support.house import Answer, House
from tests.support.people import (
    MIRA,
    code,
    enrol,
    login,
    mint,
    minted,
    person,
    proven,
    token_id,
    verify,
)

INES = "user:ines@harbor.example"
STEP = 30 * SECOND
WHERE = "/v1/auth/mfa/totp"


async def verified_at(house: House, token: str) -> str | None:
    found: str | None = (await house.get("/v1/auth/whoami", token=token)).json["mfa_verified_at"]
    return found


async def enabled(house: House, who: str = MIRA) -> bool:
    found: bool = (await house.get(f"/v1/identity/users/{who}")).json["mfa_enabled"]
    return found


async def reset(house: House, who: str = MIRA, token: str = "") -> Answer:
    return await house.call("DELETE", f"/v1/identity/users/{who}/mfa", token=token)


async def rewrap(house: House) -> None:
    """The job runs every two seconds."""
    for _ in range(2):
        await house.run_jobs()
        house.clock.advance(2 * SECOND)


def wrong(house: House, secret: bytes) -> str:
    """A code that is none of those around."""
    near = {code(house, secret, off) for off in range(-2, 3)}
    return next(text for text in ("000000", "111111", "222222", "333333", "444444", "555555")
                if text not in near)  # fmt: skip


def rejected(answer: Answer) -> bool:
    told = (answer.status, answer.code, answer.details)
    return told == (403, "mfa_required", {"reason": "code_rejected"})


# -- enrolling -------------------------------------------------------------------------------------


async def test_enrolled_with_the_first_code(house: House) -> None:
    text = await login(house)
    made = await house.call("POST", WHERE, token=text)
    assert made.status == 201
    assert made.json == {
        "secret": made.json["secret"], "otpauth_uri": made.json["otpauth_uri"], "confirmed": False,
    }  # fmt: skip
    assert len(made.json["secret"]) == 32
    assert not await enabled(house)
    secret = await enrol(house, text)  # once more: nothing is confirmed yet
    answer = await verify(house, text, code(house, secret))
    now = instant(house.clock.now())
    assert (answer.status, answer.json) == (200, {"mfa_verified_at": now})
    assert await verified_at(house, text) == now
    assert await enabled(house)
    for action in ("mfa_enrol", "mfa_verify"):
        rows = await house.rows(action=action, success=True)
        assert {row["extra_data"]["for"] for row in rows} == {MIRA}
    assert made.json["secret"] not in str(await house.rows())
    listed = (await house.get("/v1/auth/tokens/self", token=text)).json
    assert listed["mfa_verified_at"] == now


async def test_a_replay_tells_no_secret(house: House) -> None:
    text = await login(house)
    first, again = [
        await house.call("POST", WHERE, token=text, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert (again.status, again.json) == (201, {"confirmed": False})
    assert "secret" in first.json


async def test_it_marks_the_calling_token_only(house: House) -> None:
    text = await login(house)
    other, child = await minted(house, identity_id=MIRA), await minted(house, text)
    await proven(house, text)
    assert await verified_at(house, text) is not None
    assert await verified_at(house, other) is None
    assert await verified_at(house, child) is None
    later = await minted(house, text)
    assert await verified_at(house, later) is None


async def test_only_users_of_our_own(house: House) -> None:
    account = await house.client("app", ["secrets:read"])
    for method, path, body in (
        ("POST", WHERE, None), ("DELETE", WHERE, None),
        ("POST", "/v1/auth/mfa/verify", {"code": "123456"}),
    ):  # fmt: skip
        answer = await house.call(method, path, body, token=account)
        assert (answer.status, answer.code) == (403, "forbidden")


@pytest.mark.parametrize(
    "given", ["12345", "1234567", "12345a", "\uff11\uff1123456", "123456\n", 123456]
)
async def test_what_is_no_code(house: House, given: object) -> None:
    text = await login(house)
    answer = await house.call("POST", "/v1/auth/mfa/verify", {"code": given}, token=text)
    assert (answer.status, list(answer.details["fields"])) == (422, ["code"])


# -- codes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("later", range(-3, 4))
async def test_the_window(house: House, later: int) -> None:
    text = await login(house)
    secret = await proven(house, text)
    house.clock.advance(10 * STEP)
    answer = await verify(house, text, code(house, secret, later))
    assert answer.status == 200 if abs(later) <= 1 else rejected(answer)


async def test_each_step_once_in_any_order(house: House) -> None:
    text = await login(house)
    secret = await enrol(house, text)
    for later in (1, -1, 0):
        assert (await verify(house, text, code(house, secret, later))).status == 200
        assert rejected(await verify(house, text, code(house, secret, later)))
    house.clock.advance(STEP)
    assert rejected(await verify(house, text, code(house, secret)))
    assert (await verify(house, text, code(house, secret, 1))).status == 200


async def test_one_code_in_parallel_counts_once(house: House) -> None:
    first = await login(house)
    others = [await minted(house, identity_id=MIRA) for _ in range(3)]
    secret = await enrol(house, first)
    given = code(house, secret)
    answers = await asyncio.gather(*(verify(house, one, given) for one in (first, *others)))
    assert sorted(one.status for one in answers) == [200, 403, 403, 403]
    marks = [await verified_at(house, one) for one in (first, *others)]
    assert [mark is not None for mark in marks] == [one.status == 200 for one in answers]


async def test_a_used_code_stays_used_after_a_crash(house: House) -> None:
    text = await login(house)
    secret = await enrol(house, text)
    given = code(house, secret)
    assert (await verify(house, text, given)).status == 200
    await house.crash()
    await house.unseal()
    assert rejected(await verify(house, text, given))
    assert await verified_at(house, text) is not None


async def test_a_clock_that_goes_back_brings_no_code_back(house: House) -> None:
    text = await login(house)
    secret = await proven(house, text)
    house.clock.advance(20 * STEP)
    overheard = code(house, secret)
    house.clock.advance(4 * STEP)
    assert (await verify(house, text, code(house, secret))).status == 200
    house.clock.advance(-4 * STEP)
    assert rejected(await verify(house, text, overheard))


async def test_a_refused_code_says_what_helps(house: House) -> None:
    text = await login(house)
    answer = await verify(house, text, "000000")
    assert rejected(answer)
    assert answer.json["error"]["message"] == "there is no second factor yet: enrol one first"
    secret = await enrol(house, text)
    answer = await verify(house, text, wrong(house, secret))
    assert rejected(answer)
    assert "authenticator" in answer.json["error"]["message"]
    for form in ("12345", "abcdef"):
        answer = await verify(house, text, form)
        assert answer.details == {"fields": {"code": "must be six digits"}}


async def test_a_key_replays_the_answer_and_not_the_code(house: House) -> None:
    text = await login(house)
    secret = await enrol(house, text)
    key = {"idempotency-key": "k"}
    given = code(house, secret)
    first = await verify(house, text, given, headers=key)
    house.clock.advance(MINUTE)
    again = await verify(house, text, given, headers=key)
    assert (again.status, again.json) == (200, first.json)
    assert await verified_at(house, text) == first.json["mfa_verified_at"]
    bad = {"idempotency-key": "bad"}
    for _ in range(2):  # a refusal is not kept: the second guess is a guess too
        assert rejected(await verify(house, text, wrong(house, secret), headers=bad))
    rows = await house.rows(action="mfa_verify", success=False)
    assert [row["extra_data"]["error_code"] for row in rows] == ["mfa_required"] * 2


# -- guessing --------------------------------------------------------------------------------------


async def test_five_wrong_codes_in_a_quarter_of_an_hour(house: House) -> None:
    text = await login(house)
    other = await minted(house, identity_id=MIRA)
    secret = await proven(house, text)
    for count in range(5):
        house.clock.advance(MINUTE)
        assert rejected(await verify(house, (text, other)[count % 2], wrong(house, secret)))
    right = code(house, secret)
    for token in (text, other):
        answer = await verify(house, token, right)
        assert (answer.status, answer.code) == (429, "rate_limited")
        assert answer.details == {"category": "auth_tokens", "limit": 5, "retry_after": 660}
        assert answer.json["error"]["message"] == "too many wrong codes; retry in 660 s"
        assert answer.headers["retry-after"] == "660"
    await house.crash()
    await house.unseal()
    assert (await verify(house, text, right)).status == 429
    house.clock.advance(660 * SECOND - 1)
    assert (await verify(house, text, code(house, secret))).status == 429
    house.clock.advance(1)
    assert (await verify(house, text, code(house, secret))).status == 200
    # The other four still count.
    assert rejected(await verify(house, text, wrong(house, secret)))
    assert (await verify(house, text, wrong(house, secret))).status == 429


async def test_guesses_in_parallel(house: House) -> None:
    text = await login(house)
    secret = await proven(house, text)
    given = wrong(house, secret)
    answers = await asyncio.gather(*(verify(house, text, given) for _ in range(20)))
    assert sorted(one.status for one in answers) == [403] * 5 + [429] * 15


async def test_a_new_authenticator_brings_no_new_guesses(house: House) -> None:
    text = await login(house)
    secret = await enrol(house, text)
    for _ in range(5):
        assert rejected(await verify(house, text, wrong(house, secret)))
    secret = await enrol(house, text)
    assert (await verify(house, text, code(house, secret))).status == 429
    assert (await reset(house)).status == 204
    secret = await enrol(house, text)
    assert (await verify(house, text, code(house, secret))).status == 429


async def test_guesses_at_one_user_do_not_lock_out_another(house: House) -> None:
    text, ines = await login(house), await login(house, INES)
    theirs = await proven(house, ines)
    for _ in range(6):
        await verify(house, text, "000000")
    house.clock.advance(STEP)
    assert (await verify(house, ines, code(house, theirs))).status == 200
    assert rejected(await verify(house, ines, "000000"))


# -- replacing and taking away ---------------------------------------------------------------------


async def test_replacing_takes_a_fresh_proof(house: House) -> None:
    text = await login(house)
    other = await minted(house, identity_id=MIRA)
    old = await proven(house, text)
    house.clock.advance(15 * MINUTE)
    answer = await house.call("POST", WHERE, token=other)
    assert (answer.status, answer.code) == (403, "mfa_required")
    new = await enrol(house, text)
    house.clock.advance(1)
    assert (await house.call("POST", WHERE, token=text)).code == "mfa_required"
    # Until the new one is confirmed the old one counts.
    assert (await verify(house, other, code(house, old))).status == 200
    assert (await verify(house, text, code(house, new))).status == 200
    house.clock.advance(STEP)
    assert rejected(await verify(house, text, code(house, old)))
    # What was proven by the old one is proven no more.
    assert await verified_at(house, other) is None
    assert await enabled(house)


async def test_taking_it_away_takes_a_fresh_proof(house: House) -> None:
    text = await login(house)
    other = await minted(house, identity_id=MIRA)
    secret = await proven(house, text)
    answer = await house.call("DELETE", WHERE, token=other)
    assert (answer.status, answer.code) == (403, "mfa_required")
    house.clock.advance(MINUTE)
    assert (await verify(house, other, code(house, secret))).status == 200
    assert (await house.call("DELETE", WHERE, token=text)).status == 204
    assert not await enabled(house)
    assert (await verified_at(house, text), await verified_at(house, other)) == (None, None)
    assert rejected(await verify(house, text, code(house, secret, 1)))
    (row,) = await house.rows(action="mfa_reset", success=True)
    assert row["extra_data"] == {"for": MIRA}


async def test_an_admin_takes_it_away(house: House) -> None:
    text = await login(house)
    await proven(house, text)
    record = (await house.get(f"/v1/identity/users/{MIRA}")).json["id"]
    for who in (MIRA, record):
        assert (await reset(house, who)).status == 204
    assert not await enabled(house)
    assert await verified_at(house, text) is None
    rows = await house.rows(action="mfa_reset", success=True)
    assert [row["extra_data"] for row in rows] == [{"for": MIRA}, {"for": MIRA}]
    assert (await reset(house, "user:nobody@harbor.example")).code == "identity_not_found"
    await enrol(house, text)


async def test_who_may_take_it_away(house: House) -> None:
    text = await login(house)
    await proven(house, text)
    scope = await house.client("scope", ["identity:admin"])
    rank = await house.client("rank", ["identity:read"], ["tenant_admin"])
    assert (await reset(house, token=scope)).details == {"required_role": "tenant_admin"}
    assert (await reset(house, token=rank)).code == "insufficient_scope"
    role = f"/v1/identity/users/{MIRA}/roles"
    assert (await house.call("PUT", role, {"roles": ["partner_admin"]})).status == 200
    both = await house.client("both", ["identity:admin"], ["tenant_admin"])
    answer = await reset(house, token=both)
    assert (answer.status, answer.details) == (403, {"required_role": "partner_admin"})
    assert await enabled(house)


async def test_an_admin_proves_his_own_before_it_goes(house: House) -> None:
    """Else a stolen token of an admin would be rid of the second factor."""
    text = await login(house, scopes=["identity:admin"])
    role = f"/v1/identity/users/{MIRA}/roles"
    assert (await house.call("PUT", role, {"roles": ["tenant_admin"]})).status == 200
    await proven(house, text)
    stolen = await minted(house, text, scopes=["identity:admin"])
    answer = await reset(house, token=stolen)
    assert (answer.status, answer.code) == (403, "mfa_required")
    assert (await reset(house, token=text)).status == 204


async def test_no_way_around_by_another_token(house: House) -> None:
    """A child of a proven token has nothing proven, nor has what it makes."""
    text = await login(house)
    await proven(house, text)
    free = await minted(house, text)
    for token in (free, await minted(house, free)):
        assert (await house.call("DELETE", WHERE, token=token)).code == "mfa_required"
        assert (await house.call("POST", WHERE, token=token)).code == "mfa_required"
    assert (await mint(house, free)).json["parent_id"] == await token_id(house, free)


async def test_deleted_and_suspended_users_prove_nothing(house: House) -> None:
    text = await login(house)
    secret = await proven(house, text)
    where = f"/v1/identity/users/{MIRA}"
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).status == 200
    answer = await verify(house, text, code(house, secret, 1))
    assert (answer.status, answer.code) == (401, "token_revoked")


# -- what policies see -----------------------------------------------------------------------------


async def test_rules_that_want_it(house: House) -> None:
    await house.put("app/db", {"n": 1})
    text = await login(house)
    fresh = {"require_mfa": True, "mfa_max_age": "10m"}
    rule = {"path_pattern": "app/**", "permissions": ["read"], "conditions": fresh}
    policy = await house.call("POST", "/v1/policies", {"name": "p", "rules": [rule]})
    where = f"/v1/policies/{policy.json['id']}/bindings"
    bound = {"identity_type": "user", "identity_id": MIRA}
    assert (await house.call("POST", where, bound)).status == 201
    assert (await house.read("app/db", token=text)).code == "mfa_required"
    await proven(house, text)
    assert (await house.read("app/db", token=text)).status == 200
    house.clock.advance(10 * MINUTE)
    assert (await house.read("app/db", token=text)).status == 200
    house.clock.advance(1)
    answer = await house.read("app/db", token=text)
    assert (answer.code, answer.details["failed_condition"]) == ("mfa_required", "require_mfa")


# -- at rest ---------------------------------------------------------------------------------------


async def test_its_secret_moves_to_a_new_key(house: House) -> None:
    text = await login(house)
    secret = await proven(house, text)
    where = f"/v1/system/tenants/{house.made['tenant_id']}/rotate-key"
    assert (await house.call("POST", where)).json["deks_total"] == 1
    await rewrap(house)
    progress = (await house.get(where)).json
    assert (progress["status"], progress["deks_remaining"]) == ("done", 0)
    house.clock.advance(STEP)
    assert (await verify(house, text, code(house, secret))).status == 200


async def test_secrets_are_bound_to_their_place(house: House) -> None:
    """One that was put in another's place does not open there."""
    text, ines = await login(house), await login(house, INES)
    await proven(house, text)
    theirs = await proven(house, ines)
    mine = (await house.get(f"/v1/identity/users/{MIRA}")).json["id"]

    def put(db: Connection) -> None:
        db.execute(
            "UPDATE totp SET (key_version, dek, secret) = (SELECT o.key_version, o.dek, o.secret"
            " FROM totp o WHERE o.user_id <> :mine) WHERE user_id = :mine",
            {"mine": mine},
        )

    await house.vault.database.alone(put)
    house.clock.advance(STEP)
    given = code(house, theirs)
    assert (await verify(house, text, given)).code == "internal_error"
    assert (await verify(house, ines, given)).status == 200


async def test_one_that_does_not_open_keeps_no_old_key(house: House) -> None:
    text = await login(house)
    secret = await proven(house, text)

    def spoil(db: Connection) -> None:
        db.execute("UPDATE totp SET dek = zeroblob(length(dek))")

    await house.vault.database.alone(spoil)
    where = f"/v1/system/tenants/{house.made['tenant_id']}/rotate-key"
    assert (await house.call("POST", where)).status == 202
    await rewrap(house)
    assert (await house.get(where)).json["status"] == "done"
    house.clock.advance(STEP)
    assert rejected(await verify(house, text, code(house, secret)))
    # It still is a second factor: nobody gets past it but an admin.
    assert (await reset(house)).status == 204
    assert await person(house, INES)
    await proven(house, text)
