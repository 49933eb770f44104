"""Tokens of a real OpenID provider, which runs as a process of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from scaivault.clock import MINUTE, FakeClock, SystemClock, instant
from tests.identity.foreign.asking import code, reopened, whoami
from tests.support import glewlwyd
from tests.support.glewlwyd import Glewlwyd
from tests.support.house import House

pytestmark = pytest.mark.skipif(glewlwyd.PROGRAM is None, reason="apt-get install glewlwyd")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glewlwyd]:
    with glewlwyd.running(tmp_path_factory.mktemp("glewlwyd")) as running:
        yield running


@pytest.fixture
async def house(provider: Glewlwyd, tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock(instant(SystemClock().now()))  # the provider's times are real
    house = await House.opened(tmp_path / "vault", clock, rate_limits__enabled=False)
    issuer = {
        "name": "glewlwyd", "issuer": provider.issuer, "audience": [glewlwyd.AUDIENCE],
        "tenant": house.made["tenant_id"],
    }  # fmt: skip
    await house.close()
    await reopened(house, issuer)
    yield house
    await house.close()


async def test_its_users_and_clients_are_known(provider: Glewlwyd, house: House) -> None:
    seen = await whoami(house, provider.users_token())
    assert seen["identity_id"] == "user:mira@harbor.example"
    assert (seen["display_name"], seen["issuer"]) == ("Mira Quist", "glewlwyd")
    assert (seen["scopes"], seen["token_kind"]) == (["secrets:read"], "user_session")
    seen = await whoami(house, provider.clients_token())
    assert seen["identity_id"] == f"sa:{glewlwyd.CLIENT[0]}"
    assert seen["token_kind"] == "client_credentials"


async def test_its_tokens_end_as_all_do(provider: Glewlwyd, house: House) -> None:
    token, other = provider.users_token(), provider.users_token()
    signed, _, signature = token.rpartition(".")
    assert await code(house, f"{signed}.{signature[::-1]}") == "token_invalid"
    assert (await house.call("DELETE", "/v1/auth/tokens/self", token=token)).status == 204
    assert await code(house, token) == "token_revoked"
    assert await code(house, other) == "ok"
    assert isinstance(house.clock, FakeClock)
    house.clock.advance(12 * MINUTE)
    assert await code(house, other) == "token_expired"


async def test_its_new_keys_count_at_once_and_its_old_ones_no_more(
    provider: Glewlwyd, house: House
) -> None:
    old = provider.users_token()
    assert await code(house, old) == "ok"
    provider.replace_keys()
    assert await code(house, provider.users_token()) == "ok"
    assert await code(house, old) == "token_invalid"
