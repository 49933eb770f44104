"""A vault that issues no tokens itself (``identity.local.enabled: false``)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from scaivault.clock import DAY
from tests.support.house import Answer, House
from tests.support.people import login
from tests.support.tenants import account, credential

EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FORM = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def silent(tmp_path: Path) -> AsyncIterator[House]:
    """Without an issuer of its own from the start."""
    flags: dict[str, Any] = {"rate_limits__enabled": False, "identity__local__enabled": False}
    opened = await House.opened(tmp_path / "vault", **flags)
    yield opened
    await opened.close()


async def grant(house: House, where: str, **fields: str) -> Answer:
    return await house.call("POST", where, raw=urlencode(fields).encode(), headers=FORM, token=None)


async def test_no_login_gives_a_token(silent: House) -> None:
    client = await credential(silent, await account(silent, "app", ["secrets:read"]))
    del client["id"]
    text = await login(silent)
    for asked in (
        {"grant_type": "client_credentials", **client},
        {"grant_type": EXCHANGE, "subject_token": text, "subject_token_type": ACCESS_TOKEN},
    ):
        plain = await grant(silent, "/oauth/token", **asked)
        assert (plain.status, plain.json["error"]) == (400, "unsupported_grant_type")
        assert plain.json["request_id"]
        twin = await grant(silent, "/v1/auth/token", **asked)
        assert (twin.status, twin.code) == (400, "invalid_request")
        assert "identity.local.enabled" in twin.json["error"]["message"]
    body = {"subject_token": text, "subject_token_type": ACCESS_TOKEN}
    answer = await silent.call("POST", "/v1/auth/exchange", body, token=None)
    assert (answer.status, answer.code) == (400, "invalid_request")
    assert answer.details["reason"] == "unsupported_grant_type"
    assert await silent.rows(action="auth_login") == []
    assert len(await silent.rows(action="auth_failed")) == 5
    for hidden in (text, client["client_secret"]):
        assert hidden not in str(await silent.rows())


async def test_personal_access_tokens_work_all_the_same(silent: House) -> None:
    text = await login(silent)
    who = await silent.get("/v1/auth/whoami", token=text)
    assert (who.status, who.json["issuer"]) == (200, "local")


async def test_what_is_published_names_no_grant_and_no_key(silent: House) -> None:
    for where in ("/v1/auth/config", "/.well-known/openid-configuration"):
        answer = await silent.get(where, token=None)
        assert answer.json["grant_types_supported"] == []
    assert (await silent.get("/.well-known/jwks.json", token=None)).json == {"keys": []}
    silent.clock.advance(91 * DAY)
    await silent.run_jobs()
    assert await silent.rows(action="key_rotate") == []


async def test_tokens_of_before_end_with_it_and_come_back(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    assert (await house.get("/v1/auth/whoami", token=token)).status == 200
    enabled = house.settings
    for settings, expected in (
        (house.configured(house.path, identity__local__enabled=False), (401, "token_invalid")),
        (enabled, (200, None)),
    ):
        await house.close()
        house.settings = settings
        house._start()
        await house.unseal()
        answer = await house.get("/v1/auth/whoami", token=token)
        assert (answer.status, None if answer.status == 200 else answer.code) == expected
        seen = await house.call("POST", "/v1/auth/introspect", {"token": token})
        assert seen.json["active"] is (answer.status == 200)
