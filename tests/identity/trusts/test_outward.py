"""Whom a trust can make the vault call, and which tokens it never takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identity.foreign.asking import whoami
from tests.support.house import House
from tests.support.issuing import DISCOVERY, KEYS, Provider
from tests.support.trusting import (
    SETTINGS,
    TRUSTS,
    TYPE,
    build,
    code,
    exchange,
    given,
    patch,
    runner,
    trust,
)


@pytest.mark.parametrize(
    "keys",
    [
        "http://169.254.169.254/latest",
        "http://[::ffff:169.254.169.254]/latest",
        "http://10.0.0.1/keys",
        "http://localhost.localdomain:1/keys",
        "file:///etc/passwd",
    ],
)
async def test_a_discovery_document_leads_nowhere_else(
    house: House, provider: Provider, trusted: str, keys: str
) -> None:
    provider.answer(DISCOVERY, {"issuer": provider.url, "jwks_uri": keys})
    assert await code(house, build(provider)) == "token_invalid"
    assert provider.calls == [DISCOVERY]


async def test_nor_does_a_redirect(house: House, provider: Provider, trusted: str) -> None:
    provider.answer(KEYS, {}, 302, {"location": provider.url + "/elsewhere"})
    assert await code(house, build(provider)) == "token_invalid"
    assert provider.calls == [DISCOVERY, KEYS]


async def test_many_bad_tokens_are_few_calls(
    house: House, provider: Provider, trusted: str
) -> None:
    for number in range(20):
        provider.kid = f"unknown-{number}"
        assert await code(house, build(provider)) == "token_invalid"
    assert len(provider.calls) <= 4


async def test_the_job_calls_no_issuer_that_is_not_trusted_any_more(
    house: House, provider: Provider, trusted: str
) -> None:
    other = await trust(house, provider, name="other", subject="x")
    account = (await house.get("/v1/identity/service-accounts/sa:ci")).json["id"]

    async def calls() -> int:
        provider.calls.clear()
        await house.vault.key_sets.refresh()
        return len(provider.calls)

    assert await calls() == 0
    for ending in ("change", "delete", "revoke"):
        assert await code(house, build(provider, jti=ending)) == "ok"
        assert await calls() == 2
        if ending == "change":
            assert (await patch(house, trusted, is_active=False)).status == 200
            assert await calls() == 2  # the other trust names it still
            assert (await patch(house, other, is_active=False)).status == 200
        elif ending == "delete":
            assert (await house.call("DELETE", f"{TRUSTS}/{trusted}")).status == 204
        else:
            where = f"/v1/identity/service_account/{account}/revoke-access"
            assert (await house.call("POST", where, {})).status == 200
        assert await calls() == 0
        if ending == "change":
            assert (await patch(house, trusted, is_active=True)).status == 200
        elif ending == "delete":
            await trust(house, provider, name="again")


async def test_the_answer_is_one_whether_there_is_such_a_role(
    house: House, provider: Provider, trusted: str
) -> None:
    await runner(house, "other")
    token = build(provider)
    told = [await exchange(house, token, role=role) for role in ("sa:other", "sa:nobody", "sa_0")]
    told.append(await exchange(house, build(provider, sub="repo:else")))
    bodies = {answer.body.replace(answer.headers["x-request-id"].encode(), b"") for answer in told}
    assert len(bodies) == 1


async def test_a_configured_issuers_token_is_not_narrowed(
    tmp_path: Path, provider: Provider
) -> None:
    """Its roles hang on its issuer's word, and those of the identity might be wider."""
    issuers = [{"name": "corp", "issuer": provider.url}]
    house = await House.opened(
        tmp_path / "other", provider.clock, **SETTINGS, identity__issuers=issuers
    )
    provider.tenant = house.made["tenant_id"]
    token = provider.token()
    assert (await whoami(house, token))["identity_id"] == "user:mira@harbor.example"
    refused = await exchange(house, token, subject_token_type=TYPE + "access_token")
    assert (refused.status, refused.details) == (400, {"reason": "foreign_token"})
    # But a trust may lend such a user an account of the vault's own.
    await runner(house)
    await trust(house, provider, subject="u-17")
    assert (await whoami(house, await given(house, token)))["identity_id"] == "sa:ci"
    await house.close()
