"""GET /v1/audit/logs: who sees which rows, what is refused, and how pages go on."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from scaivault.audit.actions import ACTIONS
from scaivault.crypto import digest
from scaivault.gate.ledger import canonical
from scaivault.http.routes import ROUTES
from tests.support import ledger
from tests.support.house import House
from tests.support.rights import SCOPES, neighbour
from tests.support.tenants import found_partner, found_tenant

LOGS = "/v1/audit/logs"
SOURCE = Path(__file__).parents[2] / "scaivault"


async def logs(house: House, token: str = "", **query: Any) -> list[Any]:
    answer = await house.get(LOGS, query=query, token=token)
    assert answer.status == 200, answer.body
    found: list[Any] = answer.json["logs"]
    return found


async def test_rows_carry_every_field_and_their_place_in_the_chain(house: House) -> None:
    await house.put("app/db", {"n": 1})
    found = await logs(house, order="asc")
    rows = {row["seq"]: row for row in await house.rows()}
    assert found
    for entry in found:
        seen = {name: value for name, value in entry.items() if name not in ("prev_hash", "hash")}
        assert seen == rows[entry["seq"]]
        link = digest.link(bytes.fromhex(entry["prev_hash"]), digest.row_digest(canonical(seen)))
        assert link.hex() == entry["hash"]
    assert list(entry)[:4] == ["id", "timestamp", "action", "identity_type"]


async def test_a_call_leaves_one_row_and_does_not_see_it(house: House) -> None:
    before = await logs(house, action="audit_read")
    assert before == []
    after = await logs(house, action="audit_read")
    assert [row["extra_data"] for row in after] == [{"records": 0}]
    refused = await house.get(LOGS, query={"action": "nope"})
    assert refused.status == 422
    row = (await house.rows(action="audit_read"))[-1]
    assert (row["success"], row["extra_data"]) == (False, {"error_code": "validation_error"})


async def test_a_tenant_sees_its_own_rows_only(house: House) -> None:
    await house.put("app/db", {"n": 1})
    token = await neighbour(house)
    await house.call("PUT", "/v1/secrets/theirs", {"data": {}}, token=token)
    theirs = {row["secret_path"] for row in await logs(house, token)}
    assert theirs == {"theirs", None}
    assert "theirs" not in {row["secret_path"] for row in await logs(house)}
    trail = (await house.get("/v1/audit/secrets/app/db", token=token)).json
    assert (trail["logs"], trail["summary"]["total_events"]) == ([], 0)
    root = (await house.get("/v1/audit/identities/sa:root", token=token)).json
    assert {row["tenant_id"] for row in root["logs"]} == {
        row["tenant_id"] for row in await logs(house, token)
    }


async def test_acts_elsewhere_are_seen_there(house: House) -> None:
    other = await found_tenant(house, "other")
    await house.get(f"/v1/t/{other.id}/secrets")
    assert [row["action"] for row in await logs(house, action="list")] == []
    answer = await house.get(f"/v1/t/{other.id}/audit/logs?action=list")
    (row,) = answer.json["logs"]
    assert (row["tenant_id"], row["actor_tenant_id"]) == (other.id, house.made["tenant_id"])


async def test_a_tenant_sees_what_it_did_for_no_tenant(house: House) -> None:
    await house.get("/v1/system/slots")
    (row,) = await house.rows(action="system_read")
    if row["tenant_id"] is None:
        assert row["actor_tenant_id"] == house.made["tenant_id"]
    assert [found["seq"] for found in await logs(house, action="system_read")] == [row["seq"]]


async def test_wider_scopes_take_their_roles(house: House) -> None:
    await house.get("/v1/auth/whoami", token=None)
    admin = await house.client("admin", SCOPES, ["tenant_admin"])
    partner = await house.client("partner", SCOPES, ["partner_admin"])
    for token, scope, role in (
        (admin, "partner", "partner_admin"), (admin, "vault", "super_admin"),
        (partner, "vault", "super_admin"),
    ):  # fmt: skip
        answer = await house.get(f"{LOGS}?scope={scope}", token=token)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details["required_role"] == role
    (nobody,) = await logs(house, scope="vault", identity_id="none", action="auth_failed")
    assert (nobody["tenant_id"], nobody["partner_id"], nobody["identity_id"]) == (None,) * 3
    await house.call("PUT", "/v1/partner/secrets/shared", {"data": {}}, token=partner)
    (shared,) = await logs(house, partner, scope="partner", action="write")
    assert (shared["tenant_id"], shared["partner_id"]) == (None, house.made["partner_id"])
    assert shared["extra_data"]["scope"] == "partner"
    assert await logs(house, partner, action="write") == [shared]
    kinds = [
        {(row["tenant_id"], row["partner_id"]) for row in await logs(house, scope=scope)}
        for scope in ("partner", "vault")
    ]
    assert kinds == [{(None, house.made["partner_id"])}, {(None, None)}]
    stranger = await found_partner(house, "stranger")
    foreign = await neighbour(house, "partner_admin", stranger.id)
    assert await logs(house, foreign, scope="partner", action="write") == []


async def test_a_narrowed_token_sees_rows_of_its_paths(house: House) -> None:
    for path in ("app/db", "app/db/replica", "shop/mailer"):
        await house.put(path)
    answer = await ledger.narrowed(house, LOGS, "app/*")
    assert {row["secret_path"] for row in answer.json["logs"]} == {"app/db"}
    told = (await ledger.narrowed(house, "/v1/audit/summary", "app/**")).json
    assert (told["total_events"], told["unique_secrets"]) == (2, 2)
    trail = (await ledger.narrowed(house, "/v1/audit/identities/sa:root", "shop/**")).json
    assert {row["secret_path"] for row in trail["logs"]} == {"shop/mailer"}
    assert trail["summary"]["total_events"] == 1
    assert (await ledger.narrowed(house, "/v1/audit/secrets/app/db", "app/*")).status == 200
    refused = await ledger.narrowed(house, "/v1/audit/secrets/shop/mailer", "app/*")
    assert (refused.status, refused.code) == (403, "access_denied")
    assert refused.details["reason"] == "token_paths"


async def test_all_faults_are_told_at_once(house: House) -> None:
    query = {"from": "yesterday", "to": "2031-13-01", "action": "read,fly", "source_ip": "home"}
    answer = await house.get(LOGS, query={**query, "identity_id": "bob"})
    assert (answer.status, answer.code) == (422, "validation_error")
    assert sorted(answer.details["fields"]) == sorted([*query, "identity_id"])
    for wrong in (
        {"from": "2031-05-01", "to": "2031-05-01"}, {"limit": 0}, {"limit": 1001}, {"order": "up"},
        {"identity_type": "robot"}, {"success": "maybe"}, {"scope": "world"}, {"action": ""},
        {"path": "x"}, {"to": "9999-12-31T23:59:59-23:59"},
    ):  # fmt: skip
        assert (await house.get(LOGS, query=wrong)).status == 422, wrong
    answer = await house.get(LOGS, query={"path_prefix": "App"})
    assert (answer.status, answer.code) == (400, "invalid_path")


@pytest.mark.parametrize(
    ("action", "fault"),
    [
        ("polcy_create", "'polcy_create' is no action of the audit log; near it: policy_create, "),
        ("read,secret_read", "'secret_read' is no action of the audit log; near it: "),
        ("0" * 200, f"'{'0' * 64}' is no action of the audit log"),
        ("read,", "names an empty action"),
    ],
)
async def test_a_misspelt_action_meets_those_near_it(house: House, action: str, fault: str) -> None:
    answer = await house.get(LOGS, query={"action": action})
    assert answer.details["fields"]["action"].startswith(fault)


@pytest.mark.parametrize("since", ["0001-01-01", "2031-05-09", "2031-05-09T08:30:00+02:00"])
async def test_times_are_taken_in_any_form(house: House, since: str) -> None:
    assert await logs(house, **{"from": since})


async def test_an_address_has_many_spellings(house: House) -> None:
    await house.call("PUT", "/v1/secrets/a", {"data": {}}, client=("2001:db8::7", 1))
    assert len(await logs(house, source_ip="2001:DB8:0:0::7")) == 1


async def test_identities_in_every_form(house: House) -> None:
    token = await house.client("bot", ["secrets:list"])
    await house.get("/v1/secrets", token=token)
    (made,) = [row["extra_data"]["object_id"] for row in await house.rows(action="identity_create")]
    for form in (made, "sa:bot"):
        assert {row["identity_id"] for row in await logs(house, identity_id=form)} == {"sa:bot"}
    await house.call("DELETE", f"/v1/identity/service-accounts/{made}")
    assert {row["identity_id"] for row in await logs(house, identity_id=made)} == {"sa:bot"}
    foreign = await neighbour(house)
    assert await logs(house, foreign, identity_id=made) == []


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 7])
async def test_pages_hold_every_row_once_while_rows_are_added(
    house: House, order: str, limit: int
) -> None:
    for number in range(9):
        await house.put(f"app/p{number}")
    wanted = [row["seq"] for row in await logs(house, order="asc", limit=1000)]
    wanted.append((await house.rows())[-1]["seq"])  # the row of that very call
    got: list[int] = []
    query: dict[str, Any] = {"order": order, "limit": limit}
    while True:
        answer = (await house.get(LOGS, query=query)).json
        got += [row["seq"] for row in answer["logs"]]
        await house.put("app/meanwhile")
        if not answer["has_more"]:
            break
        query = {"cursor": answer["cursor"]}
    assert answer["cursor"] is None
    assert got == (wanted if order == "asc" else wanted[::-1])


async def test_a_cursor_is_for_its_list_and_tenant(house: House) -> None:
    await house.put("app/db")
    cursor = (await house.get(f"{LOGS}?limit=1&success=true")).json["cursor"]
    assert (await house.get(f"{LOGS}?cursor={cursor}&success=true&order=desc")).status == 200
    token = await neighbour(house)
    for target, caller in (
        (f"{LOGS}?cursor={cursor}&success=false", ""), (f"{LOGS}?cursor={cursor}&order=asc", ""),
        (f"{LOGS}?cursor={cursor}", token), (f"/v1/audit/secrets/app/db?cursor={cursor}", ""),
        (f"{LOGS}?cursor={cursor[:-1]}", ""),
    ):  # fmt: skip
        answer = await house.get(target, token=caller)
        assert (answer.status, answer.code) == (400, "invalid_cursor"), target


async def test_pruned_rows_are_passed_over(house: House) -> None:
    await house.put("app/db")
    (row,) = await house.rows(action="write")
    await ledger.prune(house, [row["seq"]])
    assert await logs(house, action="write") == []
    answer = (await house.get("/v1/audit/secrets/app/db")).json
    assert (answer["summary"]["total_events"], answer["logs"]) == (0, [])
    found = await logs(house, order="asc")
    assert all(len(entry["prev_hash"]) == 64 for entry in found)


def test_every_action_that_is_written_is_in_the_list() -> None:
    text = "\n".join(path.read_text() for path in SOURCE.rglob("*.py"))
    named = set(re.findall(r'\b(?:Act|also)\(\s*"([a-z_]+)"', text))
    assert named
    assert named | {route.action for route in ROUTES} <= ACTIONS
