"""What ends between the look at a credential and the login: the login fails, and is told as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.house import Answer, House
from tests.support.issuing import Provider
from tests.support.tenants import account, credential
from tests.support.trusting import EXCHANGE, SUBJECT, TRUSTS, TYPE, build, exchange, patch

Meanwhile = Callable[[], Awaitable[Any]]


def after(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str, meanwhile: Meanwhile) -> None:
    """Once the method has answered, and before anything comes of it, something else happens."""
    method = getattr(owner, name)

    async def both(*arguments: Any) -> Any:
        found = await method(*arguments)
        monkeypatch.undo()
        await meanwhile()
        return found

    monkeypatch.setattr(owner, name, both)


async def the_row(house: House, answer: Answer) -> dict[str, Any]:
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"], row["identity_id"]) == ("auth_failed", False, None)
    return row["extra_data"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("gone", ["deleted", "changed", "off"])
async def test_a_trust_that_ends_meanwhile(
    house: House, provider: Provider, trusted: str, gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def meanwhile() -> None:
        if gone == "deleted":
            await house.call("DELETE", f"{TRUSTS}/{trusted}")
        else:
            fields = {"is_active": False} if gone == "off" else {"subject": "repo:harbor/x:*"}
            await patch(house, trusted, **fields)

    after(monkeypatch, house.vault.exchange._proving, "proof", meanwhile)
    refused = await exchange(house, build(provider))
    assert (refused.status, refused.code) == (403, "access_denied")
    assert await the_row(house, refused) == {
        "error_code": "access_denied", "route": f"POST {EXCHANGE}", "issuer": provider.url,
        "subject": SUBJECT,
    }  # fmt: skip


async def test_an_account_that_ends_meanwhile(
    house: House, provider: Provider, trusted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def meanwhile() -> None:
        await house.call("DELETE", "/v1/identity/service-accounts/sa:ci")

    after(monkeypatch, house.vault.exchange._proving, "proof", meanwhile)
    refused = await exchange(house, build(provider))
    assert refused.status in (401, 403)
    await the_row(house, refused)


async def test_a_token_that_ends_while_it_is_narrowed(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await house.client("app", ["secrets:read"])
    token_id = (await house.get("/v1/auth/whoami", token=token)).json["token_id"]

    async def meanwhile() -> None:
        await house.call("DELETE", f"/v1/auth/tokens/{token_id}")

    after(monkeypatch, house.vault.authentication, "authenticate", meanwhile)
    refused = await exchange(house, token, subject_token_type=TYPE + "access_token")
    assert (refused.status, refused.code) == (401, "token_revoked")
    (row,) = await house.rows(request_id=refused.headers["x-request-id"])
    assert (row["action"], row["success"]) == ("auth_failed", False)


async def test_a_credential_that_ends_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    account_id = await account(house, "app", ["secrets:read"])
    made = await credential(house, account_id)
    cred_id = made.pop("id")

    async def meanwhile() -> None:
        where = f"/v1/identity/service-accounts/{account_id}/credentials/{cred_id}"
        assert (await house.call("DELETE", where)).status == 204

    after(monkeypatch, house.vault.grants, "_client", meanwhile)
    body = {"grant_type": "client_credentials", **made}
    refused = await house.call("POST", "/v1/auth/token", body, token=None)
    assert (refused.status, refused.code) == (401, "token_invalid")
    assert await the_row(house, refused) == {
        "error_code": "token_invalid", "route": "POST /v1/auth/token", "client_id": account_id,
    }  # fmt: skip
