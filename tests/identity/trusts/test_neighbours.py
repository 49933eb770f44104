"""What a tenant's trust does to others who use the same issuer: nothing. And what strangers leave
behind: nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.outbound import Guard
from scaivault.wire.addresses import Address, parse_address
from tests.identity.foreign.asking import code as bearer
from tests.identity.foreign.asking import whoami
from tests.support.house import House
from tests.support.issuing import KEYS, Provider, jwk
from tests.support.tenants import found_tenant
from tests.support.trusting import (
    SETTINGS,
    TYPE,
    build,
    code,
    exchange,
    given,
    runner,
    sent,
    trust,
)


@pytest.fixture
async def house(tmp_path: Path, provider: Provider) -> AsyncIterator[House]:
    """Whose operator takes the provider's tokens as ``corp``'s."""
    issuers = [{"name": "corp", "issuer": provider.url}]
    opened = await House.opened(
        tmp_path / "vault", provider.clock, **SETTINGS, identity__issuers=issuers
    )
    provider.tenant = opened.made["tenant_id"]
    yield opened
    await opened.close()


@pytest.fixture
async def forger(house: House, provider: Provider) -> Provider:
    """Has a key of its own, calls itself like the provider, and is trusted by a second tenant:
    ``tenant`` is whose people it makes up."""
    forger = Provider(house.clock)
    forger.url, forger.tenant = provider.url, provider.tenant
    second = (await found_tenant(house, "second")).id
    await runner(house, tenant_id=second)
    provider.answer("/theirs", {"keys": [jwk(forger.key, "one")]})
    wide: dict[str, Any] = {
        "tenant_id": second, "subject": "*", "claims_equal": {"repository": "harbor/shop"},
        "single_use": False,
    }  # fmt: skip
    keys = {"keys": [jwk(forger.key, "one")]}
    await trust(house, provider, name="inline", jwks=keys, **wide)
    await runner(house, "fetched", tenant_id=second)
    url = provider.url + "/theirs"
    await trust(house, provider, name="url", identity="sa:fetched", jwks_url=url, **wide)
    return forger


async def test_keys_for_a_configured_issuer_prove_nothing_beyond_the_trust(
    house: House, provider: Provider, forger: Provider
) -> None:
    forged = forger.token(scope="admin", role="super_admin")
    assert await bearer(house, forged) == "token_invalid"
    for role in ("sa:ci", "sa:fetched"):
        seen = await whoami(house, await given(house, build(forger), role=role))
        assert (seen["identity_id"], seen["tenant_id"] == provider.tenant) == (role, False)
    assert await bearer(house, forged) == "token_invalid"
    assert await bearer(house, provider.token()) == "ok"
    await house.vault.key_sets.refresh()
    assert await bearer(house, forged) == "token_invalid"


async def test_ids_of_tokens_that_are_made_up_end_nobody_elses(
    house: House, provider: Provider, forger: Provider
) -> None:
    """They are chosen by whoever signs."""
    await runner(house)
    mine = await trust(house, provider, single_use=True)
    real = provider.token(jti="j-1")
    assert await bearer(house, real) == "ok"
    second = await given(house, build(forger, jti="j-1"), role="sa:fetched")
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=second)).status == 204
    assert await bearer(house, real) == "ok"
    build_token = build(provider, jti="j-1")
    assert await code(house, build_token, tenant_id=provider.tenant) == "ok", mine


async def test_a_narrower_token_is_not_asked_for_by_another_type(
    house: House, provider: Provider, forger: Provider
) -> None:
    forged = build(forger)
    refused = await exchange(house, forged, subject_token_type=TYPE + "access_token")
    assert (refused.status, refused.code) == (401, "token_invalid")


@pytest.mark.parametrize("others", [[], ["93.184.216.34"]])
async def test_a_name_that_leads_inside_by_the_time_it_is_called(
    tmp_path: Path,
    provider: Provider,
    monkeypatch: pytest.MonkeyPatch,
    others: list[str],
) -> None:
    """It is looked up for each connection, which goes to what was looked up and nowhere else."""
    met: list[object] = []
    listener = await asyncio.start_server(lambda _, writer: met.append(writer), "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    closed = await House.opened(tmp_path / "closed", provider.clock, rate_limits__enabled=False)
    await runner(closed)
    named = f"https://keys.example:{port}"
    asked: list[object] = []

    async def look_up(_guard: Guard, target: object) -> list[Address]:
        asked.append(target)
        return [parse_address(one) for one in [*others, "::ffff:127.0.0.1"]]

    monkeypatch.setattr(Guard, "look_up", look_up)
    await trust(closed, provider, issuer=named, jwks_url=named + KEYS)
    assert await code(closed, build(provider, iss=named)) == "token_invalid"
    assert (len(asked), met) == (1, [])
    await closed.close()
    listener.close()


async def test_strangers_leave_nothing_in_memory(house: House, provider: Provider) -> None:
    await runner(house)
    await trust(house, provider)
    await bearer(house, provider.token())
    await code(house, build(provider))
    authentication = house.vault.authentication
    foreign = authentication.foreign

    def held() -> list[int]:
        counts = [len(one) for one in foreign._issuers.sources.values()]
        counts += [len(authentication._known), len(authentication.used)]
        return [*counts, len(house.vault.key_sets._held)]

    before = held()
    stranger = Provider(house.clock)
    stranger.tenant = provider.tenant
    for number in range(50):
        stranger.url, stranger.kid = f"{provider.url}/{number}", f"kid-{number}"
        token = stranger.token(jti=str(number), sub=f"u-{number}")
        assert await bearer(house, token) == "token_invalid"
        assert await code(house, token) == "token_invalid"
        stranger.url, stranger.tenant = provider.url, f"tnt_{number}"
        token = stranger.token(jti=f"x{number}")
        assert await bearer(house, token) == "token_invalid"
        assert await code(house, token, role=f"sa:{number}") == "token_invalid"
    assert held() == before


async def test_a_trust_in_another_tenant_takes_a_role_there(
    house: House, provider: Provider
) -> None:
    second = (await found_tenant(house, "second")).id
    await runner(house, tenant_id=second)
    admin = await house.client("admin", ["identity:admin", "secrets:read"], ["tenant_admin"])
    for fields in (
        {"tenant_id": second, "identity": "sa:ci"},
        {"headers": {"X-Tenant-ID": second}, "identity": "sa:ci"},
    ):
        refused = await sent(house, provider, token=admin, max_scopes=["secrets:read"], **fields)
        assert refused.code == "tenant_access_denied", refused.body
    other = (
        await house.get("/v1/identity/service-accounts/sa:ci", headers={"X-Tenant-ID": second})
    ).json["id"]
    refused = await sent(house, provider, token=admin, identity=other, max_scopes=["secrets:read"])
    assert refused.code == "identity_not_found"
