"""Questions about rights: test, who-can, effective."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House
from tests.support.policies import PATH, POLICIES, asked, bound, policy, rule
from tests.support.tenants import account, found_partner, found_tenant

GROUPS = "/v1/identity/groups"
WHO_CAN = f"{POLICIES}/who-can"
EFFECTIVE = f"{POLICIES}/effective"


async def group(house: House, name: str, *members: str, **more: Any) -> None:
    made = await house.call("POST", GROUPS, {"name": name, **more})
    assert made.status == 201, made.body
    for member in members:
        where = f"{GROUPS}/group:{name}/members"
        assert (await house.call("POST", where, {"identity_id": member})).status == 201


# -- test --------------------------------------------------------------------------------------


async def test_every_reason(house: House) -> None:
    made = await policy(
        house, rule("retail/live/**", "read", "list", ip_ranges=["198.51.100.0/24"])
    )
    await bound(house, made, "sa:app")
    cases: list[tuple[dict[str, Any], bool, str]] = [
        ({"identity": "sa:nobody"}, False, "no_policy_bound"),
        ({"path": "lab/x"}, False, "no_path_match"),
        ({"permission": "write"}, False, "permission_not_granted"),
        ({}, False, "condition_failed"),
        ({"source_ip": "203.0.113.1"}, False, "condition_failed"),
        ({"source_ip": "198.51.100.7"}, True, "granted"),
        ({"identity": "sa:root"}, True, "granted_by_role"),
    ]
    for more, allowed, reason in cases:
        result = await asked(house, **{"identity": "sa:app", **more})
        assert (result["allowed"], result["reason"]) == (allowed, reason)
        assert (result["matched_rule"] is not None) is allowed
        assert result["path"] == more.get("path", PATH)
        assert result["permission"] == more.get("permission", "read")


async def test_a_grant_names_its_rule(house: House) -> None:
    made = await policy(house, rule("lab/**"), rule("retail/**", "list", "admin"))
    await bound(house, made, "sa:app")
    result = await asked(house, "sa:app", permission="delete")
    assert result["matched_rule"] == {
        "policy_id": made, "name": "readers", "rule_index": 1, "path_pattern": "retail/**",
        "via": "sa:app",
    }  # fmt: skip
    assert result["evaluated"] == [
        {"policy_id": made, "name": "readers", "rule_index": 0, "matched_path": False,
         "granted": False, "failed_condition": None},
        {"policy_id": made, "name": "readers", "rule_index": 1, "matched_path": True,
         "granted": True, "failed_condition": None},
    ]  # fmt: skip
    by_role = await asked(house, "sa:root")
    assert by_role["matched_rule"] == {
        "policy_id": None, "name": None, "rule_index": None, "path_pattern": "**",
        "via": "role:super_admin",
    }  # fmt: skip


async def test_every_rule_of_every_live_policy_is_evaluated_in_order(house: House) -> None:
    old = await policy(house, rule("**", require_mfa=True), rule("lab/**"), name="z")
    house.clock.advance(1)
    new = await policy(house, rule(PATH, ip_ranges=["10.0.0.1"]), name="a")
    off = await policy(house, rule("**"), name="off", is_active=False)
    ended = await policy(house, rule("**"), name="ended")
    for made in (new, old, off):
        await bound(house, made, "sa:app")
    await bound(house, ended, "sa:app", expires_at="2031-05-09T06:31:00Z")
    house.clock.advance(60_000_000)
    result = await asked(house, "sa:app")
    assert [
        (one["policy_id"], one["rule_index"], one["failed_condition"])
        for one in result["evaluated"]
    ] == [(old, 0, "require_mfa"), (old, 1, None), (new, 0, "ip_ranges")]
    assert (await asked(house, "sa:app", mfa_verified=True))["matched_rule"]["policy_id"] == old
    # A time before its end: the binding counted then.
    then = await asked(house, "sa:app", timestamp="2031-05-09T06:30:59.999999Z")
    assert then["matched_rule"]["policy_id"] == ended
    at_its_end = await asked(house, "sa:app", timestamp="2031-05-09T06:31:00Z")
    assert at_its_end["allowed"] is False


async def test_hours_are_those_of_the_time_given(house: House) -> None:
    made = await policy(house, rule(time_window={"start": "22:00", "end": "02:00"}))
    await bound(house, made, "sa:app")
    for at, allowed in (("2031-05-09T23:00:00Z", True), ("2031-05-09T12:00:00Z", False)):
        assert (await asked(house, "sa:app", timestamp=at))["allowed"] is allowed


async def test_groups_count_and_are_told(house: House) -> None:
    record = await account(house, "app", ["secrets:read"])
    await group(house, "readers")
    await group(house, "night", "sa:app", parent_id="group:readers")
    made = await policy(house)
    await bound(house, made, "group:readers")
    for name in ("sa:app", record, "group:night", "group:readers"):
        result = await asked(house, name)
        assert result["matched_rule"]["via"] == "group:readers"
    assert len(result["evaluated"]) == 1
    await bound(house, made, "sa:app")
    both = await asked(house, "sa:app")
    assert (both["matched_rule"]["via"], len(both["evaluated"])) == ("sa:app", 1)


async def test_it_leaves_no_row_and_announces_nothing(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    before = len(await house.rows())
    await asked(house, "sa:nobody")
    body = {"identity_id": "sa:app", "path": "Bad", "permission": "read"}
    assert (await house.call("POST", f"{POLICIES}/test", body)).code == "invalid_path"
    assert (await house.call("POST", f"{POLICIES}/test", {})).status == 422
    refused = await house.call("POST", f"{POLICIES}/test", body, token=token)
    assert refused.details == {"required_scope": "policies:read"}
    assert len(await house.rows()) == before
    assert await house.events() == []
    assert (await house.call("POST", f"{POLICIES}/test", body, token=None)).status == 401
    assert (await house.rows())[-1]["action"] == "auth_failed"


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"permission": "own", "path": 1}, {"permission", "path"}),
        ({"identity_id": "ines@retail.example"}, {"identity_id"}),
        ({"identity_id": ""}, {"identity_id"}),
        ({"context": {"source_ip": "x", "timestamp": "y"}},
         {"context.source_ip", "context.timestamp"}),
        ({"context": {"ip": "10.0.0.1"}, "scope": "x"}, {"context.ip", "scope"}),
        ({"identity_id": None}, {"identity_id"}),
    ],
)  # fmt: skip
async def test_questions_that_are_none(
    house: House, change: dict[str, Any], fields: set[str]
) -> None:
    body = {"identity_id": "sa:app", "path": PATH, "permission": "read", **change}
    answer = await house.call("POST", f"{POLICIES}/test", body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == fields


async def test_an_unknown_identity_has_its_direct_bindings(house: House) -> None:
    await bound(house, await policy(house), "user:new@retail.example")
    assert (await asked(house, "user:New@Retail.example"))["allowed"] is True
    for unknown in ("usr_00000000000000000000", "sa_x", "grp_x", "system:dynamic-engines"):
        assert (await asked(house, unknown))["reason"] == "no_policy_bound"


async def test_what_all_dynamic_engines_have_each_of_them_has(house: House) -> None:
    for n, name in enumerate(("system:dynamic-engines", "dynamic:orders")):
        await bound(house, await policy(house, rule(f"db-{n}"), name=name), name)
    for name, paths in (
        ("dynamic:orders", ["db-0", "db-1"]),
        ("dynamic:other", ["db-0"]),
        ("system:dynamic-engines", ["db-0"]),
    ):
        allowed = [path for path in ("db-0", "db-1") if (await asked(house, name, path))["allowed"]]
        assert allowed == paths
        body = (await house.get(EFFECTIVE, query={"identity_id": name})).json
        assert sorted(one["path_pattern"] for one in body["rules"]) == paths
        assert {one["group"] for one in body["rules"]} == {None}


# -- who-can -----------------------------------------------------------------------------------


async def able(house: House, path: str = PATH, permission: str = "read", **query: Any) -> Any:
    call = {name: query.pop(name) for name in ("token", "headers") if name in query}
    asked_for = {"path": path, "permission": permission, **query}
    answer = await house.get(WHO_CAN, query=asked_for, **call)
    assert answer.status == 200, answer.body
    return answer.json


async def test_who_can_names_every_way(house: House) -> None:
    for name in ("app", "night"):
        await account(house, name, ["secrets:read"])
    await group(house, "shift", "sa:night", "sa:app")
    conditions = {"ip_ranges": ["10.0.0.0/8"]}
    made = await policy(house, rule("lab/**"), rule("retail/**", "read", **conditions))
    direct = await bound(house, made, "sa:app", expires_at="2032-01-01")
    by_group = await bound(house, made, "group:shift")
    others = await policy(house, rule("retail/**", "write"), name="writers")
    await bound(house, others, "sa:writer")
    off = await policy(house, rule("**"), name="off", is_active=False)
    await bound(house, off, "sa:off")
    body = await able(house)
    assert (body["path"], body["permission"]) == (PATH, "read")
    assert (body["cursor"], body["has_more"]) == (None, False)
    way = {
        "policy_id": made, "policy_name": "readers", "binding_id": by_group, "rule_index": 1,
        "path_pattern": "retail/**", "conditions": conditions, "group": None, "role": None,
        "expires_at": None,
    }  # fmt: skip
    by_direct = {**way, "binding_id": direct, "expires_at": "2032-01-01T00:00:00.000000Z"}
    found = {one["identity_id"]: one for one in body["identities"]}
    assert list(found) == ["group:shift", "sa:app", "sa:night", "sa:root"]
    assert found["group:shift"] == {
        "identity_type": "group", "identity_id": "group:shift", "via": [way],
    }  # fmt: skip
    ways = found["sa:app"]["via"]
    assert len(ways) == 2
    assert by_direct in ways
    assert {**way, "group": "group:shift"} in ways
    assert found["sa:night"]["via"] == [{**way, "group": "group:shift"}]
    (role,) = found["sa:root"]["via"]
    assert role.pop("role") == "super_admin"
    assert set(role.values()) == {None}
    row = (await house.rows(action="policy_read"))[-1]
    assert row["secret_path"] == PATH


async def test_pages_of_who_can(house: House) -> None:
    made = await policy(house)
    for n in range(5):
        await bound(house, made, f"sa:app-{n}")
    seen: list[str] = []
    page = await able(house, limit=2)
    while True:
        seen += [one["identity_id"] for one in page["identities"]]
        if not page["has_more"]:
            break
        page = (await house.get(WHO_CAN, query={"cursor": page["cursor"]})).json
    assert seen == [*(f"sa:app-{n}" for n in range(5)), "sa:root"]
    cursor = (await able(house, limit=2))["cursor"]
    answer = await house.get(WHO_CAN, query={"cursor": cursor, "path": "lab/x"})
    assert answer.code == "invalid_cursor"


def named(page: Any) -> list[tuple[str, list[str | None]]]:
    return [(one["identity_id"], [way["role"] for way in one["via"]]) for one in page["identities"]]


async def test_who_can_names_role_holders_as_far_as_the_asker_reaches(house: House) -> None:
    """Nobody below learns who lives in another tenant; one who stands above sees them all."""
    scopes = ["policies:read"]
    foreign = await found_partner(house, "foreign")
    outside = await found_tenant(house, "outside", foreign.id)
    second = await found_tenant(house, "second")
    await house.client("far", scopes, ["super_admin"], tenant=outside.id)
    above = await house.client("above", scopes, ["partner_admin"])
    below = await house.client("below", scopes, ["tenant_admin"], tenant=second.id)
    plain = await house.client("plain", scopes, tenant=second.id)
    inside: list[tuple[str, list[str | None]]] = [("sa:below", ["tenant_admin"])]
    for token in (below, plain):
        assert named(await able(house, token=token)) == inside
    there = {"X-Tenant-ID": second.id}
    partners = [
        ("sa:above", ["partner_admin"]), ("sa:below", ["tenant_admin"]),
        ("sa:root", ["super_admin"]),
    ]  # fmt: skip
    assert named(await able(house, token=above, headers=there)) == partners
    everybody = [*partners[:2], ("sa:far", ["super_admin"]), partners[2]]
    assert named(await able(house, headers=there)) == everybody
    assert named(await able(house, token=above)) == [partners[0], partners[2]]


async def test_who_can_keeps_namesakes_apart(house: House) -> None:
    """The same name in two tenants is two identities: a binding here, a role from there."""
    second = await found_tenant(house, "second")
    there = {"X-Tenant-ID": second.id}
    await bound(house, await policy(house, headers=there), "sa:root", headers=there)
    found = await able(house, headers=there)
    assert sorted(named(found), key=str) == [
        ("sa:root", ["super_admin"]),
        ("sa:root", [None]),
    ]
    pages = [await able(house, headers=there, limit=1)]
    assert pages[0]["has_more"] is True
    pages.append(
        (await house.get(WHO_CAN, headers=there, query={"cursor": pages[0]["cursor"]})).json
    )
    assert [one for page in pages for one in page["identities"]] == found["identities"]
    below = await house.client("below", ["policies:read"], tenant=second.id)
    assert named(await able(house, token=below)) == [("sa:root", [None])]


async def test_who_can_takes_a_path_and_a_permission(house: House) -> None:
    answer = await house.get(WHO_CAN)
    assert (answer.status, set(answer.details["fields"])) == (422, {"path", "permission"})
    answer = await house.get(WHO_CAN, query={"path": "a/**", "permission": "read"})
    assert (answer.status, answer.code) == (400, "invalid_path")
    answer = await house.get(WHO_CAN, query={"path": "a", "permission": "own"})
    assert set(answer.details["fields"]) == {"permission"}


# -- effective ---------------------------------------------------------------------------------


async def test_all_that_somebody_has(house: House) -> None:
    record = await account(house, "app", ["secrets:read"])
    await group(house, "night", "sa:app")
    conditions = {"require_mfa": True}
    old = await policy(house, rule("a", "read", "list"), rule("b", "write", **conditions))
    house.clock.advance(1)
    new = await policy(house, rule("c"), name="new")
    by_new = await bound(house, new, "sa:app", expires_at="2032-01-01")
    by_group = await bound(house, old, "group:night")
    by_old = await bound(house, old, "sa:app")
    for name in ("sa:app", record):
        body = (await house.get(EFFECTIVE, query={"identity_id": name})).json
        rules = body.pop("rules")
        assert body == {
            "identity_type": "service_account", "identity_id": "sa:app",
            "groups": ["group:night"], "roles": [],
        }  # fmt: skip
        assert [(one["binding_id"], one["rule_index"], one["group"]) for one in rules] == [
            (by_old, 0, None), (by_group, 0, "group:night"), (by_old, 1, None),
            (by_group, 1, "group:night"), (by_new, 0, None),
        ]  # fmt: skip
        assert rules[2] == {
            "policy_id": old, "policy_name": "readers", "binding_id": by_old, "rule_index": 1,
            "path_pattern": "b", "permissions": ["write"], "conditions": conditions,
            "group": None, "expires_at": None,
        }  # fmt: skip
        assert rules[4]["expires_at"] == "2032-01-01T00:00:00.000000Z"
        assert rules[4]["conditions"] is None
        row = (await house.rows(action="policy_read"))[-1]
        assert row["extra_data"] == {"for": "sa:app"}


async def test_an_identity_without_bindings(house: House) -> None:
    for name, kind in (
        ("group:x", "group"),
        ("user:a@b.example", "user"),
        ("sa_x", "service_account"),
    ):
        body = (await house.get(EFFECTIVE, query={"identity_id": name})).json
        assert body == {
            "identity_type": kind, "identity_id": name, "groups": [], "roles": [], "rules": [],
        }  # fmt: skip
    answer = await house.get(EFFECTIVE, query={"identity_id": "x"})
    assert set(answer.details["fields"]) == {"identity_id"}


async def test_oneself_takes_no_scope_and_others_do(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    await bound(house, await policy(house), "sa:app")
    own = await house.get(EFFECTIVE, token=token)
    assert own.status == 200
    assert [one["path_pattern"] for one in own.json["rules"]] == ["retail/live/**"]
    assert (await house.get(EFFECTIVE, token=token, query={"identity_id": "sa:app"})).json == (
        own.json
    )
    for other in ("sa:root", "sa:nobody", "group:x"):
        answer = await house.get(EFFECTIVE, token=token, query={"identity_id": other})
        assert (answer.status, answer.code) == (403, "insufficient_scope")
        assert answer.details == {"required_scope": "policies:read"}
    reader = await house.client("reader", ["policies:read"])
    answer = await house.get(EFFECTIVE, token=reader, query={"identity_id": "sa:app"})
    assert answer.json == own.json
    root = (await house.get(EFFECTIVE)).json
    assert (root["identity_id"], root["roles"]) == ("sa:root", ["super_admin"])


async def test_abroad_only_roles_count(house: House) -> None:
    second = await found_tenant(house, "second")
    there = {"X-Tenant-ID": second.id}
    await bound(house, await policy(house, headers=there), "sa:root", headers=there)
    body = (await house.get(EFFECTIVE, headers=there)).json
    assert (body["identity_id"], body["roles"], body["rules"]) == ("sa:root", ["super_admin"], [])
    named = await house.get(EFFECTIVE, headers=there, query={"identity_id": "sa:root"})
    assert (named.json["roles"], len(named.json["rules"])) == ([], 1)  # a namesake of that tenant
