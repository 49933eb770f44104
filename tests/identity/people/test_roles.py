"""Admin roles of users and of service accounts alike."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.support.house import Answer, House
from tests.support.tenants import account, found_partner, found_tenant
from tests.support.users import USERS, outside, personal, user

ACCOUNTS = "/v1/identity/service-accounts"
KEEPER = ["identity:read", "identity:admin"]


async def somebody(house: House, kind: str, name: str = "app", **more: Any) -> str:
    """Where the roles of a new user or service account are."""
    if kind == "user":
        return f"{USERS}/{await user(house, f'{name}@harbor.example', **more)}/roles"
    return f"{ACCOUNTS}/{await account(house, name, ['secrets:read'], **more)}/roles"


async def put(house: House, where: str, roles: list[str], token: str = "") -> Answer:
    return await house.call("PUT", where, {"roles": roles}, token=token)


def record(where: str) -> str:
    return where.split("/")[-2]


KINDS = pytest.mark.parametrize("kind", ["user", "service_account"])


@KINDS
async def test_the_whole_list_is_set(house: House, kind: str) -> None:
    where = await somebody(house, kind)
    answer = await put(house, where, ["partner_admin", "tenant_admin", "tenant_admin"])
    assert answer.status == 200
    body = answer.json
    assert body.pop("updated_at").endswith("Z")
    roles = ["tenant_admin", "partner_admin"]
    assert body == {"user_id": record(where), "roles": roles, "updated_by": "sa:root"}
    assert (await house.get(where)).json == {"user_id": record(where), "roles": roles}
    assert (await put(house, where, [])).json["roles"] == []
    row = (await house.rows(action="role_change"))[-1]["extra_data"]
    identity = "user:app@harbor.example" if kind == "user" else "sa:app"
    assert row == {"for": identity, "old": roles, "new": []}


@KINDS
@pytest.mark.parametrize(
    ("roles", "code"),
    [(["king"], "invalid_role"), (["Tenant_Admin"], "invalid_role"), ([""], "invalid_role"),
     (["tenant_admin "], "invalid_role"), ("tenant_admin", "validation_error"),
     (None, "validation_error"), ([1], "validation_error")],
)  # fmt: skip
async def test_what_is_no_list_of_roles(house: House, kind: str, roles: Any, code: str) -> None:
    where = await somebody(house, kind)
    answer = await put(house, where, roles)
    assert (answer.status, answer.code) == (400 if code == "invalid_role" else 422, code)
    assert (await house.get(where)).json["roles"] == []


@KINDS
async def test_who_gives_which_role(house: House, kind: str) -> None:
    where = await somebody(house, kind)
    tokens = {
        role: await house.client(role.replace("_", "-"), KEEPER, [role])
        for role in ("tenant_admin", "partner_admin", "super_admin")
    }
    refused = await put(house, where, ["tenant_admin"], tokens["tenant_admin"])
    assert (refused.code, refused.details) == ("forbidden", {"required_role": "partner_admin"})
    refused = await put(house, where, ["super_admin"], tokens["partner_admin"])
    assert (refused.code, refused.details) == ("forbidden", {"required_role": "super_admin"})
    assert (await put(house, where, ["partner_admin"], tokens["partner_admin"])).status == 200
    assert (await put(house, where, ["super_admin"], tokens["super_admin"])).status == 200
    refused = await put(house, where, [], tokens["partner_admin"])
    assert (refused.code, refused.details) == ("forbidden", {"required_role": "super_admin"})
    row = (await house.rows(action="role_change", success=False))[-1]
    who = (await house.get(where.removesuffix("/roles"))).json["identity_id"]
    assert row["extra_data"] == {"for": who, "error_code": "forbidden"}
    nobody = await house.client("reader", ["identity:read"], ["super_admin"])
    refused = await put(house, where, [], nobody)
    assert refused.details == {"required_scope": "identity:admin"}


async def test_nobody_raises_himself(house: House) -> None:
    where = await somebody(house, "user", "mira")
    await put(house, where, ["partner_admin"])
    token = await personal(house, record(where), KEEPER)
    by_name = f"{USERS}/user:MIRA@harbor.example/roles"
    for place in (where, by_name):
        assert (await put(house, place, ["super_admin"], token)).status == 403
    assert (await put(house, where, ["tenant_admin", "partner_admin"], token)).status == 200
    assert (await put(house, where, ["tenant_admin"], token)).status == 200
    refused = await put(house, where, ["partner_admin"], token)
    assert refused.details == {"required_role": "partner_admin"}


async def test_a_role_holds_and_goes_from_the_next_request(house: House) -> None:
    where = await somebody(house, "user")
    token = await personal(house, record(where), ["secrets:read"])
    await house.put("app/db", {"n": 1})
    assert (await house.read("app/db", token=token)).code == "access_denied"
    await put(house, where, ["tenant_admin"])
    assert (await house.read("app/db", token=token)).status == 200
    await put(house, where, [])
    assert (await house.read("app/db", token=token)).code == "access_denied"


async def test_ones_own_roles_with_any_token(house: House) -> None:
    mine, other = await somebody(house, "user", "mira"), await somebody(house, "user", "ola")
    await put(house, mine, ["tenant_admin"])
    token = await personal(house, record(mine), ["secrets:read"])
    for where in (mine, f"{USERS}/user:Mira@harbor.example/roles"):
        assert (await house.get(where, token=token)).json["roles"] == ["tenant_admin"]
    for where in (other, f"{USERS}/usr_0/roles", f"{ACCOUNTS}/sa:root/roles"):
        answer = await house.get(where, token=token)
        assert answer.code == "insufficient_scope", where
        assert answer.details == {"required_scope": "identity:read"}


async def test_the_last_super_admin_stays_whoever_it_is(house: House) -> None:
    where = await somebody(house, "user", "mira")
    await put(house, where, ["super_admin"])
    assert (await put(house, f"{ACCOUNTS}/sa:root/roles", [])).status == 200
    token = await personal(house, record(where), ["admin"])
    place = where.removesuffix("/roles")
    for answer in (
        await put(house, where, ["partner_admin"], token),
        await house.call("PATCH", place, {"status": "SUSPENDED"}, token=token),
        await house.call("DELETE", place, token=token),
    ):
        assert (answer.status, answer.code) == (409, "invalid_state")
        assert answer.details == {"reason": "last_super_admin"}
    assert (await house.get("/v1/system/slots", token=token)).status == 200
    await put(house, f"{ACCOUNTS}/sa:root/roles", ["super_admin"], token)
    assert (await house.call("DELETE", place, token=token)).status == 204


async def test_of_two_that_go_at_once_one_stays(house: House) -> None:
    where = await somebody(house, "user", "mira")
    await put(house, where, ["super_admin"])
    both = (where, f"{ACCOUNTS}/sa:root/roles")
    answers = await asyncio.gather(*(put(house, place, []) for place in both))
    # The caller's own role goes with one of them: if that comes first, the other is not his to do,
    # which he hears in the writer if both had been let in by then, else at the gate.
    refused, done = sorted(answers, key=lambda answer: answer.status == 200)
    assert (refused.code, refused.details) in (
        ("invalid_state", {"reason": "last_super_admin"}),
        ("forbidden", {"reason": "rights_changed"}),
        ("forbidden", {"required_role": "partner_admin"}),
    )
    assert (done.status, done.json["roles"]) == (200, [])


async def test_a_suspended_super_admin_is_not_the_one_that_stays(house: House) -> None:
    where = await somebody(house, "user", "mira")
    await put(house, where, ["super_admin"])
    await house.call("PATCH", where.removesuffix("/roles"), {"status": "SUSPENDED"})
    answer = await put(house, f"{ACCOUNTS}/sa:root/roles", [])
    assert answer.details == {"reason": "last_super_admin"}
    assert (await put(house, where, [])).status == 200


async def test_a_partner_admin_acts_inside_his_partner(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    near = await found_tenant(house, "near")
    token = await house.client("keeper", KEEPER, ["partner_admin"])
    there = await somebody(house, "user", tenant_id=far.id)
    beside = await somebody(house, "user", tenant_id=near.id)
    refused = await put(house, there, ["tenant_admin"], token)
    assert (refused.status, refused.code) == (404, "identity_not_found")
    assert (await put(house, beside, ["partner_admin"], token)).status == 200
    row = (await house.rows(action="role_change", success=True))[-1]
    assert row["tenant_id"] == near.id


async def test_a_role_given_to_an_outside_issuers_user_holds(house: House) -> None:
    who = await outside(house, "user", "mira@harbor.example")
    assert (await put(house, f"{USERS}/{who}/roles", ["tenant_admin"])).status == 200
    shown = (await house.get(f"{USERS}/{who}")).json
    assert (shown["roles"], shown["issuer"]) == (["tenant_admin"], "corp")
