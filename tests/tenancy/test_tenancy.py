"""On whose behalf a request acts: own tenant, prefix, header, and the refusals."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.house import Answer, House
from tests.support.tenants import found_partner, found_tenant, suspend

SCOPES = ["secrets:read", "secrets:write", "secrets:list"]
UNKNOWN = "tnt_00000000000000000000"


class Places(NamedTuple):
    own: str
    near: str  # of the same partner
    far: str  # of another


@pytest.fixture
async def places(house: House) -> Places:
    near = await found_tenant(house, "near")
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    return Places(house.made["tenant_id"], near.id, far.id)


async def by_prefix(house: House, tenant: str, token: str) -> Answer:
    return await house.get(f"/v1/t/{tenant}/secrets", token=token)


async def by_header(house: House, tenant: str, token: str) -> Answer:
    return await house.get("/v1/secrets", token=token, headers={"x-tenant-id": tenant})


WAYS = pytest.mark.parametrize("way", [by_prefix, by_header])


@WAYS
async def test_who_reaches_which_tenant(house: House, places: Places, way: object) -> None:
    assert callable(way)
    expected = {
        None: {"own": 200, "near": 403, "far": 403, "unknown": 403},
        "tenant_admin": {"own": 200, "near": 403, "far": 403, "unknown": 403},
        "partner_admin": {"own": 200, "near": 200, "far": 403, "unknown": 404},
        "super_admin": {"own": 200, "near": 200, "far": 200, "unknown": 404},
    }
    for role, statuses in expected.items():
        name = (role or "nobody").replace("_", "-")
        token = await house.client(name, SCOPES, [role] if role else None)
        for tenant, status in statuses.items():
            answer = await way(house, getattr(places, tenant, UNKNOWN), token)
            assert answer.status == status, (role, tenant, answer.body)
            if status == 403:
                assert answer.code == "tenant_access_denied"
            if status == 404:
                assert answer.code == "tenant_not_found"


async def test_one_path_in_two_tenants_is_two_secrets(house: House, places: Places) -> None:
    await house.put("a/b", {"where": "own"})
    made = await house.call("PUT", f"/v1/t/{places.near}/secrets/a/b", {"data": {"where": "near"}})
    assert (made.status, made.json["version"]) == (201, 1)
    assert (await house.read("a/b")).json["data"] == {"where": "own"}
    near = await house.get(f"/v1/t/{places.near}/secrets/a/b")
    assert near.json["data"] == {"where": "near"}
    assert (await house.get(f"/v1/t/{places.far}/secrets/a/b")).code == "secret_not_found"


async def test_the_prefix_wins_and_the_ledger_knows_both(house: House, places: Places) -> None:
    where = f"/v1/t/{places.near}/secrets/a/b"
    answer = await house.call("PUT", where, {"data": {}}, headers={"x-tenant-id": places.far})
    assert answer.status == 201
    (row,) = await house.rows(action="write")
    assert row["tenant_id"] == places.near
    assert row["actor_tenant_id"] == places.own
    assert row["extra_data"]["header_tenant_id"] == places.far
    await house.call("PUT", where, {"data": {}}, headers={"x-tenant-id": places.near})
    row = (await house.rows(action="write"))[-1]
    assert "header_tenant_id" not in row["extra_data"]


async def test_events_belong_to_the_tenant_acted_upon(house: House, places: Places) -> None:
    await house.call("PUT", f"/v1/t/{places.near}/secrets/a/b", {"data": {}})
    (event,) = await house.events()
    assert event["tenant_id"] == places.near


async def test_a_refused_crossing_is_ledgered(house: House, places: Places) -> None:
    token = await house.client("plain", SCOPES)
    await by_prefix(house, places.near, token)
    (row,) = await house.rows(success=False)
    assert row["extra_data"]["error_code"] == "tenant_access_denied"
    assert (row["tenant_id"], row["actor_tenant_id"]) == (places.near, places.own)
    assert row["action"] == "list"


@pytest.mark.parametrize(
    "path", ["/auth/whoami", "/system/slots", "/identity/service-accounts/sa:root", "/health"]
)
async def test_routes_that_take_no_prefix(house: House, path: str) -> None:
    answer = await house.get(f"/v1/t/{house.made['tenant_id']}{path}")
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_suspended(house: House, places: Places, kind: str) -> None:
    token = await house.client("app", SCOPES, ["tenant_admin"], places.near)
    assert (await house.get("/v1/secrets", token=token)).status == 200
    await suspend(house, kind, places.near if kind == "tenant" else house.made["partner_id"])
    for answer in (
        await house.get("/v1/secrets", token=token),
        await by_prefix(house, places.near, ""),
    ):
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details["reason"] == "tenant_suspended"


async def test_a_suspended_tenant_acts_nowhere_else(house: House, places: Places) -> None:
    token = await house.client("boss", SCOPES, ["partner_admin"], places.near)
    assert (await by_prefix(house, places.own, token)).status == 200
    await suspend(house, "tenant", places.near)
    answer = await by_prefix(house, places.own, token)
    assert (answer.status, answer.details["reason"]) == (403, "tenant_suspended")


@pytest.mark.parametrize("value", ["x", "tnt_", "tnt_ABC", "ptn_00000000000000000000", "\xff"])
async def test_headers_that_name_no_tenant(house: House, value: str) -> None:
    assert (await by_header(house, value, "")).code == "tenant_not_found"


async def test_a_role_covers_policies_only_where_it_reaches(house: House, places: Places) -> None:
    tenant_admin = await house.client("ta", SCOPES, ["tenant_admin"], places.near)
    assert (await house.put("a/b", {}, token=tenant_admin)).status == 201
    plain = await house.client("plain", SCOPES, tenant=places.near)
    assert (await house.put("a/b", {}, token=plain)).code == "access_denied"


async def test_keys_of_tenants_are_their_own(house: House, places: Places) -> None:
    """A stored value put into another tenant's row does not open there."""
    await house.put("a/b", {"x": 1})
    await house.call("PUT", f"/v1/t/{places.near}/secrets/a/b", {"data": {"x": 2}})

    def swap(db: object) -> None:
        db.execute(  # type: ignore[attr-defined]
            "UPDATE secret_version SET (key_version, dek, value) = (SELECT key_version, dek, value"
            " FROM secret_version WHERE owner_id = ? AND path = 'a/b')"
            " WHERE owner_id = ? AND path = 'a/b'",
            (places.own, places.near),
        )

    await house.vault.database.alone(swap)
    house.vault.values.shelf.clear()
    answer = await house.get(f"/v1/t/{places.near}/secrets/a/b")
    assert (answer.status, answer.code) == (500, "internal_error")
    assert (await house.read("a/b")).json["data"] == {"x": 1}


async def test_tenants_survive_a_restart(house: House, places: Places) -> None:
    await house.call("PUT", f"/v1/t/{places.far}/secrets/a/b", {"data": {"x": 3}})
    await house.restart()
    await house.unseal()
    found = await house.get(f"/v1/t/{places.far}/secrets/a/b")
    assert found.json["data"] == {"x": 3}
