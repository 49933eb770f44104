"""Who belongs to a group, and that it holds from the very next request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import HOUR, instant
from scaivault.gate.caller import Caller
from scaivault.gate.rules import Compiled, Rule
from scaivault.identity.names import canonical, type_of
from scaivault.identity.people.known import Known
from tests.support.house import Answer, House
from tests.support.tenants import account, found_partner, found_tenant

GROUPS = "/v1/identity/groups"
ACCOUNTS = "/v1/identity/service-accounts"


async def group(house: House, name: str, **body: Any) -> str:
    answer = await house.call("POST", GROUPS, {"name": name, **body})
    assert answer.status == 201, answer.body
    found: str = answer.json["id"]
    return found


async def add(house: House, who: str, member: str, token: str = "") -> Answer:
    where = f"{GROUPS}/{who}/members"
    return await house.call("POST", where, {"identity_id": member}, token=token)


async def drop(house: House, who: str, member: str, token: str = "") -> Answer:
    return await house.call("DELETE", f"{GROUPS}/{who}/members/{member}", token=token)


async def members(house: House, who: str, **query: Any) -> Any:
    return (await house.call("GET", f"{GROUPS}/{who}/members", query=query)).json


async def whoami(house: House, token: str) -> list[str]:
    groups: list[str] = (await house.get("/v1/auth/whoami", token=token)).json["groups"]
    return groups


# -- members -----------------------------------------------------------------------------------


async def test_a_service_account_becomes_a_member(house: House) -> None:
    who = await group(house, "night")
    app = await account(house, "app", ["secrets:read"])
    at = instant(house.clock.now())
    answer = await add(house, who, app)
    assert answer.status == 201
    assert answer.json == {
        "user_id": app,
        "email": None,
        "membership_type": "DIRECT",
        "added_at": at,
        "identity_id": "sa:app",
        "identity_type": "service_account",
    }
    assert await members(house, who) == {"members": [answer.json], "total": 1}
    assert (await house.get(f"{GROUPS}/{who}")).json["member_count"] == 1
    row = (await house.rows(action="identity_update"))[-1]["extra_data"]
    assert row == {
        "object_type": "group",
        "object_id": who,
        "changed": ["members"],
        "for": "sa:app",
    }


async def test_a_user_whom_only_an_outside_issuer_knows(house: House) -> None:
    who = await group(house, "night")
    answer = await add(house, who, " user:Mira@Harbor.Example")
    assert answer.json["identity_id"] == "user:mira@harbor.example"
    assert (answer.json["identity_type"], answer.json["email"]) == ("user", "mira@harbor.example")
    assert answer.json["user_id"] is None
    nameless = await add(house, who, "user:Auth0|7F")
    assert (nameless.json["identity_id"], nameless.json["email"]) == ("user:Auth0|7F", None)
    await add(house, who, "user:repo:harbor/shop")
    assert (await drop(house, who, "user:MIRA%40harbor.example")).status == 204
    assert (await drop(house, who, "user%3Arepo%3Aharbor%2Fshop")).status == 204
    assert (await drop(house, who, "user:Auth0%7C7F")).status == 204
    assert (await members(house, who))["total"] == 0


async def test_who_is_made_a_user_later_stays_a_member(house: House) -> None:
    night, day = await group(house, "night"), await group(house, "day")
    await add(house, night, "user:mira@harbor.example")
    body = {"email": "mira@harbor.example", "groups": ["group:day"]}
    made = (await house.call("POST", "/v1/identity/users", body)).json
    assert made["groups"] == [day, night]
    (member,) = (await members(house, night))["members"]
    assert (member["user_id"], member["identity_id"]) == (made["id"], made["identity_id"])


@pytest.mark.parametrize("form", ["sa:app", "record"])
async def test_a_member_goes_by_any_form_of_its_id(house: House, form: str) -> None:
    app = await account(house, "app", ["secrets:read"])
    await group(house, "night")
    await add(house, "group:night", "sa:app")
    assert (await drop(house, "group:night", app if form == "record" else form)).status == 204
    again = await drop(house, "group:night", "sa:app")
    assert (again.status, again.code) == (404, "identity_not_found")


async def test_nobody_is_a_member_twice(house: House) -> None:
    who = await group(house, "night")
    app = await account(house, "app", ["secrets:read"])
    await add(house, who, app)
    answer = await add(house, who, "sa:app")
    assert (answer.status, answer.code) == (409, "already_exists")
    assert answer.details == {"field": "identity_id"}


@pytest.mark.parametrize(
    "member", ["sa:none", "sa_00000000000000000000", "usr_00000000000000000000", "app", "user:",
               "user:a b", "team:x", "sa:App"],
)  # fmt: skip
async def test_somebody_who_is_not_there(house: House, member: str) -> None:
    await group(house, "night")
    answer = await add(house, "group:night", member)
    assert (answer.status, answer.code) == (404, "identity_not_found")


@pytest.mark.parametrize("member", ["group:day", "system:dynamic-engines", "dynamic:db"])
async def test_only_people_and_service_accounts_are_members(house: House, member: str) -> None:
    await group(house, "night")
    await group(house, "day")
    answer = await add(house, "group:night", member)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == ["identity_id"]


async def test_accounts_of_other_tenants_are_not_there(house: House) -> None:
    near = await found_tenant(house, "near")
    there = await account(house, "app", ["secrets:read"], tenant_id=near.id)
    who = await group(house, "night")
    for member in (there, "sa:app"):
        assert (await add(house, who, member)).code == "identity_not_found"
    away = await group(house, "night", tenant_id=near.id)
    assert (await add(house, away, "sa:app")).json["user_id"] == there
    assert (await add(house, away, "sa:root")).code == "identity_not_found"


async def test_members_of_groups_below_are_inherited(house: House) -> None:
    await group(house, "top")
    await group(house, "mid", parent_id="group:top")
    await group(house, "low", parent_id="group:mid")
    first = instant(house.clock.now())
    await add(house, "group:low", "user:a@x.example")
    await add(house, "group:mid", "user:b@x.example")
    house.clock.advance(HOUR)
    later = instant(house.clock.now())
    await add(house, "group:top", "user:a@x.example")
    await add(house, "group:top", "user:c@x.example")
    page = await members(house, "group:top")
    assert [(one["email"], one["membership_type"], one["added_at"]) for one in page["members"]] == [
        ("a@x.example", "DIRECT", later),
        ("b@x.example", "INHERITED", first),
        ("c@x.example", "DIRECT", later),
    ]
    assert page["total"] == 3
    second = await members(house, "group:top", page=2, page_size=2)
    assert second == {"members": page["members"][2:], "total": 3}
    assert (await house.get(f"{GROUPS}/group:top")).json["member_count"] == 2
    answer = await drop(house, "group:top", "user:b@x.example")
    assert (answer.status, answer.code) == (404, "identity_not_found")
    await drop(house, "group:top", "user:a@x.example")
    page = await members(house, "group:top")
    assert [one["membership_type"] for one in page["members"]] == [
        "INHERITED",
        "INHERITED",
        "DIRECT",
    ]
    assert page["members"][0]["added_at"] == first


async def test_nobody_moves_who_ranks_above(house: House) -> None:
    who = await group(house, "night")
    token = await house.client("keeper", ["identity:admin"], ["tenant_admin"])
    answer = await add(house, who, "sa:root", token)
    assert (answer.code, answer.details) == ("forbidden", {"required_role": "super_admin"})
    assert (await add(house, who, "sa:root")).status == 201
    assert (await drop(house, who, "sa:root", token)).code == "forbidden"
    assert (await members(house, who))["total"] == 1


# -- what it gives -----------------------------------------------------------------------------


async def test_every_change_holds_for_the_next_request(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    await group(house, "top")
    await group(house, "mid", parent_id="group:top")
    await group(house, "low")
    assert await whoami(house, token) == []
    await add(house, "group:low", "sa:app")
    assert await whoami(house, token) == ["group:low"]
    await house.call("PATCH", f"{GROUPS}/group:low", {"parent_id": "group:mid"})
    assert await whoami(house, token) == ["group:low", "group:mid", "group:top"]
    await house.call("PATCH", f"{GROUPS}/group:mid", {"parent_id": None})
    assert await whoami(house, token) == ["group:low", "group:mid"]
    await drop(house, "group:low", "sa:app")
    assert await whoami(house, token) == []
    await house.call("PATCH", f"{ACCOUNTS}/sa:app", {"groups": ["group:mid"]})
    assert await whoami(house, token) == ["group:mid"]
    await house.call("DELETE", f"{GROUPS}/group:mid")
    assert await whoami(house, token) == []


async def test_rules_see_the_groups_of_a_caller(house: House) -> None:
    """What is bound to a group holds at the next request, and no longer than the membership."""

    def rules_of(caller: Caller) -> Compiled:
        principal = caller.principal
        if principal is None or "group:readers" not in principal.groups:
            return Compiled(())
        return Compiled((Rule("pol_test", 0, 0, "app/**", frozenset(("read",))),))

    house.vault.gate.rules_of = rules_of
    await house.put("app/db", {"n": 1})
    token = await house.client("app", ["secrets:read"])
    await group(house, "readers")
    await group(house, "night", parent_id="group:readers")
    assert (await house.read("app/db", token=token)).code == "access_denied"
    await add(house, "group:night", "sa:app")
    assert (await house.read("app/db", token=token)).status == 200
    await drop(house, "group:night", "sa:app")
    assert (await house.read("app/db", token=token)).code == "access_denied"


async def test_groups_of_a_personal_token(house: House) -> None:
    await group(house, "night")
    await add(house, "group:night", "sa:root")
    assert await whoami(house, "") == ["group:night"]


async def test_the_same_name_in_another_tenant_is_somebody_else(house: House) -> None:
    near = await found_tenant(house, "near", (await found_partner(house, "away")).id)
    token = await house.client("app", ["secrets:read"])
    away = await house.client("app", ["secrets:read"], tenant=near.id)
    await group(house, "night")
    await add(house, "group:night", "sa:app")
    assert (await whoami(house, token), await whoami(house, away)) == (["group:night"], [])


async def test_a_membership_survives_a_restart(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    await group(house, "night")
    await add(house, "group:night", "sa:app")
    await house.restart()
    await house.unseal()
    assert await whoami(house, token) == ["group:night"]


# -- groups of service accounts ----------------------------------------------------------------


async def test_an_account_is_made_into_groups(house: House) -> None:
    day, night = await group(house, "day"), await group(house, "night")
    body = {"name": "app", "scopes": ["secrets:read"], "groups": [night, "group:day", night]}
    made = await house.call("POST", ACCOUNTS, body)
    assert (made.status, made.json["groups"]) == (201, [day, night])
    assert (await house.get(f"{ACCOUNTS}/sa:app")).json["groups"] == [day, night]
    where = f"/v1/identity/tenants/{house.made['tenant_id']}/service-accounts"
    page = (await house.get(f"{where}?q=app")).json
    assert page["service_accounts"][0]["groups"] == [day, night]


async def test_groups_of_an_account_are_set_as_a_whole(house: House) -> None:
    day, night = await group(house, "day"), await group(house, "night")
    await group(house, "inner", parent_id=night)
    app = await account(house, "app", ["secrets:read"], groups=[day])
    at = (await members(house, day))["members"][0]["added_at"]
    house.clock.advance(HOUR)
    where = f"{ACCOUNTS}/{app}"
    answer = await house.call("PATCH", where, {"groups": [day, "group:inner"]})
    assert len(answer.json["groups"]) == 2
    assert (await members(house, day))["members"][0]["added_at"] == at
    row = (await house.rows(action="identity_update"))[-1]["extra_data"]
    assert row["changed"] == ["groups"]
    assert (await house.call("PATCH", where, {"display_name": "x"})).json["groups"] != []
    for empty in (list[str](), None):
        await house.call("PATCH", where, {"groups": [night]})
        assert (await house.call("PATCH", where, {"groups": empty})).json["groups"] == []
    assert (await members(house, night))["total"] == 0


async def test_an_account_with_a_group_that_is_not_there_is_not_made(house: House) -> None:
    near = await found_tenant(house, "near")
    there = await group(house, "there", tenant_id=near.id)
    gone = await group(house, "gone")
    await house.call("DELETE", f"{GROUPS}/{gone}")
    for name in (there, gone, "group:gone", "group:none", "sa:root", "x"):
        body = {"name": "app", "scopes": ["secrets:read"], "groups": [name]}
        answer = await house.call("POST", ACCOUNTS, body)
        assert (answer.status, answer.code) == (404, "identity_not_found"), name
    assert (await house.get(f"{ACCOUNTS}/sa:app")).status == 404
    await account(house, "app", ["secrets:read"])
    sent = {"groups": [gone], "display_name": "x"}
    assert (await house.call("PATCH", f"{ACCOUNTS}/sa:app", sent)).code == "identity_not_found"
    assert (await house.get(f"{ACCOUNTS}/sa:app")).json["display_name"] == "app"
    assert (await house.call("PATCH", f"{ACCOUNTS}/sa:app", {"groups": [""] * 101})).status == 422


async def test_a_deleted_account_leaves_its_groups(house: House) -> None:
    who = await group(house, "night")
    app = await account(house, "app", ["secrets:read"], groups=[who])
    await house.call("DELETE", f"{ACCOUNTS}/{app}")
    assert await members(house, who) == {"members": [], "total": 0}
    for name in (app, "sa:app"):
        assert (await add(house, who, name)).code == "identity_not_found"


async def test_a_suspended_account_stays_a_member(house: House) -> None:
    who = await group(house, "night")
    await account(house, "app", ["secrets:read"], groups=[who])
    await house.call("PATCH", f"{ACCOUNTS}/sa:app", {"status": "SUSPENDED"})
    assert (await members(house, who))["total"] == 1


# -- what other rooms ask ----------------------------------------------------------------------


async def test_look_ups_for_other_rooms(house: House) -> None:
    tenant = house.made["tenant_id"]
    top = await group(house, "top")
    await group(house, "low", parent_id=top)
    app = await account(house, "app", ["secrets:read"], groups=["group:low"])
    await add(house, "group:top", "user:mira@harbor.example")
    gone = await account(house, "gone", ["secrets:read"])
    await house.call("DELETE", f"{ACCOUNTS}/{gone}")
    ask = house.vault.gate.ask

    async def find(reference: str, where: str = tenant) -> tuple[str, str] | None:
        return await ask(lambda db: Known.find(db, where, reference))

    assert await find(app) == ("service_account", "sa:app")
    assert await find(top) == ("group", "group:top")
    assert await find("sa:unknown") == ("service_account", "sa:unknown")
    assert await find("user:Mira@Harbor.example") == ("user", "user:mira@harbor.example")
    assert await find("dynamic:db") == ("system", "dynamic:db")
    for reference in (gone, "sa:gone", "usr_x", "sa_x", "grp_x", "x", "", "group:", "team:a"):
        assert await find(reference) is None, reference
    assert await find(app, "tnt_other") is None
    assert await find(top, "tnt_other") is None
    effective = await ask(lambda db: Known.effective(db, tenant, "sa:app"))
    assert effective == ("group:low", "group:top")
    assert await ask(lambda db: Known.effective(db, tenant, "group:low")) == ("group:top",)
    assert await ask(lambda db: Known.effective(db, tenant, "user:x")) == ()
    assert await ask(lambda db: Known.members(db, tenant, "group:top")) == [
        ("service_account", "sa:app"),
        ("user", "user:mira@harbor.example"),
    ]
    assert await ask(lambda db: Known.members(db, tenant, "group:none")) == []
    assert await ask(lambda db: Known.members(db, "tnt_other", "group:top")) == []


@given(st.text(max_size=40) | st.from_regex(r"(user|sa|group|system|dynamic):.{0,40}"))
def test_a_canonical_id_is_canonical(text: str) -> None:
    found = canonical(text)
    if found is not None:
        assert canonical(found[1]) == found
        assert type_of(found[1]) == found[0]
        assert found[1].isprintable()
