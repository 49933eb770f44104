"""What goes with an identity that is deleted: the rights that policies gave it."""

from __future__ import annotations

from typing import Any

from tests.support.house import House
from tests.support.tenants import account
from tests.support.users import user
from tests.tenancy.asking import change, delete, tenant

GROUPS = "/v1/identity/groups"
ACCOUNTS = "/v1/identity/service-accounts"


async def policy(house: House, *bound: tuple[str, str]) -> str:
    """The id of a new policy that lets everybody bound to it read below ``app``."""
    rules = [{"path_pattern": "app/**", "permissions": ["read"]}]
    made = await house.call("POST", "/v1/policies", {"name": "readers", "rules": rules})
    found: str = made.json["id"]
    for kind, who in bound:
        body = {"identity_type": kind, "identity_id": who}
        answer = await house.call("POST", f"/v1/policies/{found}/bindings", body)
        assert answer.status == 201, answer.body
    return found


async def bound(house: House, policy_id: str) -> list[str]:
    found: list[dict[str, Any]] = (await house.get(f"/v1/policies/{policy_id}")).json["bindings"]
    return [binding["identity_id"] for binding in found]


async def test_a_group_gives_what_is_bound_to_it_or_to_one_above(house: House) -> None:
    await house.put("app/db", {"n": 1})
    token = await house.client("app", ["secrets:read"])
    await house.call("POST", GROUPS, {"name": "readers"})
    await house.call("POST", GROUPS, {"name": "night", "parent_id": "group:readers"})
    await policy(house, ("group", "group:readers"))
    where = f"{GROUPS}/group:night/members"
    assert (await house.read("app/db", token=token)).code == "access_denied"
    await house.call("POST", where, {"identity_id": "sa:app"})
    assert (await house.read("app/db", token=token)).status == 200
    await house.call("PATCH", f"{GROUPS}/group:night", {"parent_id": None})
    assert (await house.read("app/db", token=token)).code == "access_denied"
    await house.call("PATCH", f"{GROUPS}/group:night", {"parent_id": "group:readers"})
    assert (await house.read("app/db", token=token)).status == 200
    await house.call("DELETE", f"{where}/sa:app")
    assert (await house.read("app/db", token=token)).code == "access_denied"


async def test_bindings_go_with_a_group(house: House) -> None:
    await house.put("app/db", {"n": 1})
    token = await house.client("app", ["secrets:read"])
    await house.call("POST", GROUPS, {"name": "night"})
    await house.call("POST", f"{GROUPS}/group:night/members", {"identity_id": "sa:app"})
    readers = await policy(house, ("group", "group:night"), ("user", "user:mira@harbor.example"))
    assert (await house.read("app/db", token=token)).status == 200
    answer = await house.call("DELETE", f"{GROUPS}/group:night")
    assert answer.status == 204
    assert (await house.read("app/db", token=token)).code == "access_denied"
    assert await bound(house, readers) == ["user:mira@harbor.example"]
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [row["action"] for row in rows] == ["identity_delete", "policy_unbind"]
    assert {row["tenant_id"] for row in rows} == {house.made["tenant_id"]}
    (event,) = [
        one for one in await house.events() if one["event_type"] == "policy.binding.deleted"
    ]
    assert event["data"]["identity_id"] == "group:night"


async def test_bindings_go_with_a_service_account(house: House) -> None:
    await account(house, "app", ["secrets:read"])
    readers = await policy(house, ("service_account", "sa:app"), ("service_account", "sa:other"))
    answer = await house.call("DELETE", f"{ACCOUNTS}/sa:app")
    assert answer.status == 204
    assert await bound(house, readers) == ["sa:other"]
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [row["action"] for row in rows] == ["identity_delete", "policy_unbind"]


async def test_nothing_is_bound_to_who_was_deleted(house: House) -> None:
    await account(house, "app", ["secrets:read"])
    await house.call("POST", GROUPS, {"name": "night"})
    readers = await policy(house)
    for kind, who, where in (
        ("service_account", "sa:app", f"{ACCOUNTS}/sa:app"),
        ("group", "group:night", f"{GROUPS}/group:night"),
    ):
        await house.call("DELETE", where)
        body = {"identity_type": kind, "identity_id": who}
        answer = await house.call("POST", f"/v1/policies/{readers}/bindings", body)
        assert (answer.status, answer.code) == (404, "identity_not_found")


async def test_nothing_changes_in_a_deleted_tenant(house: House) -> None:
    far = (await tenant(house, "far"))["id"]
    app = await account(house, "app", ["secrets:read"], tenant_id=far)
    mira = await user(house, "mira@harbor.example", tenant_id=far)
    made = await house.call("POST", GROUPS, {"name": "night", "tenant_id": far})
    night, people = made.json["id"], "/v1/identity/users"
    before = [(await house.get(where)).json for where in (f"{ACCOUNTS}/{app}", f"{people}/{mira}")]
    await delete(house, far)
    calls: list[tuple[str, str, Any]] = [
        ("PATCH", f"{ACCOUNTS}/{app}", {"display_name": "x"}),
        ("DELETE", f"{ACCOUNTS}/{app}", None),
        ("POST", f"{ACCOUNTS}/{app}/credentials", {}),
        ("PUT", f"{ACCOUNTS}/{app}/roles", {"roles": ["tenant_admin"]}),
        ("PATCH", f"{people}/{mira}", {"status": "SUSPENDED"}),
        ("POST", f"/v1/identity/user/{mira}/revoke-access", {}),
        ("DELETE", f"{people}/{mira}/mfa", None),
        ("DELETE", f"{GROUPS}/{night}", None),
        ("POST", f"{GROUPS}/{night}/members", {"identity_id": mira}),
        ("POST", "/v1/auth/tokens", {"name": "x", "scopes": ["admin"], "identity_id": mira}),
    ]
    for method, where, body in calls:
        answer = await house.call(method, where, body)
        assert (answer.status, answer.code) == (404, "identity_not_found"), (method, where)
    await change(house, far, {"status": "ACTIVE"})
    after = [(await house.get(where)).json for where in (f"{ACCOUNTS}/{app}", f"{people}/{mira}")]
    assert after == before
    assert (await house.get(f"{GROUPS}/{night}/members")).json["total"] == 0


async def test_a_suspension_leaves_the_bindings(house: House) -> None:
    await account(house, "app", ["secrets:read"])
    readers = await policy(house, ("service_account", "sa:app"))
    await house.call("PATCH", f"{ACCOUNTS}/sa:app", {"status": "SUSPENDED"})
    assert await bound(house, readers) == ["sa:app"]
