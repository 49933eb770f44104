"""Policies: made, read, listed, replaced, changed, deleted."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House
from tests.support.policies import POLICIES, bound, events, policy, rule, sent
from tests.support.tenants import found_tenant

FULL = rule(
    "retail/live/**",
    "list",
    "read",
    ip_ranges=["198.51.100.0/24", "2001:db8::1"],
    require_mfa=True,
    mfa_max_age="1h",
    time_window={"days": ["mon"], "start": "22:00", "end": "02:00", "timezone": "Asia/Tokyo"},
)


async def test_a_new_policy(house: House) -> None:
    rules = [FULL, {**rule("**", "admin"), "conditions": {}}]
    made = await sent(house, *rules, description="night jobs")
    assert made.status == 201
    body = made.json
    assert body["id"].startswith("pol_")
    assert body == {
        "id": body["id"], "name": "readers", "description": "night jobs", "scope": "tenant",
        "rules": rules, "is_active": True, "bindings": [],
        "created_at": "2031-05-09T06:30:00.000000Z", "updated_at": "2031-05-09T06:30:00.000000Z",
        "created_by": "sa:root",
    }  # fmt: skip
    assert (await house.get(f"{POLICIES}/{body['id']}")).json == body
    (row,) = await house.rows(action="policy_create")
    assert row["extra_data"] == {"policy_id": body["id"]}
    assert (row["tenant_id"], row["identity_id"]) == (house.made["tenant_id"], "sa:root")
    (event,) = await events(house)
    assert (event["event_type"], event["tenant_id"]) == ("policy.created", row["tenant_id"])
    assert event["data"] == {
        "policy_id": body["id"], "name": "readers", "scope": "tenant", "rule_count": 2,
        "created_by": "sa:root",
    }  # fmt: skip
    assert "path" not in event


async def test_null_is_the_same_as_absent_in_post(house: House) -> None:
    made = await sent(house, {**rule(), "conditions": None}, description=None, is_active=None)
    assert made.status == 201
    assert made.json["rules"] == [rule()]
    assert (made.json["description"], made.json["is_active"]) == ("", True)


async def test_names_are_unique_in_a_tenant_and_compared_exactly(house: House) -> None:
    await policy(house)
    again = await sent(house)
    assert (again.status, again.code, again.details) == (409, "already_exists", {"field": "name"})
    assert (await sent(house, name="Readers")).status == 201
    assert (await sent(house, name="reader s")).status == 201
    tenant = await found_tenant(house, "second")
    there = await sent(house, headers={"X-Tenant-ID": tenant.id})
    assert there.status == 201
    assert (await house.rows(action="policy_create"))[-1]["tenant_id"] == tenant.id


@pytest.mark.parametrize(
    "name",
    [
        "",
        " x",
        "x ",
        "a\tb",
        "a\nb",
        "a\u200bb",
        "a\u202eb",
        "a\u00a0b",
        "\ufeffx",
        "x" * 129,
        "\x7f",
    ],
)
async def test_names_that_are_none(house: House, name: str) -> None:
    answer = await sent(house, name=name)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == {"name"}


@pytest.mark.parametrize("name", ["x", "x" * 128, "Leser: Nächte / 夜", "a  b", "sa:app"])
async def test_names_that_are_some(house: House, name: str) -> None:
    assert (await sent(house, name=name)).json["name"] == name


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"rules": []}, {"rules"}),
        ({"rules": [rule()] * 101}, {"rules"}),
        ({"rules": None}, {"rules"}),
        ({"rules": [{}]}, {"rules[0].path_pattern", "rules[0].permissions"}),
        ({"rules": [{**rule(), "effect": "deny"}]}, {"rules[0].effect"}),
        ({"rules": [{**rule(), "permissions": []}]}, {"rules[0].permissions"}),
        ({"rules": [rule("a", "own")]}, {"rules[0].permissions[0]"}),
        ({"rules": [rule("a", "READ")]}, {"rules[0].permissions[0]"}),
        ({"rules": [rule(), rule("a", "read", "read")]}, {"rules[1].permissions"}),
        ({"rules": [rule("a", "read", "read")], "name": " "}, {"rules[0].permissions", "name"}),
        ({"rules": [{**rule(), "path_pattern": 1}], "name": 7}, {"rules[0].path_pattern", "name"}),
        ({"scope": "vault"}, {"scope"}),
        ({"description": "x" * 4097}, {"description"}),
        ({"is_active": "yes"}, {"is_active"}),
        ({"priority": 1, "bindings": []}, {"priority", "bindings"}),
    ],
)
async def test_bodies_that_are_none(house: House, change: dict[str, Any], fields: set[str]) -> None:
    answer = await house.call("POST", POLICIES, {"name": "x", "rules": [rule()], **change})
    assert (answer.status, answer.code) == (422, "validation_error"), answer.body
    assert set(answer.details["fields"]) == fields
    assert (await house.get(POLICIES)).json["policies"] == []


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"ip": ["10.0.0.0/8"]}, "ip"),
        ([], ""),
        ("x", ""),
        ({"ip_ranges": []}, "ip_ranges"),
        ({"ip_ranges": ["10.0.0.1/8"]}, "ip_ranges.0"),
        ({"ip_ranges": ["10.0.0.0/8"] * 65}, "ip_ranges"),
        ({"require_mfa": "true"}, "require_mfa"),
        ({"mfa_max_age": "1h"}, "mfa_max_age"),
        ({"require_mfa": True, "mfa_max_age": "0s"}, "mfa_max_age"),
        ({"time_window": {"end": "10:00"}}, "time_window.start"),
        ({"time_window": {"start": "10:00", "end": "10:00"}}, "time_window.end"),
        ({"time_window": {"start": "1:00", "end": "10:00"}}, "time_window.start"),
        ({"time_window": {"start": "09:00", "end": "10:00", "timezone": "Mars/Base"}},
         "time_window.timezone"),
        ({"time_window": {"start": "09:00", "end": "10:00", "days": []}}, "time_window.days"),
    ],
)  # fmt: skip
async def test_conditions_that_are_none(house: House, conditions: Any, field: str) -> None:
    bad = {**rule(), "conditions": conditions}
    answer = await sent(house, rule(), bad)
    assert (answer.status, answer.code) == (400, "invalid_policy"), answer.body
    assert answer.details["field"] == f"rules[1].conditions.{field}".rstrip(".")
    assert answer.details["reason"]
    assert (await house.get(POLICIES)).json["policies"] == []
    (row,) = await house.rows(action="policy_create")
    assert (row["success"], row["extra_data"]) == (False, {"error_code": "invalid_policy"})


async def test_a_condition_of_thousands_of_digits(house: House) -> None:
    conditions = b'{"require_mfa":' + b"9" * 5000 + b"}"
    given = b'{"path_pattern":"a","permissions":["read"],"conditions":' + conditions + b"}"
    answer = await house.call("POST", POLICIES, raw=b'{"name":"x","rules":[' + given + b"]}")
    assert (answer.status, answer.code) == (400, "invalid_policy")
    assert answer.details == {"field": "rules[0].conditions", "reason": "value"}


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("", "empty"), ("/retail/**", "leading_slash"), ("retail/", "empty_segment"),
        ("Retail/*", "character"), ("retail/{a,b}", "character"), ("retail/../x", "dot_segment"),
        ("retail/a**", "double_star"), ("/".join("abcdefghijk"), "too_deep"),
        ("a" * 513, "too_long"),
    ],
)  # fmt: skip
async def test_patterns_that_are_none(house: House, pattern: str, reason: str) -> None:
    answer = await sent(house, rule(), rule(pattern))
    assert (answer.status, answer.code) == (400, "invalid_glob")
    assert answer.details == {
        "field": "rules[1].path_pattern", "pattern": pattern[:512], "reason": reason,
    }  # fmt: skip


# -- lists -------------------------------------------------------------------------------------


async def test_a_list_stands_by_name_in_pages(house: House) -> None:
    for name in ("b", "d", "a", "c", "ä", "Z"):
        await policy(house, name=name)
    names: list[str] = []
    page = (await house.get(POLICIES, query={"limit": 2})).json
    while True:
        assert len(page["policies"]) <= 2
        names += [one["name"] for one in page["policies"]]
        assert page["has_more"] is (page["cursor"] is not None)
        if not page["has_more"]:
            break
        page = (await house.get(POLICIES, query={"cursor": page["cursor"]})).json
    assert names == ["Z", "a", "b", "c", "d", "ä"]


async def test_a_line_of_the_list(house: House) -> None:
    made = await policy(house, FULL, description="d")
    await bound(house, made, "sa:a")
    await bound(house, made, "sa:b", expires_at="2031-05-09T06:31:00Z")
    (line,) = (await house.get(POLICIES)).json["policies"]
    assert line == {
        "id": made, "name": "readers", "scope": "tenant", "description": "d", "rule_count": 1,
        "binding_count": 2, "is_active": True, "created_at": "2031-05-09T06:30:00.000000Z",
        "updated_at": "2031-05-09T06:30:00.000000Z", "rules": [FULL],
    }  # fmt: skip
    house.clock.advance(60_000_000)
    (line,) = (await house.get(POLICIES)).json["policies"]
    assert line["binding_count"] == 1
    assert (await house.rows(action="policy_read"))[-1]["success"] is True


async def test_filters_of_the_list(house: House) -> None:
    await policy(house, name="off", is_active=False)
    await policy(house, name="on")
    await policy(house, name="wide", scope="partner")

    async def names(**query: Any) -> list[str]:
        found = (await house.get(POLICIES, query=query)).json["policies"]
        return [one["name"] for one in found]

    assert await names() == ["on", "wide"]
    assert await names(include_inactive="true") == ["off", "on", "wide"]
    assert await names(scope="partner") == ["wide"]
    assert await names(scope="tenant", include_inactive=1) == ["off", "on"]
    assert (await house.get(POLICIES, query={"scope": "x", "q": 1})).status == 422


async def test_a_cursor_keeps_its_filters(house: House) -> None:
    for name in ("a", "b", "c"):
        await policy(house, name=name, is_active=name != "b")
    query = {"limit": 1, "include_inactive": "true"}
    first = (await house.get(POLICIES, query=query)).json
    second = (await house.get(POLICIES, query={"cursor": first["cursor"]})).json
    assert [one["name"] for one in second["policies"]] == ["b"]
    for more in ({"include_inactive": "false"}, {"scope": "tenant"}):
        answer = await house.get(POLICIES, query={"cursor": first["cursor"], **more})
        assert answer.code == "invalid_cursor"
    tenant = await found_tenant(house, "second")
    answer = await house.get(
        POLICIES, query={"cursor": first["cursor"]}, headers={"X-Tenant-ID": tenant.id}
    )
    assert answer.code == "invalid_cursor"


# -- changes -----------------------------------------------------------------------------------


async def test_put_replaces_and_bindings_stay(house: House) -> None:
    made = await policy(house, description="old", is_active=False)
    kept = await bound(house, made, "sa:app")
    house.clock.advance(1_000_000)
    answer = await house.call("PUT", f"{POLICIES}/{made}", {"name": "new", "rules": [FULL]})
    assert answer.status == 200
    body = answer.json
    assert (body["name"], body["description"], body["rules"]) == ("new", "", [FULL])
    assert (body["is_active"], [one["id"] for one in body["bindings"]]) == (False, [kept])
    assert body["created_at"] < body["updated_at"] == "2031-05-09T06:30:01.000000Z"
    (row,) = await house.rows(action="policy_update")
    assert row["extra_data"] == {
        "policy_id": made, "old_rules": [rule()], "new_rules": [FULL],
    }  # fmt: skip
    event = (await events(house, "policy.updated"))[0]
    assert event["data"] == {
        "policy_id": made, "name": "new", "changed": ["name", "description", "rules"],
        "updated_by": "sa:root",
    }  # fmt: skip


async def test_the_scope_is_fixed(house: House) -> None:
    made = await policy(house)
    body = {"name": "readers", "rules": [rule()]}
    same = await house.call("PUT", f"{POLICIES}/{made}", {**body, "scope": "tenant"})
    assert same.status == 200
    other = await house.call("PUT", f"{POLICIES}/{made}", {**body, "scope": "partner"})
    assert (other.status, set(other.details["fields"])) == (422, {"scope"})
    assert (await house.call("PATCH", f"{POLICIES}/{made}", {"scope": "partner"})).status == 422


async def test_patch_changes_what_is_sent(house: House) -> None:
    made = await policy(house, rule("a"), rule("b"), description="old")
    where = f"{POLICIES}/{made}"
    steps: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"name": "new"}, {"name": "new", "description": "old", "rules": [rule("a"), rule("b")]}),
        ({"description": None}, {"name": "new", "description": ""}),
        ({"rules": [rule("c")]}, {"rules": [rule("c")], "is_active": True}),
        ({"is_active": False}, {"is_active": False, "rules": [rule("c")]}),
        ({}, {"is_active": False, "name": "new"}),
    ]
    for body, expected in steps:
        answer = await house.call("PATCH", where, body)
        assert answer.status == 200, answer.body
        assert {name: answer.json[name] for name in expected} == expected
    told = [event["data"]["changed"] for event in await events(house, "policy.updated")]
    assert told == [["name"], ["description"], ["rules"], ["is_active"]]
    assert len(await house.rows(action="policy_update", success=True)) == 5


@pytest.mark.parametrize("body", [{"name": None}, {"rules": None}, {"is_active": None}])
async def test_patch_clears_only_the_description(house: House, body: dict[str, None]) -> None:
    made = await policy(house)
    answer = await house.call("PATCH", f"{POLICIES}/{made}", body)
    assert (answer.status, set(answer.details["fields"])) == (422, set(body))


async def test_a_change_to_a_taken_name(house: House) -> None:
    await policy(house, name="taken")
    made = await policy(house)
    for method in ("PUT", "PATCH"):
        body = {"name": "taken", "rules": [rule("x")]}
        answer = await house.call(method, f"{POLICIES}/{made}", body)
        assert (answer.code, answer.details) == ("already_exists", {"field": "name"})
    assert (await house.get(f"{POLICIES}/{made}")).json["rules"] == [rule()]
    assert (await house.call("PATCH", f"{POLICIES}/{made}", {"name": "readers"})).status == 200


async def test_a_bad_rule_changes_nothing(house: House) -> None:
    made = await policy(house)
    for method in ("PUT", "PATCH"):
        for bad, code in (
            (rule("/x"), "invalid_glob"),
            (rule("x", require_mfa=1), "invalid_policy"),
        ):
            body = {"name": "other", "rules": [rule("y"), bad]}
            answer = await house.call(method, f"{POLICIES}/{made}", body)
            assert answer.code == code
    body = (await house.get(f"{POLICIES}/{made}")).json
    assert (body["name"], body["rules"]) == ("readers", [rule()])


async def test_rules_too_long_for_a_row_are_told_by_what_differs(house: House) -> None:
    many = [rule(f"{'x' * 80}/n{n}") for n in range(100)]
    made = await policy(house, *many)
    where = f"{POLICIES}/{made}"
    await house.call("PATCH", where, {"rules": [*many[:99], rule("other")]})
    extra = (await house.rows(action="policy_update"))[-1]["extra_data"]
    assert (extra["old_rules"], extra["new_rules"]) == ([many[99]], [rule("other")])
    longer = [rule(f"{'y' * 80}/n{n}") for n in range(100)]
    await house.call("PATCH", where, {"rules": longer})
    extra = (await house.rows(action="policy_update"))[-1]["extra_data"]
    assert len(extra["old_rules_sha256"]) == len(extra["new_rules_sha256"]) == 64
    assert (await house.get("/v1/audit/verify")).json["valid"] is True


# -- deleting ----------------------------------------------------------------------------------


async def test_delete(house: House) -> None:
    made = await policy(house)
    answer = await house.call("DELETE", f"{POLICIES}/{made}")
    assert (answer.status, answer.body) == (204, b"")
    gone = await house.get(f"{POLICIES}/{made}")
    assert (gone.status, gone.code, gone.details) == (404, "policy_not_found", {"id": made})
    assert (await house.rows(action="policy_delete"))[0]["extra_data"] == {"policy_id": made}
    event = (await events(house, "policy.deleted"))[0]
    assert event["data"] == {
        "policy_id": made, "name": "readers", "forced": False, "bindings_removed": 0,
        "deleted_by": "sa:root",
    }  # fmt: skip
    assert (await sent(house)).status == 201  # the name is free again


async def test_the_row_of_a_refusal_names_the_policy(house: House) -> None:
    made = await policy(house)
    await policy(house, name="taken")
    await bound(house, made, "sa:a")
    where = f"{POLICIES}/{made}"
    binding = {"identity_type": "service_account", "identity_id": "sa:a"}
    calls: list[tuple[str, str, Any, str]] = [
        ("DELETE", where, None, "policy_in_use"),
        ("PATCH", where, {"name": "taken"}, "already_exists"),
        ("POST", f"{where}/bindings", binding, "already_exists"),
        ("DELETE", f"{where}/bindings/bind_x", None, "binding_not_found"),
    ]
    for method, target, body, code in calls:
        assert (await house.call(method, target, body)).code == code
        row = (await house.rows())[-1]
        assert (row["success"], row["extra_data"]) == (
            False,
            {"error_code": code, "policy_id": made},
        )


async def test_a_bound_policy_stays_unless_forced(house: House) -> None:
    made = await policy(house)
    first = await bound(house, made, "sa:a")
    house.clock.advance(1)
    second = await bound(house, made, "group:b")
    answer = await house.call("DELETE", f"{POLICIES}/{made}")
    assert (answer.status, answer.code) == (409, "policy_in_use")
    assert answer.details == {"binding_count": 2}
    assert (await house.call("DELETE", f"{POLICIES}/{made}?force=true")).status == 204
    rows = await house.rows(action="policy_unbind")
    assert [row["extra_data"]["binding_id"] for row in rows] == [first, second]
    assert {row["request_id"] for row in rows} == {
        (await house.rows(action="policy_delete"))[-1]["request_id"]
    }
    told = await events(house, "policy.binding.deleted")
    assert [(one["data"]["binding_id"], one["data"]["reason"]) for one in told] == [
        (first, "forced"),
        (second, "forced"),
    ]
    assert told[1]["data"] == {
        "policy_id": made, "policy_name": "readers", "binding_id": second,
        "identity_type": "group", "identity_id": "group:b", "reason": "forced",
        "deleted_by": "sa:root",
    }  # fmt: skip
    event = (await events(house, "policy.deleted"))[0]
    assert (event["data"]["forced"], event["data"]["bindings_removed"]) == (True, 2)


async def test_expired_bindings_do_not_hold_a_policy(house: House) -> None:
    made = await policy(house)
    await bound(house, made, "sa:a", expires_at="2031-05-09T06:31:00Z")
    house.clock.advance(59_999_999)
    assert (await house.call("DELETE", f"{POLICIES}/{made}")).code == "policy_in_use"
    house.clock.advance(1)
    assert (await house.call("DELETE", f"{POLICIES}/{made}")).status == 204
    told = await events(house, "policy.binding.deleted")
    assert [one["data"]["reason"] for one in told] == ["expired"]


# -- who may -----------------------------------------------------------------------------------


async def test_a_foreign_tenants_policy_is_not_there(house: House) -> None:
    tenant = await found_tenant(house, "second")
    there = {"X-Tenant-ID": tenant.id}
    theirs = await policy(house, headers=there)
    binding = await bound(house, theirs, "sa:app", headers=there)
    token = await house.client("reader", ["policies:read", "policies:write"], ["tenant_admin"])
    where = f"{POLICIES}/{theirs}"
    body = {"name": "x", "rules": [rule()]}
    calls: list[tuple[str, str, Any]] = [
        ("GET", where, None), ("PUT", where, body), ("PATCH", where, {"is_active": False}),
        ("DELETE", f"{where}?force=true", None), ("GET", f"{where}/bindings", None),
        ("POST", f"{where}/bindings", {"identity_type": "group", "identity_id": "group:x"}),
        ("DELETE", f"{where}/bindings/{binding}", None),
    ]  # fmt: skip
    for method, path, sent_body in calls:
        for caller in (token, ""):
            answer = await house.call(method, path, sent_body, token=caller)
            assert (answer.status, answer.code) == (404, "policy_not_found"), (method, path)
    assert (await house.get(POLICIES)).json["policies"] == []
    assert (await house.get(where, headers=there)).json["is_active"] is True
    assert len((await house.get(f"{where}/bindings", headers=there)).json["bindings"]) == 1


async def test_reading_does_not_write(house: House) -> None:
    made = await policy(house)
    token = await house.client("reader", ["policies:read"], ["tenant_admin"])
    assert (await house.get(f"{POLICIES}/{made}", token=token)).status == 200
    for method, path in (
        ("POST", POLICIES), ("PUT", f"{POLICIES}/{made}"), ("DELETE", f"{POLICIES}/{made}"),
        ("POST", f"{POLICIES}/{made}/bindings"),
    ):  # fmt: skip
        answer = await house.call(method, path, {"x": 1}, token=token)
        assert (answer.code, answer.details) == (
            "insufficient_scope",
            {"required_scope": "policies:write"},
        )


async def test_a_replayed_post_makes_one_policy(house: House) -> None:
    key = {"Idempotency-Key": "one"}
    first = await sent(house, headers=key)
    again = await sent(house, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == first.json
    assert len((await house.get(POLICIES)).json["policies"]) == 1


async def test_policies_survive_a_restart(house: House) -> None:
    made = await policy(house, FULL)
    await bound(house, made, "sa:app", expires_at="2032-01-01")
    before = (await house.get(f"{POLICIES}/{made}")).json
    await house.restart()
    await house.unseal()
    assert (await house.get(f"{POLICIES}/{made}")).json == before
