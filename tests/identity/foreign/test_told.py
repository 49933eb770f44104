"""What is written down about tokens of outside issuers, and what never is."""

from __future__ import annotations

import logging
from typing import Any

import msgspec
import pytest

from tests.identity.foreign.asking import code, whoami
from tests.identity.foreign.conftest import Open
from tests.support.house import House
from tests.support.issuing import Provider


async def test_a_refusal_names_issuer_and_subject_as_far_as_they_are_proven(
    house: House, provider: Provider
) -> None:
    good, other = provider.token(exp=1, iat=1), provider.token(sub="u-18")
    forged = f"{other.rpartition('.')[0]}.{good.rpartition('.')[2]}"
    route = {"route": "GET /v1/auth/whoami"}
    wanted: list[tuple[str, dict[str, Any]]] = [
        (provider.token(iss="https://other.example"), {"error_code": "token_invalid"}),
        (forged, {"error_code": "token_invalid", "issuer": "corp"}),
        (good, {"error_code": "token_expired", "issuer": "corp"}),
        (
            provider.token(tenant_id="tnt_x"),
            {"error_code": "token_invalid", "issuer": "corp", "subject": "u-17"},
        ),
        (
            provider.token(tenant_id="tnt_x", sub="s" * 2000),
            {"error_code": "token_invalid", "issuer": "corp", "subject": "s" * 256},
        ),
    ]
    for token, extra in wanted:
        answer = await house.get("/v1/auth/whoami", token=token)
        assert answer.code == extra["error_code"]
        assert set(answer.json["error"]) <= {"code", "message", "request_id", "details"}
        assert answer.details == {}
        [*_, row] = await house.rows(action="auth_failed")
        assert row["extra_data"] == {**extra, **route}
        assert (row["identity_id"], row["tenant_id"]) == (None, None)


async def test_no_token_is_written_down(
    opened: Open, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    house = await opened(claims={"groups": "groups"})
    good = provider.token(groups=["ops"])
    tokens = [
        good,
        provider.token(jti=None),
        provider.token(exp=1, iat=1),
        provider.token(tenant_id="tnt_x"),
        provider.token(iss="https://other.example"),
        provider.token(sub=None),
        good[:-8] + "AAAAAAAA",
        provider.token(jti="x", aud="x"),
    ]
    told = []
    for token in tokens:
        told.append((await house.get("/v1/auth/whoami", token=token)).body)
        told.append((await house.get("/v1/auth/tokens/self", token=token)).body)
        told.append((await house.get("/v1/secrets/a/b", token=token)).body)
    told.append((await house.call("DELETE", "/v1/auth/tokens/self", token=good)).body)
    await house.vault.flush()
    told.append(msgspec.json.encode(await house.rows()))
    told.append(msgspec.json.encode(await house.events()))
    told.append(caplog.text.encode())
    told.append(await house.vault.gate.ask(_everything))
    for token in tokens:
        for part in token.split("."):
            for text in told:
                assert part.encode() not in text


def _everything(db: Any) -> bytes:
    """All rows of the tables that tokens leave something in."""
    tables = ("foreign_revoked", "foreign_subject", "user", "service_account", "token", "outbox")
    rows = [db.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    return repr(rows).encode()


async def test_an_issuers_answer_is_not_logged(
    house: House, provider: Provider, caplog: pytest.LogCaptureFixture
) -> None:
    provider.answer("/.well-known/openid-configuration", b'{"canary-7c1": ')
    assert await code(house, provider.token()) == "token_invalid"
    assert f"the keys of the issuer {provider.url} were not fetched" in caplog.text
    assert "canary-7c1" not in caplog.text


async def test_who_acts_stands_in_the_rows(house: House, provider: Provider) -> None:
    seen = await whoami(house, provider.token())
    [row] = await house.rows(action="auth_read")
    assert row["identity_id"] == seen["identity_id"] == "user:mira@harbor.example"
    assert row["identity_type"] == "user"
    assert row["actor_tenant_id"] == provider.tenant
