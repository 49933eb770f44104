"""Groups: made, nested, changed, deleted; who sees them and who may."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import Answer, House
from tests.support.tenants import account, found_partner, found_tenant

GROUPS = "/v1/identity/groups"
ACCOUNTS = "/v1/identity/service-accounts"


async def made(house: House, name: str, token: str = "", **body: Any) -> Answer:
    return await house.call("POST", GROUPS, {"name": name, **body}, token=token)


async def group(house: House, name: str, **body: Any) -> str:
    """The record id of a new group."""
    answer = await made(house, name, **body)
    assert answer.status == 201, answer.body
    found: str = answer.json["id"]
    return found


async def patch(house: House, who: str, **body: Any) -> Answer:
    return await house.call("PATCH", f"{GROUPS}/{who}", body)


async def add(house: House, who: str, member: str) -> Answer:
    return await house.call("POST", f"{GROUPS}/{who}/members", {"identity_id": member})


async def whoami(house: House, token: str) -> list[str]:
    groups: list[str] = (await house.get("/v1/auth/whoami", token=token)).json["groups"]
    return groups


# -- making ------------------------------------------------------------------------------------


async def test_a_new_group(house: House) -> None:
    answer = await made(house, "night", display_name="The night shift")
    assert answer.status == 201
    body = answer.json
    assert body["id"].startswith("grp_")
    assert body == {
        "id": body["id"],
        "identity_id": "group:night",
        "tenant_id": house.made["tenant_id"],
        "name": "night",
        "display_name": "The night shift",
        "parent_id": None,
        "member_count": 0,
        "issuer": "local",
        "last_synced_at": None,
    }
    for name in (body["id"], "group:night", "group%3Anight"):
        assert (await house.get(f"{GROUPS}/{name}")).json == body
    row = (await house.rows(action="identity_create"))[-1]
    assert row["extra_data"] == {"object_type": "group", "object_id": body["id"]}
    row = (await house.rows(action="identity_read"))[-1]
    assert row["extra_data"] == {"object_type": "group", "object_id": body["id"]}


async def test_a_group_without_a_name_shown_shows_its_name(house: House) -> None:
    assert (await made(house, "night")).json["display_name"] == "night"


@pytest.mark.parametrize("name", ["", "Night", "-a", "a b", "a" * 129, "ä", "a/b", "group:a"])
async def test_names_that_are_none(house: House, name: str) -> None:
    answer = await made(house, name)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert "name" in answer.details["fields"]


@pytest.mark.parametrize("text", ["", " a", "a ", "a\nb", "a\u202eb", "x" * 129])
async def test_names_shown_that_are_none(house: House, text: str) -> None:
    answer = await made(house, "night", display_name=text)
    assert "display_name" in answer.details["fields"]
    await group(house, "day")
    answer = await patch(house, "group:day", display_name=text)
    assert "display_name" in answer.details["fields"]


async def test_all_faults_of_a_group_at_once(house: House) -> None:
    answer = await house.call("POST", GROUPS, {"name": "A", "display_name": " a"})
    assert (answer.status, set(answer.details["fields"])) == (422, {"name", "display_name"})


async def test_a_name_is_taken_for_ever(house: House) -> None:
    first = await group(house, "night")
    for _ in range(2):
        again = await made(house, "night")
        assert (again.status, again.code) == (409, "already_exists")
        assert again.details == {"field": "name"}
        await house.call("DELETE", f"{GROUPS}/{first}")


async def test_two_tenants_have_groups_of_one_name(house: House) -> None:
    near = await found_tenant(house, "near")
    first = await group(house, "night")
    second = await group(house, "night", tenant_id=near.id)
    assert first != second
    assert (await house.get(f"{GROUPS}/{second}")).json["tenant_id"] == near.id
    assert (await house.get(f"{GROUPS}/group:night")).json["id"] == first


# -- nesting -----------------------------------------------------------------------------------


async def test_groups_nest_five_deep(house: House) -> None:
    above = await group(house, "g1")
    for number in range(2, 6):
        above = await group(house, f"g{number}", parent_id=above)
    assert (await house.get(f"{GROUPS}/{above}")).json["name"] == "g5"
    answer = await made(house, "g6", parent_id=above)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert "5 deep" in answer.details["fields"]["parent_id"]
    assert (await house.get(f"{GROUPS}/group:g6")).status == 404


async def test_what_lies_below_counts_when_a_group_moves(house: House) -> None:
    await group(house, "a1")
    await group(house, "a2", parent_id="group:a1")
    await group(house, "a3", parent_id="group:a2")
    await group(house, "b1")
    await group(house, "b2", parent_id="group:b1")
    await group(house, "b3", parent_id="group:b2")
    assert "parent_id" in (await patch(house, "group:b1", parent_id="group:a3")).details["fields"]
    assert (await patch(house, "group:b1", parent_id="group:a2")).status == 200
    answer = await patch(house, "group:b1", parent_id=None)
    assert answer.json["parent_id"] is None
    assert (await patch(house, "group:b2", parent_id="group:a3")).status == 200


async def test_a_cycle_is_refused(house: House) -> None:
    await group(house, "a")
    await group(house, "b", parent_id="group:a")
    await group(house, "c", parent_id="group:b")
    for below in ("a", "b", "c"):
        answer = await patch(house, "group:a", parent_id=f"group:{below}")
        assert (answer.status, answer.code) == (422, "validation_error")
        assert list(answer.details["fields"]) == ["parent_id"]
    assert (await house.get(f"{GROUPS}/group:a")).json["parent_id"] is None


@pytest.mark.parametrize(
    "parent", ["grp_00000000000000000000", "group:none", "sa:root", "night", "group:No", "usr_0"]
)
async def test_a_parent_that_is_no_group(house: House, parent: str) -> None:
    answer = await made(house, "night", parent_id=parent)
    assert (answer.status, answer.code) == (404, "identity_not_found")
    await group(house, "day")
    assert (await patch(house, "group:day", parent_id=parent)).code == "identity_not_found"


async def test_a_parent_in_another_tenant_is_none(house: House) -> None:
    near = await found_tenant(house, "near")
    there = await group(house, "above", tenant_id=near.id)
    assert (await made(house, "below", parent_id=there)).code == "identity_not_found"
    await group(house, "below")
    assert (await patch(house, "group:below", parent_id=there)).code == "identity_not_found"


# -- changing ----------------------------------------------------------------------------------


async def test_a_change(house: House) -> None:
    above = await group(house, "above")
    who = await group(house, "night")
    answer = await patch(house, who, display_name="Night", parent_id="group:above")
    assert (answer.json["display_name"], answer.json["parent_id"]) == ("Night", above)
    row = (await house.rows(action="identity_update"))[-1]["extra_data"]
    assert row == {
        "object_type": "group",
        "object_id": who,
        "changed": ["display_name", "parent_id"],
    }
    answer = await patch(house, "group:night", display_name="N")
    assert (answer.json["display_name"], answer.json["parent_id"]) == ("N", above)


@pytest.mark.parametrize(
    "body", [{"name": "other"}, {"display_name": None}, {"parent_id": 1}, {"members": []}]
)
async def test_what_a_patch_does_not_take(house: House, body: dict[str, Any]) -> None:
    await group(house, "night")
    assert (await patch(house, "group:night", **body)).status == 422


async def test_a_deleted_group_is_gone(house: House) -> None:
    above = await group(house, "above")
    await group(house, "top")
    await patch(house, above, parent_id="group:top")
    below = await group(house, "below", parent_id=above)
    token = await house.client("app", ["secrets:read"])
    await add(house, below, "sa:app")
    assert await whoami(house, token) == ["group:above", "group:below", "group:top"]
    assert (await house.call("DELETE", f"{GROUPS}/{above}")).status == 204
    assert await whoami(house, token) == ["group:below"]
    assert (await house.get(f"{GROUPS}/{below}")).json["parent_id"] is None
    for name in (above, "group:above"):
        for method, path, body in (
            ("GET", "", None),
            ("PATCH", "", {"display_name": "x"}),
            ("DELETE", "", None),
            ("GET", "/members", None),
            ("POST", "/members", {"identity_id": "sa:app"}),
            ("DELETE", "/members/sa:app", None),
        ):
            answer = await house.call(method, f"{GROUPS}/{name}{path}", body)
            assert (answer.status, answer.code) == (404, "identity_not_found"), (method, path)
    assert (await patch(house, below, parent_id=above)).code == "identity_not_found"
    assert (await patch(house, below, parent_id="group:above")).code == "identity_not_found"
    assert (await listed(house))["total"] == 2
    row = (await house.rows(action="identity_delete"))[0]["extra_data"]
    assert row == {"object_type": "group", "object_id": above}


async def test_other_rooms_hear_of_a_deletion(house: House) -> None:
    told: list[tuple[str, str]] = []
    house.vault.authentication.on_deleted = lambda _tx, tenant, who: told.append((tenant, who))
    near = await found_tenant(house, "near")
    await house.call("DELETE", f"{GROUPS}/{await group(house, 'night', tenant_id=near.id)}")
    await account(house, "app", ["secrets:read"])
    await house.call("DELETE", f"{ACCOUNTS}/sa:app")
    assert told == [(near.id, "group:night"), (house.made["tenant_id"], "sa:app")]


# -- listing -----------------------------------------------------------------------------------


async def listed(house: House, token: str = "", tenant: str = "", **query: Any) -> Any:
    where = f"/v1/identity/tenants/{tenant or house.made['tenant_id']}/groups"
    answer = await house.call("GET", where, token=token, query=query)
    return answer.json if answer.status == 200 else answer


async def test_the_list_is_by_name_in_pages(house: House) -> None:
    for name in ("c", "a", "d", "b", "e"):
        await group(house, name)
    page = await listed(house, page=2, page_size=2)
    assert [item["name"] for item in page["groups"]] == ["c", "d"]
    assert page["total"] == 5
    assert (await listed(house, page=4, page_size=2)) == {"groups": [], "total": 5}
    for query in ({"page": 0}, {"page_size": 201}, {"page_size": 0}, {"status": "ACTIVE"}):
        assert (await listed(house, **query)).status == 422


async def test_the_list_looks_into_both_names(house: House) -> None:
    await group(house, "night", display_name="Late People")
    await group(house, "day", display_name="Night is over")
    await group(house, "noon")
    for q, names in (
        ("NIGHT", ["day", "night"]),
        ("people", ["night"]),
        ("oo", ["noon"]),
        ("group", []),
        ("%", []),
        ("", ["day", "night", "noon"]),
    ):
        found = await listed(house, q=q)
        assert [item["name"] for item in found["groups"]] == names, q
        assert found["total"] == len(names)


# -- who may -----------------------------------------------------------------------------------


async def test_writes_take_scope_and_rank(house: House) -> None:
    who = await group(house, "night")
    await add(house, who, "user:mira@harbor.example")
    reader = await house.client("reader", ["identity:read"], ["super_admin"])
    nobody = await house.client("nobody", ["identity:admin"])
    for method, path, body in (
        ("POST", GROUPS, {"name": "x"}),
        ("PATCH", f"{GROUPS}/{who}", {"display_name": "x"}),
        ("DELETE", f"{GROUPS}/{who}", None),
        ("POST", f"{GROUPS}/{who}/members", {"identity_id": "sa:nobody"}),
        ("DELETE", f"{GROUPS}/{who}/members/user:mira@harbor.example", None),
    ):
        answer = await house.call(method, path, body, token=reader)
        assert (answer.code, answer.details) == (
            "insufficient_scope",
            {"required_scope": "identity:admin"},
        )
        answer = await house.call(method, path, body, token=nobody)
        assert (answer.code, answer.details) == ("forbidden", {"required_role": "tenant_admin"})
    seen = (await house.get(f"{GROUPS}/{who}", token=reader)).json
    assert (seen["display_name"], seen["member_count"]) == ("night", 1)
    assert (await house.get(f"{GROUPS}/{who}", token=nobody)).code == "insufficient_scope"
    assert (await listed(house))["total"] == 1


async def test_an_administrator_of_the_tenant_keeps_its_groups(house: House) -> None:
    token = await house.client("keeper", ["identity:admin", "identity:read"], ["tenant_admin"])
    who = (await made(house, "night", token)).json["id"]
    where = f"{GROUPS}/{who}"
    answer = await house.call("PATCH", where, {"display_name": "N"}, token=token)
    assert answer.status == 200
    sent = {"identity_id": "sa:keeper"}
    assert (await house.call("POST", f"{where}/members", sent, token=token)).status == 201
    assert (await house.call("DELETE", f"{where}/members/sa:keeper", token=token)).status == 204
    assert (await house.call("DELETE", where, token=token)).status == 204


async def test_groups_of_other_tenants_are_not_there(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    who = await group(house, "night", tenant_id=far.id)
    scopes = ["identity:admin", "identity:read"]
    for role in ("tenant_admin", "partner_admin"):
        token = await house.client(role.replace("_", "-"), scopes, [role])
        for method, path, body in (
            ("GET", who, None),
            ("PATCH", who, {"display_name": "x"}),
            ("DELETE", who, None),
            ("GET", f"{who}/members", None),
            ("POST", f"{who}/members", {"identity_id": "sa:root"}),
            ("DELETE", f"{who}/members/sa:root", None),
        ):
            answer = await house.call(method, f"{GROUPS}/{path}", body, token=token)
            assert (answer.status, answer.code) == (404, "identity_not_found"), (method, path)
        answer = await listed(house, token, far.id)
        assert (answer.status, answer.code) == (404, "tenant_not_found")
        answer = await made(house, "x", token, tenant_id=far.id)
        assert (answer.status, answer.code) == (403, "tenant_access_denied")
    assert (await listed(house, tenant=far.id))["total"] == 1


async def test_a_partner_admin_keeps_the_groups_of_his_tenants(house: House) -> None:
    near = await found_tenant(house, "near")
    token = await house.client("keeper", ["identity:admin"], ["partner_admin"])
    who = (await made(house, "night", token, tenant_id=near.id)).json["id"]
    answer = await house.call("PATCH", f"{GROUPS}/{who}", {"display_name": "N"}, token=token)
    assert answer.json["tenant_id"] == near.id
    row = (await house.rows(action="identity_update"))[-1]
    assert (row["tenant_id"], row["actor_tenant_id"]) == (near.id, house.made["tenant_id"])


async def test_a_replayed_group_is_the_same_one(house: House) -> None:
    key = {"idempotency-key": "k"}
    first = await house.call("POST", GROUPS, {"name": "night"}, headers=key)
    again = await house.call("POST", GROUPS, {"name": "night"}, headers=key)
    assert (again.status, again.json) == (201, first.json)
