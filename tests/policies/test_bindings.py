"""Bindings: whom a policy can be bound to, until when, and how it ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House
from tests.support.policies import POLICIES, asked, bind, bound, events, policy
from tests.support.tenants import account, found_tenant

SOON = "2031-05-09T06:31:00.000000Z"


async def test_a_new_binding(house: House) -> None:
    made = await policy(house)
    answer = await bind(house, made, "sa:gateway-sync", expires_at="2031-05-09T08:31:00+02:00")
    assert answer.status == 201
    body = answer.json
    assert body["id"].startswith("bind_")
    assert body == {
        "id": body["id"], "policy_id": made, "identity_type": "service_account",
        "identity_id": "sa:gateway-sync", "tenant_id": house.made["tenant_id"],
        "expires_at": SOON, "created_at": "2031-05-09T06:30:00.000000Z", "created_by": "sa:root",
    }  # fmt: skip
    assert (await house.get(f"{POLICIES}/{made}")).json["bindings"] == [body]
    (row,) = await house.rows(action="policy_bind")
    assert row["extra_data"] == {
        "policy_id": made, "binding_id": body["id"], "for": "sa:gateway-sync",
    }  # fmt: skip
    (event,) = await events(house, "policy.binding.created")
    assert event["data"] == {
        "policy_id": made, "policy_name": "readers", "binding_id": body["id"],
        "identity_type": "service_account", "identity_id": "sa:gateway-sync",
        "expires_at": SOON, "created_by": "sa:root",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("identity", "kept"),
    [
        ("user: Ines@Retail.Example ", "user:ines@retail.example"),
        ("user:ines@retail.example", "user:ines@retail.example"),
        ("sa:a.b_c-d", "sa:a.b_c-d"),
        ("group:night", "group:night"),
        ("system:dynamic-engines", "system:dynamic-engines"),
        ("dynamic:orders", "dynamic:orders"),
    ],
)
async def test_ids_are_kept_in_canonical_form(house: House, identity: str, kept: str) -> None:
    made = await policy(house)
    assert (await bind(house, made, identity)).json["identity_id"] == kept
    again = await bind(house, made, identity)
    assert (again.status, again.code) == (409, "already_exists")
    assert again.details == {"field": "identity_id"}


@pytest.mark.parametrize(
    ("kind", "identity"),
    [
        ("user", "sa:app"), ("user", "group:night"), ("user", "grp_00000000000000000000"),
        ("user", "ines@retail.example"), ("user", "user:"), ("user", "user: "),
        ("user", "user:a b@c.example"), ("user", "user:a\u200b@c.example"), ("user", ""),
        ("user", "user:\u212aim@c.example"),
        ("user", "USER:ines@retail.example"), ("user", " user:ines@retail.example"),
        ("group", "user:ines@retail.example"), ("group", "group:Night"), ("group", "group:"),
        ("group", "team:night"), ("group", "group:a/b"), ("group", "sa_00000000000000000000"),
        ("service_account", "group:night"), ("service_account", "sa:App"),
        ("service_account", "sa:-app"), ("service_account", "sa:" + "a" * 129),
        ("service_account", "system:expiry"), ("service_account", "system:dynamic-engines2"),
        ("service_account", "system:"), ("service_account", "dynamic:"),
        ("service_account", "usr_00000000000000000000"), ("service_account", "sa:\u212aim"),
    ],
)  # fmt: skip
async def test_ids_that_do_not_fit_their_type(house: House, kind: str, identity: str) -> None:
    made = await policy(house)
    body = {"identity_type": kind, "identity_id": identity}
    answer = await house.call("POST", f"{POLICIES}/{made}/bindings", body)
    assert (answer.status, answer.code) == (400, "invalid_policy"), answer.body
    assert answer.details["field"] == "identity_id"
    assert (await house.get(f"{POLICIES}/{made}")).json["bindings"] == []


async def test_record_ids_must_be_there_and_canonical_ones_need_not(house: House) -> None:
    made = await policy(house)
    record = await account(house, "app", ["secrets:read"])
    assert (await bind(house, made, record)).json["identity_id"] == "sa:app"
    assert (await bind(house, made, "sa:app")).code == "already_exists"
    assert (await bind(house, made, "sa:nobody-yet")).status == 201
    tenant = await found_tenant(house, "second")
    foreign = await account(house, "app", ["secrets:read"], tenant_id=tenant.id)
    for unknown in ("sa_" + "0" * 20, "grp_" + "0" * 20, "usr_" + "0" * 20, "sa_", foreign):
        answer = await bind(house, made, unknown)
        assert (answer.status, answer.code) == (404, "identity_not_found")
        assert answer.details == {"identity_id": unknown}


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"identity_type": "team"}, {"identity_type"}),
        ({"identity_id": 1}, {"identity_id"}),
        ({"expires_at": "tomorrow"}, {"expires_at"}),
        ({"expires_at": "2031-05-09T06:30:00Z"}, {"expires_at"}),
        ({"expires_at": "2031-05-09"}, {"expires_at"}),
        ({"expires_at": "2032-02-30"}, {"expires_at"}),
        ({"expires_at": "9999-12-31T23:59:59-00:01"}, {"expires_at"}),
        ({"expires_in": "1h"}, {"expires_in"}),
        ({"tenant_id": "tnt_x"}, {"tenant_id"}),
    ],
)
async def test_bodies_that_are_none(house: House, change: dict[str, Any], fields: set[str]) -> None:
    made = await policy(house)
    body = {"identity_type": "service_account", "identity_id": "sa:app", **change}
    answer = await house.call("POST", f"{POLICIES}/{made}/bindings", body)
    assert (answer.status, answer.code) == (422, "validation_error"), answer.body
    assert set(answer.details["fields"]) == fields


async def test_the_own_tenant_may_be_named(house: House) -> None:
    made = await policy(house)
    own = house.made["tenant_id"]
    assert (await bind(house, made, "sa:app", tenant_id=own)).json["tenant_id"] == own


async def test_a_binding_ends(house: House) -> None:
    made = await policy(house)
    binding = await bound(house, made, "sa:app")
    where = f"{POLICIES}/{made}/bindings/{binding}"
    answer = await house.call("DELETE", where)
    assert (answer.status, answer.body) == (204, b"")
    again = await house.call("DELETE", where)
    assert (again.status, again.code, again.details) == (404, "binding_not_found", {"id": binding})
    assert (await house.rows(action="policy_unbind", success=True))[0]["extra_data"] == {
        "policy_id": made, "binding_id": binding, "for": "sa:app",
    }  # fmt: skip
    (event,) = await events(house, "policy.binding.deleted")
    assert event["data"]["reason"] == "removed"
    assert (await bind(house, made, "sa:app")).status == 201


async def test_a_binding_of_another_policy_is_not_there(house: House) -> None:
    one, other = await policy(house, name="one"), await policy(house, name="other")
    binding = await bound(house, one, "sa:app")
    for where in (f"{other}/bindings/{binding}", f"{one}/bindings/bind_x"):
        answer = await house.call("DELETE", f"{POLICIES}/{where}")
        assert (answer.status, answer.code) == (404, "binding_not_found")
    answer = await house.call("DELETE", f"{POLICIES}/pol_x/bindings/{binding}")
    assert answer.code == "policy_not_found"
    assert len((await house.get(f"{POLICIES}/{one}")).json["bindings"]) == 1


async def test_an_expired_binding_grants_nothing_and_is_replaced(house: House) -> None:
    made = await policy(house)
    first = await bound(house, made, "sa:app", expires_at=SOON)
    house.clock.advance(59_999_999)
    assert (await asked(house, "sa:app"))["allowed"] is True
    assert (await bind(house, made, "sa:app")).code == "already_exists"
    house.clock.advance(1)
    assert (await asked(house, "sa:app"))["reason"] == "no_policy_bound"
    assert (await house.get(f"{POLICIES}/{made}/bindings")).json["bindings"] == []
    second = await bound(house, made, "sa:app")
    assert second != first
    (event,) = await events(house, "policy.binding.deleted")
    assert (event["data"]["binding_id"], event["data"]["reason"]) == (first, "expired")
    (row,) = await house.rows(action="policy_unbind")
    assert row["extra_data"]["binding_id"] == first
    assert (await asked(house, "sa:app"))["allowed"] is True


async def test_a_job_removes_what_has_expired(house: House) -> None:
    made = await policy(house)
    ends = await bound(house, made, "sa:app", expires_at=SOON)
    stays = await bound(house, made, "sa:other", expires_at="2031-05-10")
    await house.run_jobs()
    house.clock.advance(60_000_000)
    await house.run_jobs()
    (row,) = await house.rows(action="policy_unbind")
    assert (row["identity_id"], row["tenant_id"]) == ("system:expiry", house.made["tenant_id"])
    assert row["partner_id"] == house.made["partner_id"]
    assert row["extra_data"] == {
        "policy_id": made, "binding_id": ends, "for": "sa:app", "reason": "expired",
    }  # fmt: skip
    (event,) = await events(house, "policy.binding.deleted")
    assert event["tenant_id"] == house.made["tenant_id"]
    assert (event["data"]["reason"], event["data"]["deleted_by"]) == ("expired", "system:expiry")
    found = (await house.get(f"{POLICIES}/{made}/bindings")).json["bindings"]
    assert [one["id"] for one in found] == [stays]
    before = len(await house.rows())
    house.clock.advance(60_000_000)
    await house.vault.bindings.expire(house.vault.internal("expiry"))
    assert len(await house.rows()) == before  # nothing to do leaves no row


async def test_pages_of_bindings_by_creation(house: House) -> None:
    made = await policy(house)
    for n in (3, 1, 2):
        house.clock.advance(1)
        await bound(house, made, f"sa:app-{n}")
    where = f"{POLICIES}/{made}/bindings"
    first = (await house.get(where, query={"limit": 2})).json
    assert [one["identity_id"] for one in first["bindings"]] == ["sa:app-3", "sa:app-1"]
    assert first["has_more"] is True
    second = (await house.get(where, query={"cursor": first["cursor"]})).json
    assert [one["identity_id"] for one in second["bindings"]] == ["sa:app-2"]
    assert (second["cursor"], second["has_more"]) == (None, False)
    other = await policy(house, name="other")
    answer = await house.get(f"{POLICIES}/{other}/bindings", query={"cursor": first["cursor"]})
    assert answer.code == "invalid_cursor"
