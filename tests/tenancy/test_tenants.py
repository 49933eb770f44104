"""Tenants: what is seen, and what partner_admin does with them."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, instant
from tests.support.house import PASSPHRASE, House
from tests.support.rights import neighbour
from tests.tenancy.asking import (
    SCOPES,
    TENANTS,
    change,
    delete,
    later,
    managed,
    partner,
    tenant,
)

UNKNOWN = "tnt_00000000000000000000"


async def test_a_tenant_from_its_making_to_its_end(house: House) -> None:
    house.clock.advance(1)
    made = await house.call("POST", TENANTS, {"name": "Night Shift", "slug": "night"})
    assert made.status == 201
    row_id = made.json["id"]
    assert made.json == {
        "id": row_id,
        "partner_id": house.made["partner_id"],
        "name": "Night Shift",
        "slug": "night",
        "status": "ACTIVE",
        "issuer": "local",
        "last_synced_at": None,
        "created_at": instant(house.clock.now()),
    }
    assert (await house.get(f"{TENANTS}/{row_id}")).json == made.json
    assert (await change(house, row_id, {"name": "Night"})).json == made.json | {"name": "Night"}
    assert (await change(house, row_id, {"status": "SUSPENDED"})).json["status"] == "SUSPENDED"
    assert (await change(house, row_id, {"status": "ACTIVE"})).json["status"] == "ACTIVE"
    assert (await delete(house, row_id)).status == 204
    assert (await house.get(f"{TENANTS}/{row_id}")).json["status"] == "DELETED"
    rows = [row for row in await house.rows() if row["extra_data"].get("object_type") == "tenant"]
    assert [row["action"] for row in rows] == [
        "identity_create", "identity_read", "identity_update", "identity_update",
        "identity_update", "identity_delete", "identity_read",
    ]  # fmt: skip
    for row in rows:
        assert row["extra_data"]["object_id"] == row["tenant_id"] == row_id
        assert row["partner_id"] == house.made["partner_id"]
        assert row["actor_tenant_id"] == house.made["tenant_id"]
    assert rows[2]["extra_data"]["changed"] == ["name"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "slug"}),
        ({"name": "a ", "slug": "-"}, {"name", "slug"}),
        ({"name": "a", "slug": "ab", "region": "eu"}, {"region"}),
        ({"name": "a", "slug": "ab", "tenant_id": UNKNOWN}, {"tenant_id"}),
    ],
)
async def test_bodies_that_are_refused(house: House, body: Any, fields: set[str]) -> None:
    answer = await house.call("POST", TENANTS, body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == fields


@pytest.mark.parametrize(
    "body",
    [{"slug": "other"}, {"partner_id": "ptn_x"}, {"name": None}, {"status": "DELETED"}, {"id": ""}],
)
async def test_changes_that_are_refused(house: House, body: Any) -> None:
    answer = await change(house, house.made["tenant_id"], body)
    assert (answer.status, answer.code) == (422, "validation_error")


async def test_a_slug_is_taken_once_in_each_partner(house: House) -> None:
    gone = await tenant(house, "one")
    other = await partner(house, "other")
    assert (await tenant(house, "one", partner_id=other["id"]))["slug"] == "one"
    await delete(house, gone["id"])
    answer = await house.call("POST", TENANTS, {"name": "One", "slug": "one"})
    assert (answer.status, answer.code) == (409, "already_exists")
    assert answer.details == {"field": "slug"}


async def test_who_sees_which(house: House) -> None:
    own = house.made["tenant_id"]
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    near = await tenant(house, "near")
    for role, others in (
        (None, set()),
        ("tenant_admin", set()),
        ("partner_admin", {near["id"]}),
        ("super_admin", {near["id"], far["id"]}),
    ):
        name = (role or "nobody").replace("_", "-")
        token = await house.client(name, SCOPES, [role] if role else None)
        page = (await house.get(TENANTS, token=token)).json
        assert {one["id"] for one in page["tenants"]} == {own, *others}
        assert page["total"] == len(others) + 1
        for wanted in (near["id"], far["id"], UNKNOWN):
            answer = await house.get(f"{TENANTS}/{wanted}", token=token)
            if wanted in others:
                assert answer.json["id"] == wanted
            else:
                assert (answer.status, answer.code) == (404, "tenant_not_found")
                assert answer.details == {"tenant_id": wanted}


async def test_the_list_is_filtered_and_cut(house: House) -> None:
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    gone = await tenant(house, "gone")
    await delete(house, gone["id"])
    await change(house, far["id"], {"status": "SUSPENDED"})

    async def slugs(query: str) -> tuple[list[str], int]:
        page = (await house.get(TENANTS + query)).json
        return [one["slug"] for one in page["tenants"]], page["total"]

    assert await slugs("") == (["far", "default"], 2)
    assert await slugs(f"?partner_id={away['id']}") == (["far"], 1)
    assert await slugs(f"?partner_id=prt_{away['id'][4:]}") == (["far"], 1)
    assert await slugs(f"?partner_id={away['id']}&status=ACTIVE") == ([], 0)
    assert await slugs("?status=DELETED") == (["gone"], 1)
    assert await slugs("?status=SUSPENDED") == (["far"], 1)
    assert await slugs("?page_size=1&page=2") == (["default"], 2)
    answer = await house.get(TENANTS + "?partner_id=ptn_00000000000000000000")
    assert (answer.status, answer.code) == (404, "partner_not_found")
    token = await house.client("pa", SCOPES, ["partner_admin"])
    answer = await house.get(f"{TENANTS}?partner_id={away['id']}", token=token)
    assert (answer.status, answer.code) == (404, "partner_not_found")


@pytest.mark.parametrize("role", [None, "tenant_admin"])
async def test_it_takes_partner_admin(house: House, role: str | None) -> None:
    own = house.made["tenant_id"]
    token = await house.client("someone", SCOPES, [role] if role else None)
    for answer in (
        await house.call("POST", TENANTS, {"name": "New", "slug": "new"}, token=token),
        await change(house, own, {"name": "Mine"}, token),
        await delete(house, own, token),
    ):
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"required_role": "partner_admin"}


async def test_a_partner_admin_keeps_the_tenants_of_its_partner_alone(house: House) -> None:
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    token = await house.client("pa", SCOPES, ["partner_admin"])
    body = {"name": "New", "slug": "new"}
    made = await house.call("POST", TENANTS, body, token=token)
    assert made.json["partner_id"] == house.made["partner_id"]
    assert (await change(house, made.json["id"], {"name": "x"}, token)).status == 200
    assert (await delete(house, made.json["id"], token)).status == 204
    for foreign in (away["id"], "ptn_00000000000000000000", "", "tnt_x"):
        answer = await house.call("POST", TENANTS, body | {"partner_id": foreign}, token=token)
        assert (answer.status, answer.code) == (404, "partner_not_found")
    for answer in (
        await change(house, far["id"], {"name": "x"}, token),
        await delete(house, far["id"], token),
    ):
        assert (answer.status, answer.code) == (404, "tenant_not_found")
    assert (await house.get(f"{TENANTS}/{far['id']}")).json == far


async def test_an_acting_tenant_does_not_lend_its_partner(house: House) -> None:
    """Whoever names another tenant in the header makes tenants in his own partner still."""
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    made = await house.call(
        "POST", TENANTS, {"name": "New", "slug": "new"}, headers={"x-tenant-id": far["id"]}
    )
    assert made.json["partner_id"] == house.made["partner_id"]


@pytest.mark.parametrize("status", ["SUSPENDED", "DELETED"])
async def test_no_tenant_is_made_in_a_partner_that_is_not_active(house: House, status: str) -> None:
    away = await partner(house, "away")
    if status == "DELETED":
        await delete(house, away["id"])
    else:
        await change(house, away["id"], {"status": status})
    body = {"name": "New", "slug": "new", "partner_id": away["id"]}
    answer = await house.call("POST", TENANTS, body)
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details == {"reason": "partner_not_active"}


async def test_deleting_takes_a_word_of_confirmation(house: House) -> None:
    one, other = await tenant(house, "one"), await tenant(house, "other")
    where = f"{TENANTS}/{one['id']}"
    for query in ("", "?confirm=", "?confirm=true", f"?confirm={other['id']}"):
        answer = await house.call("DELETE", where + query)
        assert (answer.status, answer.code) == (422, "validation_error")
        assert set(answer.details["fields"]) == {"confirm"}
    assert (await house.get(where)).json["status"] == "ACTIVE"


async def test_a_second_delete_does_not_lengthen_its_time(house: House) -> None:
    one = await tenant(house, "one")
    await delete(house, one["id"])
    await later(house, 29 * DAY)
    assert (await delete(house, one["id"])).status == 204
    await later(house, DAY)
    answer = await change(house, one["id"], {"status": "ACTIVE"})
    assert (answer.status, answer.details) == (409, {"reason": "key_destroyed"})


async def test_it_comes_back_by_its_status_alone(house: House) -> None:
    one = await tenant(house, "one")
    await delete(house, one["id"])
    for body in ({"name": "x"}, {"status": "SUSPENDED"}, {}):
        answer = await change(house, one["id"], body)
        assert (answer.status, answer.code) == (409, "invalid_state")
        assert answer.details == {"reason": "deleted"}
    assert (await change(house, one["id"], {"status": "ACTIVE"})).json == one


async def test_not_into_a_deleted_partner(house: House) -> None:
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    await delete(house, far["id"])
    await delete(house, away["id"])
    answer = await change(house, far["id"], {"status": "ACTIVE"})
    assert (answer.status, answer.details) == (409, {"reason": "partner_deleted"})
    await change(house, away["id"], {"status": "ACTIVE"})
    assert (await change(house, far["id"], {"status": "ACTIVE"})).json == far


async def test_the_first_tenant_stays(house: House) -> None:
    """A lost root token is made anew in it."""
    other = await tenant(house, "other")
    await house.client("second", SCOPES, ["super_admin"], other["id"])
    answer = await delete(house, house.made["tenant_id"])
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details == {"reason": "first_tenant"}
    assert (await house.get("/v1/secrets")).status == 200


async def test_it_stays_the_first_when_the_clock_is_set_back(house: House) -> None:
    house.clock.advance(-DAY)
    await tenant(house, "other")
    answer = await delete(house, house.made["tenant_id"])
    assert answer.details == {"reason": "first_tenant"}


async def test_a_lost_root_token_is_never_another_tenant_s(house: House) -> None:
    """Whose account has the same name, and seems to be older."""
    house.clock.advance(-DAY)
    other = await tenant(house, "other")
    body = {"name": "root", "scopes": ["secrets:read"], "tenant_id": other["id"]}
    made = await house.call("POST", "/v1/identity/service-accounts", body)
    assert made.status == 201
    given = await house.call(
        "POST", "/v1/system/root-token", {"passphrase": PASSPHRASE}, token=None
    )
    whoami = await house.get("/v1/auth/whoami", token=given.json["token"])
    assert whoami.json["tenant_id"] == house.made["tenant_id"]
    where = f"/v1/identity/service-accounts/{made.json['id']}"
    assert (await house.get(where)).json["roles"] == []


async def test_the_last_super_admin_keeps_its_tenant(house: House) -> None:
    other = await tenant(house, "other")
    token = await house.client("second", SCOPES, ["super_admin"], other["id"])
    where = "/v1/identity/service-accounts/sa:root"
    suspended = await house.call("PATCH", where, {"status": "SUSPENDED"})
    assert suspended.status == 200, suspended.body
    answer = await delete(house, other["id"], token)
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details == {"reason": "last_super_admin"}


async def test_a_super_admin_of_a_deleted_tenant_is_none_left(house: House) -> None:
    other = await tenant(house, "other")
    await house.client("second", SCOPES, ["super_admin"], other["id"])
    assert (await delete(house, other["id"])).status == 204
    where = "/v1/identity/service-accounts/sa:root"
    answer = await house.call("PATCH", where, {"status": "SUSPENDED"})
    assert (answer.status, answer.details) == (409, {"reason": "last_super_admin"})


async def test_nobody_ends_who_ranks_above_him_with_the_tenant(house: House) -> None:
    other = await tenant(house, "other")
    high = await house.client("second", SCOPES, ["super_admin"], other["id"])
    token = await house.client("pa", SCOPES, ["partner_admin"])
    answer = await delete(house, other["id"], token)
    assert (answer.status, answer.details) == (403, {"required_role": "super_admin"})
    assert (await house.get("/v1/auth/whoami", token=high)).status == 200
    assert (await delete(house, other["id"])).status == 204


async def test_what_an_outside_issuer_keeps_is_not_changed(house: House) -> None:
    one = await tenant(house, "one")
    await managed(house, "tenant", one["id"])
    for answer in (
        await change(house, one["id"], {"name": "x"}),
        await change(house, one["id"], {"status": "SUSPENDED"}),
        await delete(house, one["id"]),
    ):
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"reason": "externally_managed"}


async def test_ids_of_another_kind(house: House) -> None:
    for wanted in (house.made["partner_id"], "x", "tnt_%2e%2e", "default", "self"):
        answer = await house.get(f"{TENANTS}/{wanted}")
        assert (answer.status, answer.code) == (404, "tenant_not_found")


async def test_a_neighbour_sees_his_own(house: House) -> None:
    token = await neighbour(house, "tenant_admin")
    whoami = (await house.get("/v1/auth/whoami", token=token)).json
    page = (await house.get(TENANTS, token=token)).json
    assert [one["id"] for one in page["tenants"]] == [whoami["tenant_id"]]
