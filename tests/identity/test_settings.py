"""Each setting of ``identity`` that is a number or a name does what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import jwt
import pytest

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, FakeClock, instant
from tests.identity.foreign.asking import code, codes, whoami
from tests.support.house import House
from tests.support.issuing import KEYS, Provider
from tests.support.people import MIRA, mint, person

Set = Callable[..., Awaitable[House]]


@pytest.fixture
async def having(tmp_path: Path) -> AsyncIterator[Set]:
    """Opens a vault with these settings below ``identity``."""
    houses: list[House] = []

    async def having(clock: FakeClock | None = None, **settings: Any) -> House:
        flags = {f"identity__{name}": value for name, value in settings.items()}
        house = await House.opened(tmp_path / "vault", clock, rate_limits__enabled=False, **flags)
        houses.append(house)
        return house

    yield having
    for house in houses:
        await house.close()


def claims(token: str) -> dict[str, Any]:
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


async def kids(house: House) -> list[str]:
    answer = await house.get("/.well-known/jwks.json", token=None)
    return [key["kid"] for key in answer.json["keys"]]


async def test_the_name_of_the_local_issuer(having: Set) -> None:
    house = await having(local__issuer="https://id.example.org")
    token = await house.client("app", ["secrets:read"])
    assert claims(token)["iss"] == "https://id.example.org"
    assert await code(house, token) == "ok"
    for where in ("/v1/auth/config", "/.well-known/openid-configuration"):
        told = (await house.get(where, token=None)).json
        assert told["issuer"] == "https://id.example.org"
        assert told["token_endpoint"] == "http://127.0.0.1:8443/oauth/token"


async def test_the_life_of_local_tokens(having: Set) -> None:
    house = await having(local__token_ttl="10m")
    token = await house.client("app", ["secrets:read"])
    told = claims(token)
    assert told["exp"] - told["iat"] == 600
    house.clock.advance(11 * MINUTE - SECOND)
    assert await code(house, token) == "ok"
    house.clock.advance(SECOND)
    assert await code(house, token) == "token_expired"


async def test_how_often_the_signing_key_is_replaced(having: Set) -> None:
    house = await having(local__key_rotation="2d")
    (first,) = await kids(house)
    await house.run_jobs()
    house.clock.advance(2 * DAY - HOUR)
    await house.run_jobs()
    assert await kids(house) == [first]
    house.clock.advance(HOUR)
    await house.run_jobs()
    second, *old = await kids(house)
    assert (second != first, old) == (True, [first])


async def test_the_life_of_personal_access_tokens(having: Set) -> None:
    house = await having(pat_default_ttl="2d", pat_max_ttl="3d")
    await person(house)
    now = house.clock.now()
    usual = await mint(house, identity_id=MIRA)
    assert usual.json["expires_at"] == instant(now + 2 * DAY)
    longest = await mint(house, identity_id=MIRA, expires_in="3d")
    assert longest.json["expires_at"] == instant(now + 3 * DAY)
    refused = await mint(house, identity_id=MIRA, expires_at=instant(now + 3 * DAY + SECOND))
    assert (refused.status, list(refused.details["fields"])) == (422, ["expires_at"])


async def test_how_far_clocks_of_issuers_may_be_off(having: Set) -> None:
    async with Provider(FakeClock()) as provider:
        issuers = [{"name": "corp", "issuer": provider.url}]
        house = await having(provider.clock, issuers=issuers, clock_skew="5s")
        provider.tenant = house.made["tenant_id"]
        now = provider.clock.now() // SECOND
        wanted: dict[str, tuple[str, dict[str, Any]]] = {
            "just over": ("ok", {"exp": now - 4}),
            "over": ("token_expired", {"exp": now - 5}),
            "soon": ("ok", {"iat": now + 5}),
            "later": ("token_invalid", {"iat": now + 6}),
        }
        tokens = {name: provider.token(**changed) for name, (_, changed) in wanted.items()}
        assert await codes(house, tokens) == {name: told for name, (told, _) in wanted.items()}


async def test_how_often_keys_of_issuers_are_fetched(having: Set) -> None:
    async with Provider(FakeClock()) as provider:
        issuers = [{"name": "corp", "issuer": provider.url}]
        house = await having(provider.clock, issuers=issuers, jwks_refresh="1h")
        provider.tenant = house.made["tenant_id"]
        assert await code(house, provider.token()) == "ok"
        await house.run_jobs()
        fetched = [provider.calls.count(KEYS)]
        for wait in (HOUR - SECOND, SECOND):
            house.clock.advance(wait)
            await house.run_jobs()
            fetched.append(provider.calls.count(KEYS))
        assert fetched == [1, 1, 2]


async def test_which_methods_are_a_second_factor(having: Set) -> None:
    async with Provider(FakeClock()) as provider:
        issuers = [{"name": "corp", "issuer": provider.url, "mfa_amr": ["face"]}]
        house = await having(provider.clock, issuers=issuers)
        provider.tenant = house.made["tenant_id"]
        now = provider.clock.now() // SECOND
        for amr, at in ((["pwd", "face"], instant(now * SECOND)), (["pwd", "otp"], None)):
            seen = await whoami(house, provider.token(amr=amr, auth_time=now))
            assert seen["mfa_verified_at"] == at
