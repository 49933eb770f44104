"""What policies do to requests: at once, for the right callers, under the right conditions."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE, FakeClock, instant, parse_instant
from tests.support.house import House
from tests.support.policies import PATH, POLICIES, bound, events, policy, rule
from tests.support.tenants import found_tenant

VERBS = ["secrets:read", "secrets:write", "secrets:delete", "secrets:list"]


async def stored(house: House) -> None:
    assert (await house.put(PATH, {"n": 1})).status == 201


async def reads(house: House, token: str, **more: Any) -> str:
    """``ok``, or the code of the refusal."""
    answer = await house.read(PATH, token=token, **more)
    return "ok" if answer.status == 200 else answer.code


async def test_every_change_holds_for_the_next_request(house: House) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    made = await policy(house)
    where = f"{POLICIES}/{made}"

    async def then(method: str, path: str, body: Any, expected: str) -> None:
        assert (await house.call(method, path, body)).status < 300
        assert await reads(house, token) == expected

    no = "access_denied"
    assert await reads(house, token) == no
    binding = await bound(house, made, "sa:app")
    assert await reads(house, token) == "ok"
    await then("PATCH", where, {"is_active": False}, no)
    await then("PATCH", where, {"is_active": True}, "ok")
    await then("PATCH", where, {"rules": [rule("lab/**")]}, no)
    await then("PUT", where, {"name": "x", "rules": [rule("**", "list")]}, no)
    await then("PUT", where, {"name": "x", "rules": [rule("**", "admin")]}, "ok")
    await then("DELETE", f"{where}/bindings/{binding}", None, no)
    await bound(house, made, "sa:app")
    assert await reads(house, token) == "ok"
    await then("DELETE", f"{where}?force=true", None, no)


async def test_a_change_of_one_callers_rights_leaves_those_of_others(house: House) -> None:
    await stored(house)
    tokens = {name: await house.client(name, VERBS) for name in ("a", "b")}
    shared, own = await policy(house, name="shared"), await policy(house, name="own")
    await bound(house, shared, "sa:a")
    binding = await bound(house, own, "sa:b")
    assert [await reads(house, token) for token in tokens.values()] == ["ok", "ok"]
    await house.call("DELETE", f"{POLICIES}/{own}/bindings/{binding}")
    assert [await reads(house, token) for token in tokens.values()] == ["ok", "access_denied"]


async def test_rights_of_a_binding_end_with_it(house: House) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    made = await policy(house)
    await bound(house, made, "sa:app", expires_at="2031-05-09T06:31:00Z")
    assert await reads(house, token) == "ok"
    house.clock.advance(59_999_999)
    assert await reads(house, token) == "ok"
    house.clock.advance(1)
    assert await reads(house, token) == "access_denied"


async def test_rights_are_there_again_after_a_restart(house: House) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    await bound(house, await policy(house), "sa:app")
    await bound(house, await policy(house, rule("**"), name="off", is_active=False), "sa:app")
    await house.restart()
    await house.unseal()
    assert await reads(house, token) == "ok"
    assert (await house.read("lab/x", token=token)).code == "access_denied"


@pytest.mark.parametrize(
    ("permission", "allowed"),
    [
        ("read", {"read"}), ("write", {"write"}), ("delete", {"delete"}), ("list", {"metadata"}),
        ("rotate", set()), ("admin", {"read", "write", "delete", "metadata", "permanent"}),
    ],
)  # fmt: skip
async def test_each_permission_opens_its_verbs_only(
    house: House, permission: str, allowed: set[str]
) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    await bound(house, await policy(house, rule("retail/**", permission)), "sa:app")
    calls: dict[str, tuple[str, str, Any]] = {
        "read": ("GET", f"/v1/secrets/{PATH}", None),
        "metadata": ("GET", f"/v1/secrets/metadata/{PATH}", None),
        "write": ("PUT", f"/v1/secrets/{PATH}", {"data": {"n": 2}}),
        "delete": ("DELETE", f"/v1/secrets/{PATH}", None),
        "permanent": ("DELETE", f"/v1/secrets/{PATH}?permanent=true", None),
    }
    for name, call in calls.items():
        answer = await house.call(*call, token=token)
        if name in allowed:
            assert answer.status == 200, (name, answer.body)
        else:
            assert (answer.status, answer.code) == (403, "access_denied"), name
            assert answer.details["path"] == PATH


async def test_lists_leave_out_what_may_not_be_listed(house: House) -> None:
    for path in ("retail/a", "retail/live/b", "lab/c"):
        await house.put(path, {})
    token = await house.client("app", VERBS)
    await bound(house, await policy(house, rule("retail/*", "list"), rule("lab/*")), "sa:app")
    page = (await house.get("/v1/secrets", token=token)).json
    assert [one["path"] for one in page["secrets"]] == ["retail/a"]
    assert page["total_count"] == 1


async def test_the_scope_is_asked_before_the_policy(house: House) -> None:
    await stored(house)
    token = await house.client("app", ["secrets:list"])
    await bound(house, await policy(house, rule("**", "admin")), "sa:app")
    assert await reads(house, token) == "insufficient_scope"


async def test_a_namesake_in_another_tenant_gets_nothing(house: House) -> None:
    await stored(house)
    tenant = await found_tenant(house, "second")
    token = await house.client("app", VERBS, tenant=tenant.id)
    await bound(house, await policy(house), "sa:app")
    there = {"X-Tenant-ID": tenant.id}
    await house.put(PATH, {"n": 2}, headers=there)
    assert await reads(house, token) == "access_denied"
    await bound(house, await policy(house, headers=there), "sa:app", headers=there)
    assert (await house.read(PATH, token=token)).json["data"] == {"n": 2}


async def test_abroad_only_roles_count(house: House) -> None:
    tenant = await found_tenant(house, "second")
    token = await house.client("admin", VERBS, ["partner_admin"])
    there = {"X-Tenant-ID": tenant.id}
    await house.put(PATH, {"n": 2}, headers=there)
    await bound(
        house, await policy(house, rule("lab/**"), headers=there), "sa:admin", headers=there
    )
    assert (await house.read(PATH, token=token, headers=there)).status == 200
    await house.call(
        "PUT", "/v1/identity/service-accounts/sa:admin/roles", {"roles": ["tenant_admin"]}
    )
    answer = await house.read("lab/x", token=token, headers=there)
    assert answer.code == "tenant_access_denied"


# -- conditions --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ranges", "address", "expected"),
    [
        (["198.51.100.0/24"], "198.51.100.9", "ok"),
        (["198.51.100.0/24"], "198.51.101.0", "ip_not_allowed"),
        (["198.51.100.9"], "198.51.100.9", "ok"),
        (["198.51.100.9"], "::ffff:198.51.100.9", "ok"),
        (["2001:db8::/32"], "2001:db8:1::5", "ok"),
        (["2001:db8::/32"], "198.51.100.9", "ip_not_allowed"),
        (["0.0.0.0/0"], "2001:db8::1", "ip_not_allowed"),
        (["10.0.0.0/8", "2001:db8::1/128"], "2001:db8::1", "ok"),
    ],
)
async def test_the_callers_address(
    house: House, ranges: list[str], address: str, expected: str
) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    made = await policy(house, rule(ip_ranges=ranges))
    await bound(house, made, "sa:app")
    assert await reads(house, token, client=(address, 4711)) == expected
    if expected != "ok":
        (row,) = await house.rows(action="read", success=False)
        assert row["extra_data"] == {
            "error_code": expected, "permission": "read", "policy_id": made,
            "failed_condition": "ip_ranges",
        }  # fmt: skip
        (event,) = await events(house, "policy.violation")
        assert (event["data"]["policy_id"], event["data"]["failed_condition"]) == (
            made,
            "ip_ranges",
        )


async def test_a_caller_without_mfa(house: House) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    made = await policy(house, rule(require_mfa=True))
    await bound(house, made, "sa:app")
    answer = await house.read(PATH, token=token)
    assert (answer.status, answer.code) == (403, "mfa_required")
    assert answer.details == {"failed_condition": "require_mfa", "policy_id": made}
    await house.call("PATCH", f"{POLICIES}/{made}", {"rules": [rule(require_mfa=False)]})
    assert await reads(house, token) == "ok"


async def test_the_first_failing_rule_of_the_oldest_policy_speaks(house: House) -> None:
    await stored(house)
    token = await house.client("app", VERBS)
    old = await policy(house, rule("lab/**"), rule(require_mfa=True), name="zzz")
    house.clock.advance(1)
    new = await policy(house, rule("**", ip_ranges=["10.0.0.1"]), name="aaa")
    await bound(house, new, "sa:app")
    assert (await house.read(PATH, token=token)).details["policy_id"] == new
    await bound(house, old, "sa:app")
    answer = await house.read(PATH, token=token)
    assert (answer.code, answer.details["policy_id"]) == ("mfa_required", old)
    third = await policy(house, rule("retail/live/*"), name="third")
    await bound(house, third, "sa:app")
    assert await reads(house, token) == "ok"


WEEKEND = {"days": ["mon", "fri"], "start": "22:00", "end": "02:00", "timezone": "Europe/Amsterdam"}
# In 2031 Amsterdam goes to summer time on 30 March at 02:00 and back on 26 October at 03:00.
SPRING = {"start": "02:30", "end": "03:30", "timezone": "Europe/Amsterdam"}


@pytest.mark.parametrize(
    ("window", "at", "expected"),
    [
        (WEEKEND, "2031-05-09T20:00:00Z", "ok"),  # Friday 22:00
        (WEEKEND, "2031-05-09T19:59:59.999999Z", "time_window_violation"),
        (WEEKEND, "2031-05-09T23:59:59.999999Z", "ok"),  # Saturday 01:59
        (WEEKEND, "2031-05-10T00:00:00Z", "time_window_violation"),
        (WEEKEND, "2031-05-08T23:00:00Z", "time_window_violation"),  # Friday 01:00
        (WEEKEND, "2031-05-10T20:30:00Z", "time_window_violation"),  # Saturday 22:30
        (WEEKEND, "2031-05-12T23:30:00Z", "ok"),  # Tuesday 01:30, begun on Monday
        (SPRING, "2031-03-29T01:30:00Z", "ok"),  # 02:30 the day before
        (SPRING, "2031-03-30T00:59:59Z", "time_window_violation"),  # 01:59, then it is 03:00
        (SPRING, "2031-03-30T01:00:00Z", "ok"),  # 03:00
        (SPRING, "2031-03-30T01:30:00Z", "time_window_violation"),  # 03:30
        (SPRING, "2031-10-26T00:30:00Z", "ok"),  # 02:30 for the first time
        (SPRING, "2031-10-26T01:00:00Z", "time_window_violation"),  # 02:00 for the second time
        (SPRING, "2031-10-26T01:30:00Z", "ok"),  # 02:30 for the second time
        ({"start": "20:00", "end": "24:00"}, "2031-05-09T23:59:59Z", "ok"),
        ({"start": "20:00", "end": "24:00"}, "2031-05-10T00:00:00Z", "time_window_violation"),
    ],
)
async def test_hours_of_the_wall_clock(
    tmp_path: Path, window: dict[str, Any], at: str, expected: str
) -> None:
    clock = FakeClock(instant(parse_instant(at) - MINUTE))
    house = await House.opened(tmp_path / "vault", clock, rate_limits__enabled=False)
    await stored(house)
    token = await house.client("app", VERBS)
    await bound(house, await policy(house, rule(time_window=window)), "sa:app")
    clock.advance(MINUTE)
    assert await reads(house, token) == expected
    await house.close()


async def test_a_change_while_a_list_is_read_is_not_lost(house: House) -> None:
    """Rules are compiled in readers too; what an older state made must not be kept."""
    await stored(house)
    token = await house.client("app", VERBS)
    made = await policy(house, rule("retail/**", "list"))
    binding = await bound(house, made, "sa:app")
    for _ in range(20):
        await asyncio.gather(
            *(house.get("/v1/secrets", token=token) for _ in range(4)),
            house.call("DELETE", f"{POLICIES}/{made}/bindings/{binding}"),
        )
        assert (await house.get("/v1/secrets", token=token)).json["secrets"] == []
        binding = await bound(house, made, "sa:app")
        assert len((await house.get("/v1/secrets", token=token)).json["secrets"]) == 1
