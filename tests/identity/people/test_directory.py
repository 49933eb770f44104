"""Who an id stands for, and which roles there are."""

from __future__ import annotations

import pytest

from tests.support.house import Answer, House
from tests.support.tenants import account, found_partner, found_tenant

RESOLVE = "/v1/identity/resolve"


async def group(house: House, name: str, **body: object) -> str:
    answer = await house.call("POST", "/v1/identity/groups", {"name": name, **body})
    found: str = answer.json["id"]
    return found


async def test_a_service_account(house: House) -> None:
    await group(house, "top")
    await group(house, "night", parent_id="group:top")
    app = await account(house, "app", ["secrets:read"], groups=["group:night"], display_name="App")
    where = f"/v1/identity/service-accounts/{app}"
    await house.call("PUT", f"{where}/roles", {"roles": ["tenant_admin"]})
    await house.call("PATCH", where, {"status": "SUSPENDED"})
    for name in (app, "sa:app"):
        answer = await house.get(f"{RESOLVE}/service_account/{name}")
        assert answer.json == {
            "id": app,
            "type": "service_account",
            "identity_id": "sa:app",
            "display_name": "App",
            "tenant_id": house.made["tenant_id"],
            "partner_id": house.made["partner_id"],
            "status": "SUSPENDED",
            "groups": ["group:night", "group:top"],
            "roles": ["tenant_admin"],
            "issuer": "local",
        }


async def test_a_group(house: House) -> None:
    await group(house, "top")
    night = await group(house, "night", parent_id="group:top", display_name="Night")
    answer = await house.get(f"{RESOLVE}/group/group:night")
    assert answer.json == {
        "id": night,
        "type": "group",
        "identity_id": "group:night",
        "display_name": "Night",
        "tenant_id": house.made["tenant_id"],
        "partner_id": house.made["partner_id"],
        "status": "ACTIVE",
        "groups": ["group:top"],
        "roles": [],
        "issuer": "local",
    }


@pytest.mark.parametrize(
    "what",
    ["group/sa:root", "service_account/group:night", "user/sa:root", "user/user:x@y.example",
     "group/grp_0", "group/group:none", "service_account/sa:none"],
)  # fmt: skip
async def test_what_is_not_there(house: House, what: str) -> None:
    await group(house, "night")
    answer = await house.get(f"{RESOLVE}/{what}")
    assert (answer.status, answer.code) == (404, "identity_not_found")


async def test_a_type_that_there_is_not(house: House) -> None:
    answer = await house.get(f"{RESOLVE}/robot/sa:root")
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == ["identity_type"]


async def test_another_tenants_identities(house: House) -> None:
    near = await found_tenant(house, "near")
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    token = await house.client("keeper", ["identity:read"], ["partner_admin"])
    for tenant, status in ((near.id, 200), (far.id, 404)):
        app = await account(house, "app", ["secrets:read"], tenant_id=tenant)
        night = await group(house, "night", tenant_id=tenant)
        for what in (f"service_account/{app}", f"group/{night}"):
            assert (await house.get(f"{RESOLVE}/{what}", token=token)).status == status
    row = (await house.rows(action="identity_read", success=True))[-1]
    assert row["tenant_id"] == near.id


async def roles(house: House, token: str = "") -> Answer:
    return await house.get("/v1/identity/roles", token=token)


async def test_the_roles_and_who_gives_them(house: House) -> None:
    shown = (await roles(house)).json["roles"]
    assert [item["name"] for item in shown] == ["tenant_admin", "partner_admin", "super_admin"]
    assert all(item["description"].endswith(".") for item in shown)
    for scope, role, wanted in (
        ("admin", "super_admin", [True, True, True]),
        ("identity:admin", "super_admin", [True, True, True]),
        ("identity:admin", "partner_admin", [True, True, False]),
        ("identity:admin", "tenant_admin", [False, False, False]),
        ("identity:read", "super_admin", [False, False, False]),
    ):
        name = f"{scope}-{role}".replace(":", "-").replace("_", "-")
        token = await house.client(name, [scope], [role])
        shown = (await roles(house, token)).json["roles"]
        assert [item["grantable"] for item in shown] == wanted, name
