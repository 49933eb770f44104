"""What is remembered with the lines of a kept connection: of whom, from where, of which vault."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.system.start import StartOptions
from tests.support.house import PASSPHRASE, Answer, House
from tests.support.kept import Kept, quiet, request, told
from tests.support.people import MIRA, login, mint, minted, person, token_id
from tests.support.policies import PATH, bound, policy
from tests.support.running import EXAMPLES, Running, running_house
from tests.support.tenants import found_tenant

WHOAMI: Final = "/v1/auth/whoami"
SECRET: Final = f"/v1/secrets/{PATH}"
PROXY: Final = ("10.0.0.9", 1)


@pytest.fixture(autouse=True)
def unlogged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reload would have this process log from then on."""
    monkeypatch.setattr("scaivault.app.logs.configure", lambda _settings: None)


# -- of which vault ------------------------------------------------------------------------------


async def test_nothing_is_remembered_across_a_seal(house: House) -> None:
    """However many changes there were before it and behind it: counts of two openings of one vault
    have nothing to do with each other."""
    token = await login(house)
    where = f"/v1/auth/tokens/{await token_id(house, token)}"
    connections = [Kept(house) for _ in range(6)]
    for kept in connections:  # each knows him under another count
        assert told(await kept.get(WHOAMI, token=token)) == "ok"
        assert told(await kept.get(WHOAMI, token=token)) == "ok"
        house.vault.authentication.forget()
    assert (await house.call("DELETE", where)).status == 204
    assert (await house.call("POST", "/v1/system/seal", {})).status == 200
    assert told(await connections[0].get(WHOAMI, token=token)) == "sealed"
    assert (await house.unseal()).status == 200
    for _ in range(12):
        for kept in connections:
            assert told(await kept.get(WHOAMI, token=token)) == "token_revoked"
        house.vault.authentication.forget()


async def test_a_good_token_is_good_behind_a_seal(house: House) -> None:
    await house.put(PATH, {"n": 1})
    kept = Kept(house)
    assert (await kept.get(SECRET)).json["data"] == {"n": 1}
    await house.call("POST", "/v1/system/seal", {})
    assert [told(await kept.get(SECRET)) for _ in range(2)] == ["sealed"] * 2
    await house.unseal()
    assert (await kept.get(SECRET)).json["data"] == {"n": 1}


async def test_keys_may_change_between(house: House) -> None:
    """Of the tenant, the partner, the file: what is at hand of a row is what opens it."""
    await house.put(PATH, {"n": 1})
    kept = Kept(house)
    slot = (await house.get("/v1/system/slots")).json["slots"][0]["id"]
    root = {"credentials": [{"slot_id": slot, "passphrase": PASSPHRASE}], "rekey_file": True}
    tenant, partner = house.made["tenant_id"], house.made["partner_id"]
    for where, body in (
        (f"tenants/{tenant}/rotate-key", None),
        (f"partners/{partner}/rotate-key", None),
        ("rotate-root", root),
    ):
        assert (await kept.get(SECRET)).json["data"] == {"n": 1}
        answer = await house.call("POST", f"/v1/system/{where}", body)
        assert answer.status in (200, 202), answer.body
        house.clock.advance(60_000_000)
        await house.run_jobs()
        assert (await kept.get(SECRET)).json["data"] == {"n": 1}


async def test_a_request_that_is_under_way_while_rights_end(house: House) -> None:
    """It was looked at before, and remembers nothing for the next."""
    token = await login(house)
    kept = Kept(house)
    forget = house.vault.authentication.forget
    ask = house.vault.gate.ask

    async def slow(*question: Any) -> Any:
        found = await ask(*question)
        forget()
        return found

    house.vault.gate.ask = slow  # type: ignore[assignment,method-assign]
    assert told(await kept.get(WHOAMI, token=token)) == "ok"
    house.vault.gate.ask = ask  # type: ignore[method-assign]
    authentication = house.vault.authentication
    (found,) = kept._connection._head.standings.values()
    assert found.changes != authentication.changes


# -- where from ----------------------------------------------------------------------------------


def reloaded(house: House, *proxies: str) -> None:
    """As SIGHUP does, with another configuration."""
    flags = {
        "data_dir": str(house.path),
        "server.bind": "127.0.0.1:8443",
        "server.trusted_proxies": list(proxies),
        "rate_limits.enabled": False,
    }
    house.app.reload(StartOptions(flags=flags), {})


async def test_trusted_proxies_change_for_kept_connections(house: House) -> None:
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    kept = Kept(house, PROXY)
    headers = {"X-Forwarded-For": "192.0.2.7"}

    async def answers() -> list[str]:
        return [told(await kept.get(WHOAMI, token=token, headers=headers)) for _ in range(3)]

    assert await answers() == ["ip_not_allowed"] * 3
    reloaded(house, "10.0.0.0/8")
    assert await answers() == ["ok"] * 3
    assert kept.stands
    reloaded(house, "10.0.0.0/8")
    assert await answers() == ["ok"] * 3
    reloaded(house)
    assert await answers() == ["ip_not_allowed"] * 3
    reloaded(house, "10.0.0.0/8", "192.0.2.0/24")  # the hop itself is a proxy by now
    assert await answers() == ["ok"] * 3
    rows = await house.rows(
        request_id=(await kept.get(WHOAMI, headers=headers)).headers["x-request-id"]
    )
    assert [row["source_ip"] for row in rows] == ["192.0.2.7"]


async def test_other_lines_are_another_sender(house: House) -> None:
    reloaded(house, "10.0.0.0/8")
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    kept = Kept(house, PROXY)
    for hop, code in [("192.0.2.7", "ok"), ("198.51.100.9", "ip_not_allowed")] * 3:
        for name in ("X-Forwarded-For", "Forwarded"):
            sent = {name: hop if name != "Forwarded" else f"for={hop}"}
            assert told(await kept.get(WHOAMI, token=token, headers=sent)) == code
    both = {"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=192.0.2.8"}
    assert told(await kept.get(WHOAMI, token=token, headers=both)) == "ip_not_allowed"


async def test_connections_know_nothing_of_each_other(house: House) -> None:
    """The same lines from elsewhere."""
    token = await login(house, ip_ranges=["192.0.2.0/24"])
    here, there = Kept(house, ("192.0.2.7", 1)), Kept(house, ("198.51.100.9", 1))
    for _ in range(3):
        assert told(await here.get(WHOAMI, token=token)) == "ok"
        assert told(await there.get(WHOAMI, token=token)) == "ip_not_allowed"


# -- of whom -------------------------------------------------------------------------------------


async def test_each_line_counts_anew(house: House) -> None:
    """Token, tenant, request id, conditions: one byte more or less is another request."""
    other = (await found_tenant(house, "other")).id
    await house.put(PATH, {"at": "own"})
    await house.call("PUT", f"/v1/t/{other}{SECRET[3:]}", {"data": {"at": "other"}})
    mine = await login(house)
    kept = Kept(house)
    for _ in range(3):
        assert (await kept.get(SECRET)).json["data"] == {"at": "own"}
        assert (await kept.get(SECRET, headers={"X-Tenant-ID": other})).json["data"][
            "at"
        ] == "other"
        assert told(await kept.get(SECRET, headers={"X-Tenant-ID": ""})) == "tenant_not_found"
        assert told(await kept.get(SECRET, token=mine)) == "access_denied"
        assert told(await kept.get(SECRET, token=mine + "x")) == "token_invalid"
        assert told(await kept.get(SECRET, token=None)) == "authentication_required"
        assert (
            told(await kept.get(f"/v1/t/{other}{SECRET[3:]}", token=mine)) == "tenant_access_denied"
        )
        assert (await kept.get(f"/v1/t/{other}{SECRET[3:]}")).json["data"] == {"at": "other"}
    assert kept.again == 2  # the last and the first of them differ in nothing but the path
    for _ in range(2):
        answer = await kept.get(SECRET, headers={"X-Request-ID": "mine"})
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [row["extra_data"]["client_request_id"] for row in rows] == ["mine"]


async def test_requests_with_bodies_stand_as_well(house: House) -> None:
    """Their lines are parsed, and known again; what ends between two of them holds."""
    token = await house.client("app", ["secrets:read", "secrets:write"], ["tenant_admin"])
    kept = Kept(house)

    async def put() -> str:
        answer = await kept.call("PUT", SECRET, {"data": {"n": 1}}, token=token)
        return "ok" if answer.status < 300 else answer.code

    assert [await put() for _ in range(3)] == ["ok"] * 3
    assert kept.again == 0
    where = "/v1/identity/service-accounts/sa:app"
    await house.call("PATCH", where, {"scopes": ["secrets:read"]})
    assert [await put() for _ in range(2)] == ["insufficient_scope"] * 2
    await house.call("PATCH", where, {"scopes": ["secrets:read", "secrets:write"]})
    assert await put() == "ok"
    await house.call("PATCH", where, {"status": "SUSPENDED"})
    assert await put() == "token_revoked"


async def test_rights_that_end_while_a_body_comes_in(house: House) -> None:
    """Known or not, who stood when the head came is looked at again behind the body."""
    token = await house.client("app", ["secrets:read", "secrets:write"], ["tenant_admin"])
    kept = Kept(house)
    for _ in range(2):
        await kept.call("PUT", SECRET, {"data": {"n": 1}}, token=token)
    sent = request("PUT", SECRET, {"Authorization": f"Bearer {token}"}, b'{"data":{"n":1}}')
    kept._connection.data_received(sent[:-5])
    await quiet()
    where = "/v1/identity/service-accounts/sa:app"
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).status == 200
    kept._connection.data_received(sent[-5:])
    assert told(await kept.answer()) == "token_revoked"
    assert (await house.get(f"{SECRET}")).json["version"] == 2


async def test_routes_are_looked_at_each_by_itself(house: House) -> None:
    """Rights on one say nothing of another, with the same lines."""
    token = await house.client("app", ["secrets:read"], ["tenant_admin"])
    await house.put(PATH, {"n": 1})
    kept = Kept(house)
    for _ in range(3):
        assert told(await kept.get(SECRET, token=token)) == "ok"
        assert told(await kept.get("/v1/secrets", token=token)) == "insufficient_scope"
        assert told(await kept.get("/v1/audit/verify", token=token)) == "insufficient_scope"
        assert told(await kept.get(WHOAMI, token=token)) == "ok"
        assert told(await kept.call("DELETE", SECRET, token=token)) == "insufficient_scope"
    assert kept.again == 14


async def test_every_read_is_decided_limited_and_recorded_by_itself(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault", rate_limits__secrets_read=5)
    try:
        await house.put(PATH, {"n": 1})
        kept = Kept(house)
        answers = [await kept.get(SECRET) for _ in range(7)]
        assert [told(one) for one in answers] == ["ok"] * 5 + ["rate_limited"] * 2
        assert kept.again == 6
        ids = [one.headers["x-request-id"] for one in answers]
        assert len(set(ids)) == 7
        rows = await house.rows(action="read")
        assert [row["request_id"] for row in rows if row["success"]] == ids[:5]
    finally:
        await house.close()


async def test_what_was_last_used_follows(house: House) -> None:
    token = await login(house)
    kept = Kept(house)
    await kept.get(WHOAMI, token=token)
    house.clock.advance(3600_000_000)
    await kept.get(WHOAMI, token=token)
    shown = (await house.get("/v1/auth/tokens/" + await token_id(house, token))).json
    assert shown["last_used_at"][:13] > shown["created_at"][:13]


# -- any order of changes ------------------------------------------------------------------------

CHANGES: Final = [
    ("PATCH", f"/v1/identity/users/{MIRA}", {"status": "SUSPENDED"}),
    ("PATCH", f"/v1/identity/users/{MIRA}", {"status": "ACTIVE"}),
    ("PATCH", f"/v1/identity/users/{MIRA}", {"groups": []}),
    ("PATCH", f"/v1/identity/users/{MIRA}", {"groups": ["group:ops"]}),
    ("PUT", f"/v1/identity/users/{MIRA}/roles", {"roles": []}),
    ("PUT", f"/v1/identity/users/{MIRA}/roles", {"roles": ["tenant_admin"]}),
    ("PUT", f"/v1/identity/users/{MIRA}/roles", {"roles": ["super_admin"]}),
    ("POST", f"/v1/identity/user/{MIRA}/revoke-access", {}),
    ("PATCH", "/v1/identity/tenants/{other}", {"status": "SUSPENDED"}),
    ("PATCH", "/v1/identity/tenants/{other}", {"status": "ACTIVE"}),
    ("PATCH", "/v1/policies/{policy}", {"is_active": False}),
    ("PATCH", "/v1/policies/{policy}", {"is_active": True}),
    ("token", "", None),
]  # fmt: skip
ASKS: Final = [
    "{secret}",
    "/v1/secrets",
    WHOAMI,
    "/v1/t/{other}/secrets",
    "/v1/policies",
    "/v1/none",
]
steps = st.lists(st.tuples(st.sampled_from(CHANGES), st.booleans()), max_size=8)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_house(tmp_path_factory.mktemp("kept") / "vault") as found:
        found.run(_founded(found.house))
        yield found


async def _founded(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.call("POST", "/v1/identity/groups", {"name": "ops"})
    await person(house)
    house.made["other"] = (await found_tenant(house, "other")).id
    house.made["policy"] = await policy(house)
    await bound(house, house.made["policy"], "group:ops")


@settings(EXAMPLES, max_examples=40)
@given(steps=steps, named=st.sampled_from([None, "own", "other"]))
def test_a_kept_connection_is_told_what_a_new_one_is(
    running: Running, steps: list[tuple[tuple[str, str, Any], bool]], named: str | None
) -> None:
    running.run(_compared(running.house, steps, named))


async def _compared(house: House, steps: Any, named: str | None) -> None:
    made = {**house.made, "secret": SECRET}
    await house.call("PATCH", f"/v1/identity/users/{MIRA}", {"status": "ACTIVE"})
    house.clock.advance(1_000_000)
    token = await minted(house, identity_id=MIRA, scopes=["admin"])
    headers = (
        {} if named is None else {"X-Tenant-ID": made["tenant_id" if named == "own" else "other"]}
    )
    kept = Kept(house)

    async def compare() -> None:
        for ask in ASKS:
            target = ask.format(**made)
            old = await kept.get(target, token=token, headers=headers)
            new = await Kept(house).get(target, token=token, headers=headers)
            assert _plain(old) == _plain(new), target

    for (method, where, body), twice in steps:
        for _ in range(1 + twice):
            await compare()
        if method == "token":
            made_now = await mint(house, identity_id=MIRA, scopes=["admin"])
            token = made_now.json.get("token", token)  # none while he is suspended
        else:
            await house.call(method, where.format(**made), body)
        house.clock.advance(1_000_000)
    await compare()


def _plain(answer: Answer) -> tuple[int, Any]:
    """Without what differs from request to request."""
    found = answer.json
    if answer.status >= 400:
        del found["error"]["request_id"]
    for name in ("last_accessed_at", "last_used_at"):
        found.pop(name, None)
    for one in found.get("secrets", []):
        one.pop("last_accessed_at", None)
    return answer.status, found


async def test_cancelled_and_left_alone(house: House) -> None:
    """Clients that go while they are answered leave the house as it was."""
    await house.put(PATH, {"n": 1})
    for _ in range(5):
        kept = Kept(house)
        kept.say("GET", SECRET)
        await asyncio.sleep(0)
        kept._connection.connection_lost(None)
        await asyncio.gather(*kept._connection._state.tasks)
    kept = Kept(house)
    assert told(await kept.get(SECRET)) == "ok"
    reads = await house.rows(action="read", success=True)
    assert len(reads) == 6
