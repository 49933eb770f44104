"""Kept connections of those whom somebody outside vouches for: an issuer, a trust, a directory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Final

import pytest

from scaivault.clock import FakeClock
from tests.identity.sync.scaikey import TENANT, ScaiKey
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.kept import Story, follow
from tests.support.people import MIRA
from tests.support.policies import PATH, bound, policy
from tests.support.trusting import SETTINGS, TRUSTS, build, given, patch, runner, trust

WHOAMI: Final = "/v1/auth/whoami"
SECRET: Final = f"/v1/secrets/{PATH}"


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider(FakeClock()) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, provider: Provider) -> AsyncIterator[House]:
    """Takes tokens of the issuer ``corp``, the provider, and news of ScaiKey; and may call the
    provider as any tenant's."""
    issuers = [{"name": "corp", "issuer": provider.url, "claims": {"groups": "groups"}}]
    opened = await House.opened(
        tmp_path / "vault",
        provider.clock,
        identity__issuers=issuers,
        **SETTINGS,
        **ScaiKey.settings(tmp_path),
    )
    provider.tenant = opened.made["tenant_id"]
    yield opened
    await opened.close()


async def a_user_revoked(house: House, provider: Provider) -> Story:
    async def end() -> None:
        await house.call("POST", f"/v1/identity/user/{MIRA}/revoke-access", {})

    return Story(provider.token(), WHOAMI, end, "token_revoked")


async def a_token_that_ended_itself(house: House, provider: Provider) -> Story:
    token = provider.token()

    async def end() -> None:
        await house.call("DELETE", "/v1/auth/tokens/self", token=token)

    return Story(token, WHOAMI, end, "token_revoked")


async def its_own_end(house: House, provider: Provider) -> Story:
    """Of ten minutes, and a minute in which clocks may differ."""

    async def end() -> None:
        house.clock.advance(660_000_000)

    return Story(provider.token(), WHOAMI, end, "token_expired")


async def a_key_taken_back(house: House, provider: Provider) -> Story:
    async def end() -> None:
        provider.rotate("two", keep=False)
        await house.vault.key_sets.refresh()

    return Story(provider.token(), WHOAMI, end, "token_invalid")


async def a_key_taken_back_where_no_job_runs(house: House, provider: Provider) -> Story:
    """What was found out is found out anew from time to time."""

    async def end() -> None:
        provider.rotate("two", keep=False)
        house.clock.advance(2 * 3600_000_000)

    return Story(
        provider.token(exp=provider.clock.now() // 1_000_000 + 86_400), WHOAMI, end, "token_invalid"
    )


async def a_group_that_is_known_here_deleted(house: House, provider: Provider) -> Story:
    """The token still names it."""
    await house.call("POST", "/v1/identity/groups", {"name": "ops"})
    await bound(house, await policy(house), "group:ops")
    await house.put(PATH, {"n": 1})

    async def end() -> None:
        await house.call("DELETE", "/v1/identity/groups/group:ops")

    token = provider.token(groups=["ops"], scope="secrets:read")
    return Story(token, SECRET, end, "access_denied")


async def a_trust_deleted(house: House, provider: Provider) -> Story:
    await runner(house)
    made = await trust(house, provider)

    async def end() -> None:
        await house.call("DELETE", f"{TRUSTS}/{made}")

    return Story(await given(house, build(provider)), WHOAMI, end, "token_revoked")


async def a_trust_changed(house: House, provider: Provider) -> Story:
    await runner(house)
    made = await trust(house, provider)

    async def end() -> None:
        await patch(house, made, max_scopes=["secrets:read"])

    return Story(await given(house, build(provider)), WHOAMI, end, "token_revoked")


async def a_trusts_account_suspended(house: House, provider: Provider) -> Story:
    account = await runner(house)
    await trust(house, provider)

    async def end() -> None:
        where = f"/v1/identity/service-accounts/{account}"
        await house.call("PATCH", where, {"status": "SUSPENDED"})

    return Story(await given(house, build(provider)), WHOAMI, end, "token_revoked")


async def scaikey(house: House) -> tuple[ScaiKey, str]:
    """A sender, and a token of one of its users."""
    sender = ScaiKey(house)
    await sender.found()
    await sender.user("sk_1", "kai@acme.example")
    headers = {"X-Tenant-ID": TENANT}
    made = await house.call(
        "POST",
        "/v1/auth/tokens",
        {"name": "t", "scopes": ["secrets:list"], "identity_id": "user:kai@acme.example"},
        headers=headers,
    )
    assert made.status == 201, made.body
    return sender, made.json["token"]


async def a_user_suspended_elsewhere(house: House, _provider: Provider) -> Story:
    sender, token = await scaikey(house)
    return Story(token, WHOAMI, lambda: sender.send("user.suspended", "sk_1"), "token_revoked")


async def a_user_deleted_elsewhere(house: House, _provider: Provider) -> Story:
    sender, token = await scaikey(house)
    return Story(token, WHOAMI, lambda: sender.send("user.deleted", "sk_1"), "token_revoked")


async def a_tenant_suspended_elsewhere(house: House, _provider: Provider) -> Story:
    sender, token = await scaikey(house)
    return Story(token, "/v1/secrets", lambda: sender.send("tenant.suspended", TENANT), "forbidden")


async def a_partner_deleted_elsewhere(house: House, _provider: Provider) -> Story:
    sender, token = await scaikey(house)
    end = lambda: sender.send("partner.deleted", "ptn_acme")  # noqa: E731
    return Story(token, "/v1/secrets", end, "token_revoked")


ENDS: Final[list[Callable[[House, Provider], Awaitable[Story]]]] = [
    a_user_revoked, a_token_that_ended_itself, its_own_end, a_key_taken_back,
    a_key_taken_back_where_no_job_runs, a_group_that_is_known_here_deleted,
    a_trust_deleted, a_trust_changed, a_trusts_account_suspended,
    a_user_suspended_elsewhere, a_user_deleted_elsewhere, a_tenant_suspended_elsewhere,
    a_partner_deleted_elsewhere,
]  # fmt: skip


@pytest.mark.parametrize("case", ENDS, ids=lambda case: case.__name__)
async def test_an_end_holds_for_the_next_request(
    house: House, provider: Provider, case: Callable[[House, Provider], Awaitable[Story]]
) -> None:
    await follow(house, await case(house, provider))
