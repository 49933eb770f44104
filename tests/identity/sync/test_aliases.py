"""People who log in and people of the directory: who is whom never widens a right."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE, FakeClock
from tests.identity.sync.directory import TOKEN, Directory, person, scim_group
from tests.identity.sync.synced import SECRET, Synced
from tests.support.house import House
from tests.support.issuing import Provider

MIRA = "mira@harbor.example"


class Known(Synced):
    """A directory whose issuer also gives tokens; ``provider.token(sub=…, email=…)``."""

    provider: Provider

    async def login(self, sub: str, email: str = MIRA) -> Any:
        """whoami, or the code of the refusal."""
        return await self.seen(self.token(sub, email))

    def token(self, sub: str, email: str = MIRA) -> str:
        return self.provider.token(sub=sub, email=email, jti=None)

    async def seen(self, token: str) -> Any:
        answer = await self.house.get("/v1/auth/whoami", token=token)
        return answer.json["groups"] if answer.status == 200 else answer.code

    def later(self) -> None:
        assert isinstance(self.house.clock, FakeClock)
        self.house.clock.advance(MINUTE)


@pytest.fixture
async def known(tmp_path: Path, directory: Directory) -> AsyncIterator[Known]:
    async with Provider(FakeClock()) as provider:
        sync = {"base_url": directory.url, "credentials_path": SECRET}
        house = await House.opened(
            tmp_path / "vault",
            provider.clock,
            rate_limits__enabled=False,
            identity__issuers=[{"name": "corp", "issuer": provider.url, "sync": sync}],
        )
        provider.tenant = house.made["tenant_id"]
        await house.put(SECRET, {"token": TOKEN})
        await house.run_jobs()
        opened = Known(house, directory)
        opened.provider = provider
        yield opened
        await house.close()


async def test_one_person_by_token_and_by_directory(known: Known) -> None:
    assert await known.login("u1") == []
    known.directory.users = [person("u1", MIRA)]
    known.directory.groups = [scim_group("g1", "night", "u1")]
    token = known.token("u1")
    done = await known.run()
    assert done["created"] == 1  # the group
    assert await known.seen(token) == ["group:night"]
    known.directory.users = []
    await known.run()
    await known.run()
    assert await known.login("u1") == "token_revoked"


async def test_whoever_is_only_known_by_his_token_can_be_missing(known: Known) -> None:
    await known.login("u1")
    await known.run()
    assert await known.login("u1") == []
    await known.run()
    assert await known.login("u1") == "token_revoked"


async def test_tokens_that_call_people_otherwise(known: Known) -> None:
    """Where ids of tokens and of the directory differ, what was issued before the two met ends."""
    await known.login("pairwise-1")
    old = known.token("pairwise-1")
    known.directory.users = [person("u1", MIRA)]
    known.directory.groups = [scim_group("g1", "night", "u1")]
    await known.run()
    assert await known.seen(old) == "token_revoked"
    known.later()
    assert await known.login("pairwise-1") == ["group:night"]
    assert await known.login("pairwise-2") == "token_invalid"


async def test_an_address_that_moved_between_login_and_first_run(known: Known) -> None:
    """The directory gives Mira's address to Ben before it was ever read."""
    await known.login("u1")
    old = known.token("u1")
    known.directory.users = [person("u1", "m.quist@harbor.example"), person("u2", MIRA)]
    known.directory.groups = [scim_group("g1", "night", "u2")]
    await known.run()
    assert await known.seen(old) == []
    assert await known.login("u2") == "token_invalid"
    assert (await known.users())[MIRA]["status"] == "ACTIVE"


async def test_an_address_that_moved_to_somebody_unknown_to_tokens(known: Known) -> None:
    """Nobody logged in yet: the first who comes with the address is not let in as its owner."""
    known.directory.users = [person("u1", MIRA)]
    known.directory.groups = [scim_group("g1", "night", "u1")]
    await known.run()
    known.directory.users = [person("u1", "m.quist@harbor.example"), person("u2", MIRA)]
    await known.run()
    assert await known.login("u2") == "token_invalid"
    assert await known.login("u1") == ["group:night"]


async def test_who_comes_back_when_his_address_is_anothers(known: Known) -> None:
    known.directory.users = [person("u1", MIRA)]
    known.directory.groups = [scim_group("g1", "night", "u1")]
    await known.run()
    assert await known.login("u1") == ["group:night"]
    known.directory.users = [person("u1", "m.quist@harbor.example", active=False)]
    await known.run()
    known.directory.users = [person("u1", "m.quist@harbor.example"), person("u2", MIRA)]
    await known.run()
    known.later()
    assert (await known.users())[MIRA]["status"] == "ACTIVE"
    assert await known.login("u2") == "token_invalid"
    assert await known.login("u1") == ["group:night"]
