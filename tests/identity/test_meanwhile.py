"""Calls that are under way while the caller's rights end. What is acknowledged as ended gives
nothing behind its end: a secret or a right that was handed out then would be found by nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from scaivault.errors import Refusal
from tests.support.house import PASSPHRASE, Answer, House

ACCOUNTS = "/v1/identity/service-accounts"
SCOPES = ["identity:admin", "identity:read", "policies:write", "secrets:read"]
POLICY = {"name": "all", "rules": [{"path_pattern": "**", "permissions": ["read"]}]}

Call = tuple[str, str, dict[str, Any]]


async def revoke(house: House) -> Answer:
    return await house.call("POST", "/v1/identity/service_account/sa:thief/revoke-access", {})


async def suspend(house: House) -> Answer:
    return await house.call("PATCH", f"{ACCOUNTS}/sa:thief", {"status": "SUSPENDED"})


async def unrole(house: House) -> Answer:
    return await house.call("PUT", f"{ACCOUNTS}/sa:thief/roles", {"roles": []})


async def unscope(house: House) -> Answer:
    return await house.call("PATCH", f"{ACCOUNTS}/sa:thief", {"scopes": ["secrets:read"]})


async def end_token(house: House) -> Answer:
    found = await house.get("/v1/auth/tokens", query={"identity_id": "sa:thief"})
    (token,) = found.json["tokens"]
    return await house.call("DELETE", f"/v1/auth/tokens/{token['id']}")


ENDS: list[Callable[[House], Awaitable[Answer]]] = [revoke, suspend, unrole, unscope, end_token]
GIVING: list[Call] = [
    ("POST", f"{ACCOUNTS}/sa:thief/credentials", {}),
    ("POST", f"{ACCOUNTS}/sa:other/credentials", {}),
    ("POST", ACCOUNTS, {"name": "fresh", "scopes": ["identity:admin"]}),
    ("PATCH", f"{ACCOUNTS}/sa:other", {"scopes": ["identity:admin"]}),
    ("PUT", f"{ACCOUNTS}/sa:other/roles", {"roles": ["partner_admin"]}),
    ("POST", "/v1/identity/users", {"email": "fresh@harbor.example"}),
    ("POST", "/v1/identity/groups/group:ops/members", {"identity_id": "sa:other"}),
    (
        "POST",
        "/v1/auth/tokens",
        {"name": "t", "scopes": ["secrets:read"], "identity_id": "user:mira@harbor.example"},
    ),
    ("POST", "/v1/policies", POLICY),
]


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
async def test_nothing_is_given_behind_the_end(
    house: House, end: Callable[[House], Awaitable[Answer]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call was let in before the end, and comes to the writer behind it."""
    token = await house.client("thief", SCOPES, ["partner_admin"])
    await house.client("other", ["secrets:read"])
    await house.call("POST", "/v1/identity/users", {"email": "mira@harbor.example"})
    await house.call("POST", "/v1/identity/groups", {"name": "ops"})
    ended, waiting = asyncio.Event(), asyncio.Semaphore(0)
    change = house.vault.gate.change

    async def late(caller: Any, act: Any, function: Any) -> Any:
        if caller.identity_id == "sa:thief":
            waiting.release()
            await ended.wait()
        return await change(caller, act, function)

    monkeypatch.setattr(house.vault.gate, "change", late)
    calls = [
        asyncio.ensure_future(house.call(method, where, body, token=token))
        for method, where, body in GIVING
    ]
    async with asyncio.timeout(30):
        for _ in GIVING:
            await waiting.acquire()
    assert (await end(house)).status in {200, 204}
    ended.set()
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} <= {401, 403}
    assert {answer.code for answer in answers} <= {"token_revoked", "forbidden"}
    refused = await house.rows(identity_id="sa:thief", success=False)
    assert len(refused) == len(GIVING)


async def test_in_one_group_of_commits_too(house: House) -> None:
    token = await house.client("thief", SCOPES, ["partner_admin"])
    where = f"{ACCOUNTS}/sa:thief/credentials"
    await asyncio.gather(
        *(house.call("POST", where, {}, token=token) for _ in range(2)),
        revoke(house),
        *(house.call("POST", where, {}, token=token) for _ in range(2)),
    )
    assert (await house.get(where)).json["credentials"] == []


async def test_no_slot_is_left_behind(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A credential of the vault's own, made while its key derivation takes its time."""
    token = await house.client("thief", ["admin"], ["super_admin"])
    change = house.vault.gate.change

    async def late(caller: Any, act: Any, function: Any) -> Any:
        if caller.identity_id == "sa:thief":
            assert (await revoke(house)).status == 200
        return await change(caller, act, function)

    monkeypatch.setattr(house.vault.gate, "change", late)
    body = {"type": "passphrase", "passphrase": "another horse battery staple"}
    answer = await house.call("POST", "/v1/system/slots", body, token=token)
    assert (answer.status, answer.code) == (401, "token_revoked")
    assert len((await house.get("/v1/system/slots")).json["slots"]) == 1
    await house.restart()
    assert (await house.unseal(passphrase=body["passphrase"])).code == "unseal_failed"


@pytest.mark.parametrize("step", [1, 2, 3, 4])
async def test_a_rotation_that_stops_in_the_middle(house: House, step: int) -> None:
    """The caller's rights end between two of its steps: the vault opens, and the next one works."""
    await house.put("a/b", {"x": 1})
    (slot,) = (await house.get("/v1/system/slots")).json["slots"]
    credentials = [{"slot_id": slot["id"], "passphrase": PASSPHRASE}]
    body = {"credentials": credentials, "rekey_file": True}
    gate, asked = house.vault.gate, 0
    check = gate.check_still

    def ended(db: Any, principal: Any) -> None:
        nonlocal asked
        asked += 1
        if asked == step:
            raise Refusal("token_revoked", "this token was revoked; get a new one")
        check(db, principal)

    gate.check_still = ended
    answer = await house.call("POST", "/v1/system/rotate-root", body)
    assert (answer.status, answer.code, asked) == (401, "token_revoked", step)
    await house.crash()
    assert (await house.unseal()).status == 200
    assert (await house.read("a/b")).status == 200
    assert (await house.call("POST", "/v1/system/rotate-root", body)).status == 200
    await house.restart()
    assert (await house.unseal()).status == 200
    assert (await house.read("a/b")).status == 200
