"""When a token stops working, and what is kept of it and of whom it named."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY, MINUTE, SECOND
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, subjects
from tests.identity.foreign.asking import code, whoami
from tests.identity.foreign.conftest import Open
from tests.support.house import House
from tests.support.issuing import Provider, jwk, sealed
from tests.support.tenants import suspend

MIRA = "user:mira@harbor.example"


async def _change(house: House, identity: str, **changed: Any) -> None:
    """Fields of an identity's row, as a verb would change them."""
    vault = house.vault

    def change(tx: Transaction) -> None:
        who = subjects.subject(tx.connection, house.made["tenant_id"], identity)
        assert who is not None
        subjects.put(tx, who._replace(**changed))
        if "revoked_before" in changed:
            vault.foreign.forget_subjects(tx, who)
        tx.then(vault.authentication.forget)

    await vault.gate.change(vault.internal("test"), Act("identity_update"), change)


# -- one token ---------------------------------------------------------------------------------


async def test_a_token_that_is_remembered_still_ends(house: House, provider: Provider) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    provider.clock.advance(660 * SECOND - 1)
    assert await code(house, token) == "ok"
    provider.clock.advance(1)
    assert await code(house, token) == "token_expired"
    provider.clock.advance(-2 * MINUTE)
    assert await code(house, token) == "ok"


async def test_a_token_shows_and_ends_itself(house: House, provider: Provider) -> None:
    token, other = provider.token(jti="a"), provider.token(jti="b")
    shown = (await house.get("/v1/auth/tokens/self", token=token)).json
    assert shown["identity_id"] == MIRA
    assert shown["token_kind"] == "user_session"
    assert shown["status"] == "active"
    assert shown["id"] == (await whoami(house, token))["token_id"]
    assert shown["id"] != (await whoami(house, other))["token_id"]
    assert (await house.get(f"/v1/auth/tokens/{shown['id']}", token=token)).status == 200
    assert (await house.get(f"/v1/auth/tokens/{shown['id']}", token=other)).status == 404
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert await code(house, token) == "token_revoked"
    assert await code(house, provider.token(jti="a", sub="u-17", name="x")) == "token_revoked"
    assert await code(house, other) == "ok"
    [row] = await house.rows(action="token_revoke")
    assert row["extra_data"] == {"token_id": shown["id"], "for": MIRA}
    assert row["success"] is True


async def test_a_token_that_was_ended_stays_so_over_a_restart(
    house: House, provider: Provider
) -> None:
    token = provider.token()
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    await house.restart()
    await house.unseal()
    assert await code(house, token) == "token_revoked"


async def test_an_ended_token_is_forgotten_once_it_is_over(
    house: House, provider: Provider
) -> None:
    """For a day: until then a clock that is set back does not bring it back."""
    token = provider.token()
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    house.app.worker.due()

    async def kept() -> int:
        count: tuple[int] = await house.vault.gate.ask(
            lambda db: db.execute("SELECT count(*) FROM foreign_revoked").fetchone()
        )
        return count[0]

    vault = house.vault
    provider.clock.advance(11 * MINUTE + DAY - 1)
    await vault.forgetting.forget(vault.internal("expiry"))
    assert await kept() == 1
    provider.clock.advance(-DAY - 2 * MINUTE)
    assert await code(house, token) == "token_revoked"
    provider.clock.advance(DAY + 2 * MINUTE + 1)
    await vault.forgetting.forget(vault.internal("expiry"))
    assert await kept() == 0


async def test_a_revocation_that_races_a_login_is_not_forgotten(
    house: House, provider: Provider
) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    for _ in range(10):
        provider.clock.advance(SECOND)
        token = provider.token()
        await whoami(house, provider.token(jti="warm"))
        login = asyncio.create_task(code(house, token))
        await asyncio.sleep(0)
        ended = await house.call("DELETE", "/v1/auth/tokens/self", token=token)
        assert ended.status == 204
        await login
        assert await code(house, token) == "token_revoked"


# -- whom it names -----------------------------------------------------------------------------


async def test_the_first_token_takes_its_user_down(house: House, provider: Provider) -> None:
    await asyncio.gather(*(code(house, provider.token(jti=str(n))) for n in range(5)))
    made = await house.rows(action="identity_create", identity_id="system:identity-sync")
    assert len(made) == 1
    assert made[0]["tenant_id"] == provider.tenant
    assert made[0]["extra_data"]["object_type"] == "user"
    who = await house.vault.gate.ask(
        lambda db: subjects.subject_by_id(db, made[0]["extra_data"]["object_id"])
    )
    assert isinstance(who, model.User)
    assert (who.identity_id, who.email, who.issuer) == (MIRA, "mira@harbor.example", "corp")
    assert (who.display_name, who.roles, who.external_id) == ("Mira Quist", (), "u-17")
    provider.clock.advance(5 * MINUTE)
    assert await code(house, provider.token(jti="later")) == "ok"
    assert len(await house.rows(action="identity_update")) == 0


async def test_nobody_is_taken_down_where_that_is_off(opened: Open, provider: Provider) -> None:
    house = await opened(auto_provision=False)
    assert await code(house, provider.token()) == "token_invalid"
    assert await house.rows(action="identity_create", identity_id="system:identity-sync") == []


async def test_an_address_that_was_handed_on_is_somebody_else(
    house: House, provider: Provider
) -> None:
    """OpenID Connect Core section 5.7: only issuer and subject tell who it is."""
    assert await code(house, provider.token()) == "ok"
    other = provider.token(sub="u-99")
    assert await code(house, other) == "token_invalid"
    provider.clock.advance(5 * SECOND)
    await _change(house, MIRA, revoked_before=provider.clock.now())
    assert await code(house, other) == "token_revoked"
    provider.clock.advance(5 * SECOND)
    assert await code(house, provider.token(sub="u-99")) == "ok"
    assert await code(house, provider.token()) == "token_invalid"


async def test_an_issuer_speaks_for_nobody_elses_identities(
    opened: Open, provider: Provider
) -> None:
    async with Provider(provider.clock) as second:
        house = await opened({"name": "second", "issuer": second.url})
        second.tenant = provider.tenant
        assert await code(house, provider.token()) == "ok"
        assert await code(house, second.token()) == "token_invalid"
        client = {"client_id": "ci", "sub": "ci"}
        assert await code(house, second.token(**client)) == "ok"
        assert await code(house, provider.token(**client)) == "token_invalid"


async def test_no_foreign_client_is_an_account_of_the_vaults_own(
    house: House, provider: Provider
) -> None:
    for name in ("root", "own"):
        if name == "own":
            await house.client("own", ["secrets:read"])
        token = provider.token(client_id=name, sub=name, scope="admin")
        assert await code(house, token) == "token_invalid"


async def test_roles_given_here_to_a_user_of_our_own_are_not_the_issuers(
    house: House, provider: Provider
) -> None:
    assert await code(house, provider.token()) == "ok"
    await _change(house, MIRA, roles=("tenant_admin",))
    assert (await whoami(house, provider.token()))["roles"] == ["tenant_admin"]
    await _change(house, MIRA, issuer="local")
    assert (await whoami(house, provider.token()))["roles"] == []


@pytest.mark.parametrize("status", [model.SUSPENDED, model.DELETED])
async def test_who_is_not_active_is_out_at_once(
    house: House, provider: Provider, status: str
) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    await _change(house, MIRA, status=status)
    assert await code(house, token) == "token_revoked"
    await _change(house, MIRA, status=model.ACTIVE)
    assert await code(house, token) == "ok"


async def test_tokens_from_before_a_revocation_are_out(house: House, provider: Provider) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    provider.clock.advance(SECOND)
    await _change(house, MIRA, revoked_before=provider.clock.now() - SECOND)
    assert await code(house, token) == "token_revoked"
    assert await code(house, provider.token(jti="new")) == "ok"


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_a_suspended_tenant_or_partner_lets_nobody_act(
    house: House, provider: Provider, kind: str
) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    await suspend(house, kind, house.made[f"{kind}_id"])
    answer = await house.get("/v1/auth/whoami", token=token)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details["reason"] == "tenant_suspended"


# -- keys --------------------------------------------------------------------------------------


async def test_a_remembered_token_does_not_outlive_its_key(
    house: House, provider: Provider
) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    provider.rotate("two", keep=False)
    assert await code(house, token) == "ok"
    await house.vault.key_sets.refresh()
    assert await code(house, token) == "token_invalid"
    assert await code(house, provider.token(jti="new")) == "ok"


async def test_without_a_worker_a_key_that_is_gone_is_noticed_all_the_same(
    house: House, provider: Provider
) -> None:
    token = provider.token(exp=provider.clock.now() // SECOND + 7200)
    assert await code(house, token) == "ok"
    provider.rotate("two", keep=False)
    provider.clock.advance(11 * MINUTE)
    assert await code(house, token) == "token_invalid"


async def test_a_key_under_an_old_name_is_another_key(house: House, provider: Provider) -> None:
    token = provider.token()
    assert await code(house, token) == "ok"
    provider.rotate("one", keep=False)
    await house.vault.key_sets.refresh()
    assert await code(house, token) == "token_invalid"
    assert await code(house, provider.token(jti="new")) == "ok"


async def test_an_issuer_that_is_away_is_believed_for_a_day(
    house: House, provider: Provider
) -> None:
    assert await code(house, provider.token()) == "ok"
    await provider.stop()
    provider.clock.advance(DAY - MINUTE)
    await house.run_jobs()
    assert await code(house, provider.token()) == "ok"
    provider.clock.advance(2 * MINUTE)
    await house.run_jobs()
    assert await code(house, provider.token()) == "token_invalid"
    await provider.start()
    provider.clock.advance(MINUTE)
    assert await code(house, provider.token()) == "ok"


async def test_a_remembered_token_is_out_when_the_keys_are_a_day_old(
    house: House, provider: Provider
) -> None:
    assert await code(house, provider.token()) == "ok"
    await provider.stop()
    provider.clock.advance(DAY - MINUTE)
    await house.vault.key_sets.refresh()
    token = provider.token()
    assert await code(house, token) == "ok"
    provider.clock.advance(MINUTE)
    await house.vault.key_sets.refresh()
    assert await code(house, token) == "token_invalid"


async def test_the_job_takes_up_new_keys(house: House, provider: Provider) -> None:
    assert await code(house, provider.token()) == "ok"
    house.app.worker.due()
    asked = len(provider.calls)
    provider.clock.advance(10 * MINUTE)
    await house.run_jobs()
    assert len(provider.calls) > asked
    assert house.vault.jobs.runs["key-sets"].status == "ok"
    await provider.stop()
    provider.clock.advance(10 * MINUTE)
    await house.run_jobs()
    assert house.vault.jobs.runs["key-sets"].status == "ok"


async def test_two_issuers_may_use_one_key_id(opened: Open, provider: Provider) -> None:
    async with Provider(provider.clock) as second:
        house = await opened({"name": "second", "issuer": second.url})
        second.tenant = provider.tenant
        assert await code(house, provider.token()) == "ok"
        crossed = sealed(second.header(), second.claims(sub="u-2", email=None), provider.key)
        assert await code(house, crossed) == "token_invalid"
        second.publish(jwk(second.key, "one"))
        assert await code(house, second.token(sub="u-2", email=None)) == "ok"
