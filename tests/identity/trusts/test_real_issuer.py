"""Tokens of a real OpenID provider, a process of its own, exchanged for one subtree."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import jwt
import pytest

from scaivault.clock import FakeClock, SystemClock, instant
from tests.support import glewlwyd
from tests.support.glewlwyd import Glewlwyd
from tests.support.house import House
from tests.support.policies import bound, policy, rule
from tests.support.trusting import SETTINGS, code, given, runner

pytestmark = pytest.mark.skipif(glewlwyd.PROGRAM is None, reason="apt-get install glewlwyd")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Glewlwyd]:
    with glewlwyd.running(tmp_path_factory.mktemp("glewlwyd")) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    clock = FakeClock(instant(SystemClock().now()))  # the provider's times are real
    opened = await House.opened(tmp_path / "vault", clock, **SETTINGS)
    yield opened
    await opened.close()


async def test_a_client_of_it_reads_one_subtree(provider: Glewlwyd, house: House) -> None:
    token = provider.clients_token()
    subject = jwt.decode(token, options={"verify_signature": False})["sub"]
    await runner(house)
    await bound(house, await policy(house, rule("**")), "sa:ci")
    for path in ("shop/key", "bank/key"):
        await house.put(path, {"of": path})
    assert await code(house, token) == "token_invalid"  # nobody trusts it yet
    made = await house.call(
        "POST",
        "/v1/identity/trusts",
        {
            "name": "provider",
            "issuer": provider.issuer,
            "audience": [glewlwyd.AUDIENCE],
            "subject": subject,
            "identity": "sa:ci",
            "max_scopes": ["secrets:read"],
            "allowed_paths": ["shop/**"],
        },
    )
    assert made.status == 201, made.body
    mine = await given(house, token)
    assert (await house.read("shop/key", token=mine)).json["data"] == {"of": "shop/key"}
    assert (await house.read("bank/key", token=mine)).code == "access_denied"
    signed, _, signature = token.rpartition(".")
    assert await code(house, f"{signed}.{signature[::-1]}") == "token_invalid"
