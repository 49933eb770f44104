"""Partners: what is seen, and what super_admin does with them."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import instant
from tests.support.house import House
from tests.support.rights import neighbour
from tests.tenancy.asking import PARTNERS, SCOPES, change, delete, managed, partner, tenant


async def test_a_partner_from_its_making_to_its_end(house: House) -> None:
    made = await house.call(
        "POST", PARTNERS, {"name": "Harbor Ltd", "slug": "harbor-2", "region": "eu"}
    )
    assert made.status == 201
    assert made.json == {
        "id": made.json["id"],
        "name": "Harbor Ltd",
        "slug": "harbor-2",
        "region": "eu",
        "status": "ACTIVE",
        "last_synced_at": None,
        "issuer": "local",
        "created_at": instant(house.clock.now()),
    }
    where = f"{PARTNERS}/{made.json['id']}"
    assert (await house.get(where)).json == made.json
    changed = await house.call("PATCH", where, {"name": "Harbor", "region": None})
    assert changed.json == made.json | {"name": "Harbor", "region": None}
    assert (await house.call("PATCH", where, {"status": "SUSPENDED"})).json["status"] == "SUSPENDED"
    assert (await house.call("DELETE", where)).status == 204
    assert (await house.get(where)).json["status"] == "DELETED"
    rows = [row for row in await house.rows() if row["extra_data"].get("object_type") == "partner"]
    assert [(row["action"], row["tenant_id"], row["partner_id"]) for row in rows] == [
        (action, None, made.json["id"])
        for action in (
            "identity_create", "identity_read", "identity_update", "identity_update",
            "identity_delete", "identity_read",
        )
    ]  # fmt: skip
    assert rows[2]["extra_data"]["changed"] == ["name", "region"]


async def test_what_is_not_sent_stays(house: House) -> None:
    made = await partner(house, "one", region="eu")
    assert (await change(house, made["id"], {})).json == made


async def test_it_survives_a_restart(house: House) -> None:
    made = await partner(house, "one", region="eu")
    await house.restart()
    await house.unseal()
    assert (await house.get(f"{PARTNERS}/{made['id']}")).json == made


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"name", "slug"}),
        ({"name": "", "slug": "ab"}, {"name"}),
        ({"name": " a", "slug": "a"}, {"name", "slug"}),
        ({"name": "a", "slug": "Ab"}, {"slug"}),
        ({"name": "a", "slug": "a_b"}, {"slug"}),
        ({"name": "a", "slug": "a" * 41}, {"slug"}),
        ({"name": "a", "slug": "ab\n"}, {"slug"}),
        ({"name": "a", "slug": "\uff41b"}, {"slug"}),
        ({"name": "a\u202eb", "slug": "ab"}, {"name"}),
        ({"name": "a", "slug": "ab", "region": "\t"}, {"region"}),
        ({"name": "a", "slug": "ab", "id": "ptn_mine"}, {"id"}),
        ({"name": "a", "slug": "ab", "status": "DELETED"}, {"status"}),
    ],
)
async def test_bodies_that_are_refused(house: House, body: Any, fields: set[str]) -> None:
    answer = await house.call("POST", PARTNERS, body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == fields


@pytest.mark.parametrize(
    "body", [{"slug": "other"}, {"name": None}, {"status": "DELETED"}, {"status": None}]
)
async def test_changes_that_are_refused(house: House, body: Any) -> None:
    answer = await change(house, house.made["partner_id"], body)
    assert (answer.status, answer.code) == (422, "validation_error")


@pytest.mark.parametrize("slug", ["ab", "a" * 40, "0-", "--"])
async def test_slugs_at_their_bounds(house: House, slug: str) -> None:
    assert (await partner(house, slug))["slug"] == slug


async def test_a_slug_is_taken_once(house: House) -> None:
    gone = await partner(house, "one")
    answer = await house.call("POST", PARTNERS, {"name": "Other", "slug": "one"})
    assert (answer.status, answer.code) == (409, "already_exists")
    await delete(house, gone["id"])  # it can come back, so its slug is still its own
    answer = await house.call("POST", PARTNERS, {"name": "Other", "slug": "one"})
    assert (answer.status, answer.code) == (409, "already_exists")


async def test_only_an_empty_partner_is_deleted(house: House) -> None:
    made = await partner(house, "one")
    inside = await tenant(house, "inside", partner_id=made["id"])
    answer = await delete(house, made["id"])
    assert (answer.status, answer.code) == (409, "in_use")
    assert answer.details == {"used_by": {"tenants": 1}}
    assert (await delete(house, house.made["partner_id"])).code == "in_use"
    await delete(house, inside["id"])
    assert (await delete(house, made["id"])).status == 204
    assert (await delete(house, made["id"])).status == 204  # again


async def test_a_deleted_partner_comes_back_by_its_status_alone(house: House) -> None:
    made = await partner(house, "one")
    await delete(house, made["id"])
    for body in ({"name": "x"}, {"status": "SUSPENDED"}, {}):
        answer = await change(house, made["id"], body)
        assert (answer.status, answer.code) == (409, "invalid_state")
        assert answer.details == {"reason": "deleted"}
    assert (await change(house, made["id"], {"status": "ACTIVE"})).json == made


async def test_who_sees_which(house: House) -> None:
    own = house.made["partner_id"]
    other = await partner(house, "other")
    for role, seen in (
        ("tenant_admin", [other["id"]]),
        ("partner_admin", [other["id"]]),
        ("super_admin", sorted([own, other["id"]])),
    ):
        token = await neighbour(house, role, other["id"])
        page = (await house.get(PARTNERS, token=token)).json
        assert sorted(one["id"] for one in page["partners"]) == seen
        assert page["total"] == len(seen)
        answer = await house.get(f"{PARTNERS}/{own}", token=token)
        if own in seen:
            assert answer.json["id"] == own
        else:
            unknown = await house.get(f"{PARTNERS}/ptn_00000000000000000000", token=token)
            for one in (answer, unknown):
                assert (one.status, one.code) == (404, "partner_not_found")
            assert set(answer.details) == set(unknown.details) == {"id"}


async def test_the_list_is_filtered_and_cut(house: House) -> None:
    made = [await partner(house, slug) for slug in ("bb", "aa", "cc")]
    await delete(house, made[0]["id"])
    await change(house, made[1]["id"], {"status": "SUSPENDED"})

    async def names(query: str) -> tuple[list[str], int]:
        page = (await house.get(PARTNERS + query)).json
        return [one["slug"] for one in page["partners"]], page["total"]

    assert await names("") == (["aa", "cc", "default"], 3)
    assert await names("?status=ACTIVE") == (["cc", "default"], 2)
    assert await names("?status=SUSPENDED") == (["aa"], 1)
    assert await names("?status=DELETED") == (["bb"], 1)
    assert await names("?page=2&page_size=2") == (["default"], 3)
    assert await names("?page=9") == ([], 3)
    for query in ("?status=active", "?page=0", "?page_size=201", "?q=a", "?page=1&page=2"):
        assert (await house.get(PARTNERS + query)).code == "validation_error"


async def test_another_spelling_of_the_prefix(house: House) -> None:
    made = await partner(house, "one")
    spelled = "prt_" + made["id"][4:]
    assert (await house.get(f"{PARTNERS}/{spelled}")).json == made
    assert (await change(house, made["id"], {"name": "x"})).status == 200
    answer = await house.call("PATCH", f"{PARTNERS}/{spelled}", {"name": "y"})
    assert (answer.json["id"], answer.json["name"]) == (made["id"], "y")
    assert (await tenant(house, "inside", partner_id=spelled))["partner_id"] == made["id"]


@pytest.mark.parametrize("role", [None, "tenant_admin", "partner_admin"])
async def test_it_takes_super_admin(house: House, role: str | None) -> None:
    own = house.made["partner_id"]
    token = await house.client("someone", SCOPES, [role] if role else None)
    for method, where, body in (
        ("POST", PARTNERS, {"name": "New", "slug": "new"}),
        ("PATCH", f"{PARTNERS}/{own}", {"name": "Mine"}),
        ("DELETE", f"{PARTNERS}/{own}", None),
    ):
        answer = await house.call(method, where, body, token=token)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"required_role": "super_admin"}


async def test_the_role_alone_is_not_enough(house: House) -> None:
    token = await house.client("reader", ["identity:read"], ["super_admin"])
    answer = await house.call("POST", PARTNERS, {"name": "New", "slug": "new"}, token=token)
    assert (answer.status, answer.details) == (403, {"required_scope": "identity:admin"})
    token = await house.client("other", ["secrets:read"], ["super_admin"])
    answer = await house.get(PARTNERS, token=token)
    assert (answer.status, answer.details) == (403, {"required_scope": "identity:read"})


async def test_what_an_outside_issuer_keeps_is_not_changed(house: House) -> None:
    made = await partner(house, "one")
    await managed(house, "partner", made["id"])
    for answer in (
        await change(house, made["id"], {"name": "x"}),
        await change(house, made["id"], {"status": "SUSPENDED"}),
        await delete(house, made["id"]),
    ):
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"reason": "externally_managed"}


async def test_a_new_partner_has_a_key_of_its_own(house: House) -> None:
    """Its tenants' secrets are there again behind a seal."""
    made = await partner(house, "one")
    inside = await tenant(house, "inside", partner_id=made["id"])
    where = f"/v1/t/{inside['id']}/secrets/a/b"
    assert (await house.call("PUT", where, {"data": {"n": 1}})).status == 201
    await house.restart()
    await house.unseal()
    assert (await house.get(where)).json["data"] == {"n": 1}


async def test_a_key_of_idempotency_makes_one_partner(house: House) -> None:
    headers = {"idempotency-key": "once"}
    body = {"name": "New", "slug": "new"}
    first, second = [await house.call("POST", PARTNERS, body, headers=headers) for _ in range(2)]
    assert first.json == second.json
    assert (await house.get(PARTNERS)).json["total"] == 2
