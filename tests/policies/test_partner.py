"""Policies that a partner keeps: in force in all its tenants, changed only from above."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House
from tests.support.policies import (
    PATH,
    POLICIES,
    asked,
    bind,
    bound,
    events,
    policy,
    rule,
    sent,
)
from tests.support.tenants import found_partner, found_tenant

SCOPES = ["policies:read", "policies:write", "secrets:read", "secrets:write"]


def at(tenant: str) -> dict[str, str]:
    return {"X-Tenant-ID": tenant}


async def test_what_becomes_of_it_is_the_partners_and_of_bindings_the_tenants(
    house: House,
) -> None:
    partner = house.made["partner_id"]
    second = await found_tenant(house, "second")
    made = await policy(house, scope="partner")
    binding = await bound(house, made, "sa:app", tenant_id=second.id)
    where = f"{POLICIES}/{made}"
    assert (await house.call("PATCH", where, {"description": "x"})).status == 200
    assert (await house.call("DELETE", f"{where}/bindings/{binding}")).status == 204
    await bound(house, made, "sa:own")
    await bound(house, made, "sa:theirs", tenant_id=second.id)
    assert (await house.call("DELETE", f"{where}?force=true")).status == 204
    own = house.made["tenant_id"]
    rows = [row for row in await house.rows() if row["action"].startswith("policy_")]
    assert {row["partner_id"] for row in rows} == {partner}
    assert {row["actor_tenant_id"] for row in rows} == {own}
    told = [(row["action"], row["tenant_id"]) for row in rows]
    assert told[:6] == [
        ("policy_create", None), ("policy_bind", second.id), ("policy_update", None),
        ("policy_unbind", second.id), ("policy_bind", own), ("policy_bind", second.id),
    ]  # fmt: skip
    assert told[6] == ("policy_delete", None)
    assert set(told[7:]) == {("policy_unbind", own), ("policy_unbind", second.id)}
    announced = await events(house)
    assert {event["partner_id"] for event in announced} == {partner}
    for event in announced:
        is_binding = event["event_type"].startswith("policy.binding.")
        assert (event["tenant_id"] is None) is not is_binding
    assert announced[0]["data"]["scope"] == "partner"


@pytest.mark.parametrize("role", [None, "tenant_admin"])
async def test_below_partner_admin_it_is_read_only(house: House, role: str | None) -> None:
    made = await policy(house, scope="partner")
    binding = await bound(house, made, "sa:app")
    token = await house.client("reader", SCOPES, [role] if role else None)
    where = f"{POLICIES}/{made}"
    body = {"name": "x", "rules": [rule()]}
    calls: list[tuple[str, str, Any]] = [
        ("POST", POLICIES, {**body, "scope": "partner"}), ("PUT", where, body),
        ("PATCH", where, {"is_active": False}), ("DELETE", f"{where}?force=true", None),
        ("POST", f"{where}/bindings", {"identity_type": "group", "identity_id": "group:x"}),
        ("DELETE", f"{where}/bindings/{binding}", None),
    ]  # fmt: skip
    for method, path, sent_body in calls:
        answer = await house.call(method, path, sent_body, token=token)
        assert (answer.status, answer.code) == (403, "forbidden"), (method, answer.body)
        assert answer.details == {"required_role": "partner_admin"}
    seen = (await house.get(where, token=token)).json
    assert (seen["scope"], seen["is_active"], len(seen["bindings"])) == ("partner", True, 1)
    (line,) = (await house.get(POLICIES, token=token)).json["policies"]
    assert line["id"] == made
    rows = await house.rows(success=False, identity_id="sa:reader")
    assert {row["tenant_id"] for row in rows} == {house.made["tenant_id"]}


async def test_a_partner_admin_keeps_it(house: House) -> None:
    token = await house.client("above", SCOPES, ["partner_admin"])
    made = await policy(house, scope="partner", token=token)
    where = f"{POLICIES}/{made}"
    assert (await bind(house, made, "sa:app", token=token)).status == 201
    answer = await house.call("PATCH", where, {"is_active": False}, token=token)
    assert answer.status == 200
    assert len(answer.json["bindings"]) == 1
    assert (await house.call("DELETE", f"{where}?force=true", token=token)).status == 204


async def test_it_holds_for_each_identity_in_its_own_tenant(house: House) -> None:
    second = await found_tenant(house, "second")
    await house.put(PATH, {"in": "first"})
    await house.put(PATH, {"in": "second"}, headers=at(second.id))
    here = await house.client("app", SCOPES)
    there = await house.client("app", SCOPES, tenant=second.id)
    made = await policy(house, scope="partner")

    async def seen(token: str) -> str:
        answer = await house.read(PATH, token=token)
        return str(answer.json["data"]["in"]) if answer.status == 200 else answer.code

    assert await seen(here) == await seen(there) == "access_denied"
    binding = await bound(house, made, "sa:app", tenant_id=second.id)
    assert (await seen(here), await seen(there)) == ("access_denied", "second")
    await bound(house, made, "sa:app")
    assert (await seen(here), await seen(there)) == ("first", "second")
    assert (await house.read(PATH, token=here, headers=at(second.id))).code == (
        "tenant_access_denied"
    )
    await house.call("DELETE", f"{POLICIES}/{made}/bindings/{binding}")
    assert (await seen(here), await seen(there)) == ("first", "access_denied")
    await house.call("PATCH", f"{POLICIES}/{made}", {"rules": [rule("lab/**")]})
    assert await seen(here) == "access_denied"


async def test_a_tenant_sees_only_its_own_bindings_of_it(house: House) -> None:
    second = await found_tenant(house, "second")
    made = await policy(house, scope="partner")
    own = await bound(house, made, "sa:own")
    theirs = await bound(house, made, "user:secret@second.example", tenant_id=second.id)
    where = f"{POLICIES}/{made}"
    token = await house.client("reader", SCOPES, ["tenant_admin"])
    for target, key in ((where, "bindings"), (f"{where}/bindings", "bindings")):
        found = (await house.get(target, token=token)).json[key]
        assert [one["id"] for one in found] == [own]
        every = (await house.get(target)).json[key]
        assert {one["id"] for one in every} == {own, theirs}
    (line,) = (await house.get(POLICIES, token=token)).json["policies"]
    assert line["binding_count"] == 1
    (line,) = (await house.get(POLICIES)).json["policies"]
    assert line["binding_count"] == 2
    query = {"path": PATH, "permission": "read"}
    able = (await house.get(f"{POLICIES}/who-can", query=query, token=token)).body
    assert b"sa:own" in able
    assert b"second.example" not in able
    assert (await asked(house, "user:secret@second.example", token=token))["allowed"] is False


async def test_tenants_of_others_cannot_be_named(house: House) -> None:
    foreign = await found_partner(house, "foreign")
    outside = await found_tenant(house, "outside", foreign.id)
    made = await policy(house, scope="partner")
    for tenant in (outside.id, "tnt_00000000000000000000", foreign.id, house.made["partner_id"]):
        answer = await bind(house, made, "sa:app", tenant_id=tenant)
        assert (answer.status, answer.code) == (404, "tenant_not_found")
        assert answer.details == {"tenant_id": tenant}


async def test_another_partners_policy_is_not_there(house: House) -> None:
    foreign = await found_partner(house, "foreign")
    outside = await found_tenant(house, "outside", foreign.id)
    theirs = await policy(house, rule("**"), scope="partner", headers=at(outside.id))
    token = await house.client("above", SCOPES, ["partner_admin"])
    for caller in (token, ""):
        assert (await house.get(f"{POLICIES}/{theirs}", token=caller)).code == "policy_not_found"
        assert (await bind(house, theirs, "sa:app", token=caller)).code == "policy_not_found"
    assert (await house.get(POLICIES)).json["policies"] == []
    assert (await sent(house, scope="partner")).status == 201  # names are the partner's own


async def test_names_are_unique_per_partner(house: House) -> None:
    second = await found_tenant(house, "second")
    assert (await sent(house, scope="partner")).status == 201
    again = await sent(house, scope="partner", headers=at(second.id))
    assert (again.code, again.details) == ("already_exists", {"field": "name"})
    assert (await sent(house)).status == 201


async def test_a_cross_tenant_bind_takes_the_acting_tenant(house: House) -> None:
    second = await found_tenant(house, "second")
    made = await policy(house, scope="partner")
    answer = await bind(house, made, "sa:app", headers=at(second.id))
    assert answer.json["tenant_id"] == second.id
    assert (await bind(house, made, "sa:app")).json["tenant_id"] == house.made["tenant_id"]
