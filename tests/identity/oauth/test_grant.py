"""The token endpoint: RFC 6749 at ``/oauth/token``, the envelope at its twin."""

from __future__ import annotations

import base64
import hmac
from typing import Any
from urllib.parse import urlencode

import pytest

from scaivault.clock import SECOND
from scaivault.crypto import codes
from scaivault.seal.keyring import Keyring
from tests.support.house import Answer, House
from tests.support.tenants import account, credential, suspend

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def ask(house: House, where: str = "/oauth/token", **fields: str) -> Answer:
    fields.setdefault("grant_type", "client_credentials")
    return await house.call("POST", where, raw=urlencode(fields).encode(), headers=FORM, token=None)


@pytest.fixture
async def client(house: House) -> dict[str, str]:
    made = await credential(house, await account(house, "app", ["secrets:read", "secrets:list"]))
    return {name: made[name] for name in ("client_id", "client_secret")}


async def test_a_form_gives_a_token_for_an_hour(house: House, client: dict[str, str]) -> None:
    answer = await ask(house, **client)
    assert answer.status == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 3600
    assert answer.json["scope"].split() == ["secrets:list", "secrets:read"]
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    me = await house.get("/v1/auth/whoami", token=answer.json["access_token"])
    assert me.json["identity_id"] == "sa:app"
    assert me.json["token_kind"] == "client_credentials"


async def test_scope_narrows(house: House, client: dict[str, str]) -> None:
    answer = await ask(house, **client, scope="secrets:list secrets:list")
    assert answer.json["scope"] == "secrets:list"
    refused = await house.read("a/b", token=answer.json["access_token"])
    assert (refused.status, refused.code) == (403, "insufficient_scope")


async def test_scope_narrows_admin_too(house: House) -> None:
    made = await credential(house, await account(house, "boss", ["admin"]))
    boss = {name: made[name] for name in ("client_id", "client_secret")}
    answer = await ask(house, **boss, scope="secrets:list")
    assert (answer.status, answer.json["scope"]) == (200, "secrets:list")
    refused = await house.get("/v1/policies", token=answer.json["access_token"])
    assert (refused.status, refused.code) == (403, "insufficient_scope")
    assert (await ask(house, **boss, scope="nonsense")).json["error"] == "invalid_scope"


def basic(client: dict[str, str], scheme: str = "Basic") -> dict[str, str]:
    pair = f"{client['client_id']}:{client['client_secret']}".encode()
    return FORM | {"authorization": f"{scheme} {base64.b64encode(pair).decode()}"}


@pytest.mark.parametrize("where", ["/oauth/token", "/v1/auth/token"])
async def test_http_basic(house: House, client: dict[str, str], where: str) -> None:
    body = b"grant_type=client_credentials"
    answer = await house.call("POST", where, raw=body, headers=basic(client, "bAsIc"), token=None)
    assert answer.status == 200, answer.body


async def test_both_ways_at_once_are_refused(house: House, client: dict[str, str]) -> None:
    body = urlencode({"grant_type": "client_credentials", **client}).encode()
    answer = await house.call("POST", "/oauth/token", raw=body, headers=basic(client), token=None)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("value", ["Basic !!!", "Basic YWJj", "Basic /w==", "Basic"])
async def test_unreadable_basic_is_no_client(house: House, value: str) -> None:
    answer = await house.call(
        "POST",
        "/oauth/token",
        raw=b"grant_type=client_credentials",
        headers=FORM | {"authorization": value},
        token=None,
    )
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")


REFUSALS: list[tuple[dict[str, str], int, str]] = [
    ({"client_secret": "sks_wrong"}, 401, "invalid_client"),
    ({"client_id": "sa_00000000000000000000"}, 401, "invalid_client"),
    ({"client_id": ""}, 401, "invalid_client"),
    ({"grant_type": "password"}, 400, "unsupported_grant_type"),
    ({"scope": "admin"}, 400, "invalid_scope"),
    ({"scope": "secrets:read nonsense"}, 400, "invalid_scope"),
]


@pytest.mark.parametrize(("change", "status", "error"), REFUSALS)
async def test_refusals_as_rfc_6749(
    house: House, client: dict[str, str], change: dict[str, str], status: int, error: str
) -> None:
    answer = await ask(house, **{**client, **change})
    assert (answer.status, answer.json["error"]) == (status, error)
    assert set(answer.json) == {"error", "error_description", "request_id"}
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    challenge = answer.headers.get("www-authenticate")
    assert challenge == ('Basic realm="scaivault"' if status == 401 else None)
    (row,) = await house.rows(action="auth_failed")
    assert row["success"] is False
    assert row["request_id"] == answer.json["request_id"]


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"client_secret": "sks_wrong"}, 401, "token_invalid"),
        ({"grant_type": "password"}, 400, "invalid_request"),
        ({"scope": "admin"}, 403, "insufficient_scope"),
    ],
)
async def test_refusals_of_the_twin(
    house: House, client: dict[str, str], change: dict[str, str], status: int, code: str
) -> None:
    answer = await ask(house, "/v1/auth/token", **{**client, **change})
    assert (answer.status, answer.code) == (status, code)


async def test_the_twin_takes_json_and_oauth_does_not(house: House, client: dict[str, str]) -> None:
    body = {"grant_type": "client_credentials", **client}
    assert (await house.call("POST", "/v1/auth/token", body, token=None)).status == 200
    refused = await house.call("POST", "/oauth/token", body, token=None)
    assert (refused.status, refused.json["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    "raw", [b"grant_type", b"grant_type=a&grant_type=b", b"\xff", b"", b"scope=x"]
)
async def test_malformed_forms(house: House, raw: bytes) -> None:
    answer = await house.call("POST", "/oauth/token", raw=raw, headers=FORM, token=None)
    assert (answer.status, answer.json["error"]) == (400, "invalid_request")


async def test_every_unfit_client_gets_the_same_answer(
    house: House, client: dict[str, str]
) -> None:
    wrong = await ask(house, **{**client, "client_secret": "x"})
    unknown = await ask(house, **{**client, "client_id": "sa_nobody"})
    await house.call(
        "PATCH", f"/v1/identity/service-accounts/{client['client_id']}", {"status": "SUSPENDED"}
    )
    suspended = await ask(house, **client)

    def told(answer: Answer) -> dict[str, Any]:
        return {**answer.json, "request_id": "", "status": answer.status}

    assert told(wrong) == told(unknown) == told(suspended)


async def test_every_unfit_client_takes_the_same_work(
    house: House, client: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the time would tell which clients there are: one hash, one question, one comparison."""
    gone = await credential(house, await account(house, "gone", ["secrets:read"]))
    await house.call("DELETE", f"/v1/identity/service-accounts/{gone['client_id']}")
    idle = await account(house, "idle", ["secrets:read"])
    work: list[str] = []

    def counted(owner: Any, name: str) -> None:
        before = getattr(owner, name)

        def do(*given: Any) -> Any:
            work.append(name)
            return before(*given)

        monkeypatch.setattr(owner, name, do)

    counted(Keyring, "token_hash")
    counted(house.vault.gate, "ask")
    counted(hmac, "compare_digest")
    shaped = codes.token(codes.CLIENT_SECRET, bytes(32))
    for fields in (
        {"client_id": client["client_id"], "client_secret": "x"},
        {"client_id": client["client_id"], "client_secret": shaped},
        {"client_id": client["client_id"]},
        {"client_id": gone["client_id"], "client_secret": gone["client_secret"]},
        {"client_id": idle, "client_secret": shaped},
        {"client_id": "sa_00000000000000000000", "client_secret": shaped},
        {"client_id": "sa:app", "client_secret": client["client_secret"]},
        {},
    ):
        work.clear()
        assert (await ask(house, **fields)).status == 401
        assert work == ["token_hash", "ask", "compare_digest"], fields


async def test_an_expired_credential_is_no_client(house: House) -> None:
    made = await credential(house, await account(house, "app", ["secrets:read"]), expires_in="1h")
    client = {name: made[name] for name in ("client_id", "client_secret")}
    house.clock.advance(3600 * SECOND - 1)
    assert (await ask(house, **client)).status == 200
    house.clock.advance(1)
    assert (await ask(house, **client)).json["error"] == "invalid_client"


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_a_suspended_tenant_gives_no_tokens(
    house: House, client: dict[str, str], kind: str
) -> None:
    await suspend(house, kind, house.made[f"{kind}_id"])
    assert (await ask(house, **client)).json["error"] == "invalid_client"


async def test_the_ledger_of_logins(house: House, client: dict[str, str]) -> None:
    answer = await ask(house, **client)
    (row,) = await house.rows(action="auth_login")
    assert row["identity_id"] == "sa:app"
    assert row["tenant_id"] == house.made["tenant_id"]
    assert row["extra_data"]["client_id"] == client["client_id"]
    assert row["extra_data"]["credential_id"].startswith("cred_")
    assert row["extra_data"]["token_id"].startswith("tok_")
    assert answer.json["access_token"] not in str(await house.rows())


async def test_a_secret_in_the_wrong_field_is_not_ledgered(
    house: House, client: dict[str, str]
) -> None:
    await ask(house, client_id=client["client_secret"], client_secret=client["client_id"])
    assert client["client_secret"] not in str(await house.rows())


async def test_the_credential_remembers_its_use(house: House, client: dict[str, str]) -> None:
    where = f"/v1/identity/service-accounts/{client['client_id']}/credentials"
    assert (await house.get(where)).json["credentials"][0]["last_used_at"] is None
    await ask(house, **client)
    assert (await house.get(where)).json["credentials"][0]["last_used_at"] is not None


@pytest.mark.parametrize("end", ["credential", "status", "account"])
async def test_what_ended_while_the_client_was_checked_lets_nobody_in(
    house: House, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    """The tokens of a credential end with it; one made just afterwards would be left over."""
    made = await credential(house, await account(house, "app", ["secrets:read"]))
    where = f"/v1/identity/service-accounts/{made['client_id']}"
    identity = house.vault.grants
    check = identity._checked

    async def slow(*given: Any) -> Any:
        checked = await check(*given)
        if end == "credential":
            await house.call("DELETE", f"{where}/credentials/{made['id']}")
        elif end == "status":
            await house.call("PATCH", where, {"status": "SUSPENDED"})
            await house.call("PATCH", where, {"status": "ACTIVE"})
        else:
            await house.call("DELETE", where)
        return checked

    monkeypatch.setattr(identity, "_checked", slow)
    answer = await ask(house, client_id=made["client_id"], client_secret=made["client_secret"])
    assert (answer.status, answer.json["error"]) == (401, "invalid_client")
    assert not await house.rows(action="auth_login", success=True)
