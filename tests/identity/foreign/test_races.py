"""What happens between the look at whom a token names and his being taken down."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import SECOND
from tests.identity.foreign.asking import code
from tests.support.house import House
from tests.support.issuing import Provider

MIRA = "mira@harbor.example"
USERS = "/v1/identity/users"
ACCOUNTS = "/v1/identity/service-accounts"


async def _made(house: House, where: str, body: dict[str, Any]) -> str:
    made = await house.call("POST", where, body)
    assert made.status == 201, made.body
    return f"{where}/{made.json['id']}"


async def test_who_was_made_meanwhile_stays_as_he_is(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = house.vault.authentication.foreign
    create = foreign._create
    made: list[str] = []

    async def late(asked: Any) -> None:
        made.append(await _made(house, USERS, {"email": MIRA, "display_name": "Ours"}))
        assert (await house.call("PATCH", made[0], {"status": "SUSPENDED"})).status == 200
        await create(asked)

    monkeypatch.setattr(foreign, "_create", late)
    assert await code(house, provider.token(email=MIRA)) == "token_revoked"
    kept = (await house.get(made[0])).json
    told = kept["display_name"], kept["status"], kept["issuer"]
    assert told == ("Ours", "SUSPENDED", "local")
    assert [row["success"] for row in await house.rows(action="identity_create")][-1] is False


async def test_an_account_that_was_made_meanwhile_keeps_its_scopes(
    house: House, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = house.vault.authentication.foreign
    create = foreign._create
    made: list[str] = []

    async def late(asked: Any) -> None:
        made.append(await _made(house, ACCOUNTS, {"name": "ci", "scopes": ["secrets:read"]}))
        await create(asked)

    monkeypatch.setattr(foreign, "_create", late)
    token = provider.token(client_id="ci", token_type="client_credentials")
    assert await code(house, token) == "token_invalid"
    assert (await house.get(made[0])).json["scopes"] == ["secrets:read"]


@pytest.mark.parametrize("local", [True, False])
async def test_the_first_whom_an_issuer_means_is_the_only_one(
    house: House, provider: Provider, local: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where somebody else wrote it down in between."""
    if local:
        await _made(house, USERS, {"email": MIRA})
    else:
        assert await code(house, provider.token(email=MIRA, sub="u-1")) == "ok"
        where = f"/v1/identity/user/user:{MIRA}/revoke-access"
        assert (await house.call("POST", where, {})).status == 200
        house.clock.advance(SECOND)
    provisioning = house.vault.authentication.foreign._provisioning
    note = provisioning.note_subject

    async def late(whom: Any, *more: Any) -> None:
        await note(whom._replace(subject="u-1"), *more)
        await note(whom, *more)

    monkeypatch.setattr(provisioning, "note_subject", late)
    assert await code(house, provider.token(email=MIRA, sub="u-2")) == "token_invalid"
    monkeypatch.undo()
    assert await code(house, provider.token(email=MIRA, sub="u-1", jti="b")) == "ok"
