"""Users: made, changed, suspended, deleted; their names, and who sees and keeps them."""

from __future__ import annotations

import asyncio
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import MINUTE, instant
from scaivault.errors import Refusal
from scaivault.identity import names
from scaivault.identity.store import mfa as mfa_store
from scaivault.identity.store import users as users_store
from scaivault.storage.file import Connection
from tests.support.house import Answer, House
from tests.support.tenants import account, found_partner, found_tenant
from tests.support.users import USERS, outside, personal, user, whoami

MIRA = "mira@harbor.example"
GROUPS = "/v1/identity/groups"
TRUST = {
    "name": "builds",
    "issuer": "https://ci.harbor.example",
    "subject": "build:*",
    "max_scopes": ["secrets:read"],
}


async def admin(house: House, role: str | None, tenant: str | None = None) -> str:
    scopes = ["identity:read", "identity:admin", "secrets:read"]
    return await house.client(
        f"admin-{role or 'none'}".replace("_", "-"), scopes, [role] if role else None, tenant
    )


async def made(house: House, email: str = MIRA, token: str = "", **more: Any) -> Answer:
    return await house.call("POST", USERS, {"email": email, **more}, token=token)


async def patch(house: House, who: str, token: str = "", **body: Any) -> Answer:
    return await house.call("PATCH", f"{USERS}/{who}", body, token=token)


async def set_roles(house: House, who: str, *roles: str) -> None:
    answer = await house.call("PUT", f"{USERS}/{who}/roles", {"roles": roles})
    assert answer.status == 200, answer.body


# -- making ------------------------------------------------------------------------------------


async def test_a_new_user(house: House) -> None:
    group = await house.call("POST", GROUPS, {"name": "night"})
    answer = await made(house, display_name="Mira Quist", groups=["group:night"])
    assert answer.status == 201
    body = answer.json
    assert body.pop("id").startswith("usr_")
    assert body == {
        "identity_id": f"user:{MIRA}",
        "tenant_id": house.made["tenant_id"],
        "email": MIRA,
        "display_name": "Mira Quist",
        "status": "ACTIVE",
        "mfa_enabled": False,
        "groups": [group.json["id"]],
        "roles": [],
        "issuer": "local",
        "last_seen_at": None,
        "last_synced_at": None,
    }
    row = (await house.rows(action="identity_create"))[-1]["extra_data"]
    assert row == {"object_type": "user", "object_id": answer.json["id"]}


async def test_a_user_without_a_name_shown_shows_his_address(house: House) -> None:
    assert (await made(house)).json["display_name"] == MIRA
    long = "m" * 200 + "@harbor.example"
    assert (await made(house, long)).json["display_name"] == long[:128]


@pytest.mark.parametrize("form", [" Mira@Harbor.EXAMPLE", "MIRA@HARBOR.EXAMPLE ", f"\t{MIRA}\n"])
async def test_an_address_is_one_in_whatever_case(house: House, form: str) -> None:
    assert (await made(house, form)).json["email"] == MIRA
    again = await made(house)
    assert (again.status, again.code, again.details) == (409, "already_exists", {"field": "email"})


@pytest.mark.parametrize(
    "email",
    ["mira", "@harbor.example", "mira@", " ", "@", "mi ra@harbor.example",
     "mira@harbor\x00.example", "mira@harbor.example\u200b",
     "mira\u00a0@harbor.example", "mira@harbor\n.example",
     "\u212aim@harbor.example", "\uff4dira@harbor.example", "\ufb01@harbor.example",
     "mi\u017fa@harbor.example", "mira@harbor\uff0eexample", "u\u0308ber@harbor.example",
     "m" * 310 + "@harbor.example", "m" * 401],
)  # fmt: skip
async def test_addresses_that_are_none(house: House, email: str) -> None:
    answer = await made(house, email)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) in (["email"], ["body.email"])


@given(st.text(min_size=1, max_size=40).map(lambda text: text + "@harbor.example"))
def test_no_two_spellings_of_an_address_are_two_users(text: str) -> None:
    try:
        identity, email = names.made_user(text)
    except Refusal:
        return
    assert identity == f"user:{email}"
    assert names.canonical(identity) == ("user", identity)
    assert names.made_user(f"  {email} ")[0] == identity
    assert email == email.lower() == unicodedata.normalize("NFKC", email)
    assert email.isprintable()
    assert " " not in email


@pytest.mark.parametrize(
    "body",
    [{}, {"email": None}, {"email": 1}, {"email": MIRA, "name": "x"},
     {"email": MIRA, "display_name": " x"}, {"email": MIRA, "display_name": "a\u202eb"},
     {"email": MIRA, "roles": ["super_admin"]}, {"email": MIRA, "issuer": "corp"},
     {"email": MIRA, "groups": "night"}, {"email": MIRA, "groups": ["group:x"] * 101}],
)  # fmt: skip
async def test_bodies_that_make_no_user(house: House, body: dict[str, Any]) -> None:
    answer = await house.call("POST", USERS, body)
    assert (answer.status, answer.code) == (422, "validation_error")


async def test_all_faults_of_a_user_at_once(house: House) -> None:
    answer = await made(house, "nobody", display_name="a\u202eb")
    assert (answer.status, set(answer.details["fields"])) == (422, {"email", "display_name"})


@pytest.mark.parametrize(
    ("role", "code"),
    [("tenant_admin", "tenant_access_denied"), ("partner_admin", "tenant_not_found")],
)
async def test_a_tenant_that_is_none_is_told_in_short(house: House, role: str, code: str) -> None:
    wanted = "tnt_" + "x" * 5000
    answer = await made(house, token=await admin(house, role), tenant_id=wanted)
    assert (answer.code, answer.details) == (code, {"tenant_id": wanted[:64]})


async def test_a_user_with_a_group_that_is_not_there_is_not_made(house: House) -> None:
    assert (await made(house, groups=["group:none"])).code == "identity_not_found"
    assert (await house.get(f"{USERS}/user:{MIRA}")).status == 404


async def test_an_address_is_taken_for_ever(house: House) -> None:
    who = await user(house, MIRA)
    assert (await house.call("DELETE", f"{USERS}/{who}")).status == 204
    assert (await made(house)).code == "already_exists"
    await outside(house, "user", "ola@harbor.example")
    assert (await made(house, "ola@harbor.example")).code == "already_exists"


async def test_of_many_at_once_one_is_made(house: House) -> None:
    spellings = (MIRA, MIRA.upper(), f" {MIRA}", MIRA.title())
    answers = await asyncio.gather(*(made(house, email) for email in spellings))
    assert sorted(answer.status for answer in answers) == [201, 409, 409, 409]


async def test_one_address_in_two_tenants_is_two_users(house: House) -> None:
    near = await found_tenant(house, "near")
    here, there = await user(house, MIRA), await user(house, MIRA, tenant_id=near.id)
    assert here != there
    await house.call("DELETE", f"{USERS}/{there}")
    assert (await house.get(f"{USERS}/user:{MIRA}")).json["id"] == here
    headers = {"x-tenant-id": near.id}
    assert (await house.get(f"{USERS}/user:{MIRA}", headers=headers)).status == 404


@pytest.mark.parametrize("form", ["{id}", f"user:{MIRA}", "user:MIRA@harbor.example"])
async def test_a_user_goes_by_any_form_of_his_id(house: House, form: str) -> None:
    who = await user(house, MIRA)
    name = form.format(id=who)
    answer = await house.get(f"{USERS}/{name}")
    assert answer.json["id"] == who
    resolved = await house.get(f"/v1/identity/resolve/user/{name}")
    assert resolved.json["identity_id"] == f"user:{MIRA}"
    row = (await house.rows(action="identity_read"))[-1]
    assert row["extra_data"] == {"object_type": "user", "object_id": who}


@pytest.mark.parametrize(
    "name", ["usr_00000000000000000000", MIRA, "sa:root", "group:night", "user:", "user:none@x.y"]
)
async def test_somebody_who_is_not_there(house: House, name: str) -> None:
    await user(house, MIRA)
    await house.call("POST", GROUPS, {"name": "night"})
    for method, path, body in (
        ("GET", f"{USERS}/{name}", None),
        ("PATCH", f"{USERS}/{name}", {"status": "SUSPENDED"}),
        ("DELETE", f"{USERS}/{name}", None),
        ("GET", f"{USERS}/{name}/roles", None),
        ("PUT", f"{USERS}/{name}/roles", {"roles": []}),
        ("POST", f"/v1/identity/user/{name}/revoke-access", {}),
    ):
        answer = await house.call(method, path, body)
        assert (answer.status, answer.code) == (404, "identity_not_found"), method


async def test_a_service_account_is_no_user(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    assert (await house.get(f"{USERS}/{who}")).code == "identity_not_found"
    mira = await user(house, MIRA)
    where = f"/v1/identity/service-accounts/{mira}"
    assert (await house.get(where)).code == "identity_not_found"
    assert (await house.call("POST", f"{where}/credentials", {})).code == "identity_not_found"


# -- changing ----------------------------------------------------------------------------------


async def test_a_change(house: House) -> None:
    who = await user(house, MIRA)
    group = (await house.call("POST", GROUPS, {"name": "night"})).json["id"]
    answer = await patch(house, who, display_name="Mira Q", groups=["group:night"])
    assert (answer.json["display_name"], answer.json["groups"]) == ("Mira Q", [group])
    row = (await house.rows(action="identity_update"))[-1]["extra_data"]
    assert row == {
        "object_type": "user", "object_id": who, "changed": ["display_name", "groups"],
    }  # fmt: skip
    assert (await patch(house, who, groups=None)).json["groups"] == []
    assert (await patch(house, who)).json["display_name"] == "Mira Q"


@pytest.mark.parametrize(
    "body",
    [{"email": "other@harbor.example"}, {"display_name": None}, {"display_name": ""},
     {"status": "DELETED"}, {"status": None}, {"roles": ["tenant_admin"]}, {"mfa_enabled": True},
     {"issuer": "corp"}, {"groups": 1}],
)  # fmt: skip
async def test_what_a_patch_does_not_take(house: House, body: dict[str, Any]) -> None:
    who = await user(house, MIRA)
    assert (await patch(house, who, **body)).status == 422


async def test_a_suspension_ends_tokens_at_once_and_for_good(house: House) -> None:
    who = await user(house, MIRA)
    token = await personal(house, who, ["secrets:read"])
    assert await whoami(house, token) == "ok"
    assert (await patch(house, who, status="SUSPENDED")).json["status"] == "SUSPENDED"
    assert await whoami(house, token) == "token_revoked"
    assert (await patch(house, who, status="ACTIVE")).json["status"] == "ACTIVE"
    assert await whoami(house, token) == "token_revoked"
    house.clock.advance(1)
    assert await whoami(house, await personal(house, who, ["secrets:read"])) == "ok"


async def test_a_deletion_takes_everything_along(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "night"})
    who = await user(house, MIRA, groups=["group:night"])
    await set_roles(house, who, "tenant_admin")
    token = await personal(house, who, ["secrets:read"])
    rules = [{"path_pattern": "app/**", "permissions": ["read"]}]
    policy = (await house.call("POST", "/v1/policies", {"name": "p", "rules": rules})).json["id"]
    bind = {"identity_type": "user", "identity_id": who}
    where = f"/v1/policies/{policy}/bindings"
    bound = await house.call("POST", where, bind)
    assert (bound.status, bound.json["identity_id"]) == (201, f"user:{MIRA}")
    gone = await house.call("DELETE", f"{USERS}/{who}")
    assert gone.status == 204
    rows = await house.rows(request_id=gone.headers["x-request-id"])
    assert [row["action"] for row in rows] == ["identity_delete", "policy_unbind"]
    assert await whoami(house, token) == "token_revoked"
    assert (await house.get(where)).json["bindings"] == []
    assert (await house.get(f"{GROUPS}/group:night/members")).json["total"] == 0
    for name in (who, f"user:{MIRA}"):
        assert (await house.get(f"{USERS}/{name}")).status == 404
        assert (await house.get(f"/v1/identity/resolve/user/{name}")).status == 404
        again = await house.call("POST", where, {**bind, "identity_id": name})
        assert again.code == "identity_not_found"
        member = await house.call("POST", f"{GROUPS}/group:night/members", {"identity_id": name})
        assert member.code == "identity_not_found"
    listed = await house.get(f"/v1/identity/tenants/{house.made['tenant_id']}/users?status=DELETED")
    (shown,) = listed.json["users"]
    assert (shown["id"], shown["roles"], shown["groups"]) == (who, [], [])


async def test_the_second_factor_goes_with_a_user(house: House) -> None:
    who = await user(house, MIRA)
    token = await personal(house, who, ["secrets:read"])
    assert (await house.call("POST", "/v1/auth/mfa/totp", token=token)).status == 201

    def factors(db: Connection) -> int:
        found = users_store.user_by_id(db, who)
        assert found is not None
        return len(mfa_store.factors(db, found))

    assert await house.vault.gate.ask(factors) == 1
    await house.call("DELETE", f"{USERS}/{who}")
    assert await house.vault.gate.ask(factors) == 0


async def test_when_a_user_was_last_seen(house: House) -> None:
    who = await user(house, MIRA)
    token = await personal(house, who, ["secrets:read"])
    assert await whoami(house, token) == "ok"
    await house.vault.flush()
    seen = (await house.get(f"{USERS}/{who}")).json["last_seen_at"]
    assert seen == instant(house.clock.now() // MINUTE * MINUTE)


async def test_a_suspended_user_keeps_what_is_bound_to_him(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "night"})
    who = await user(house, MIRA, groups=["group:night"])
    await set_roles(house, who, "tenant_admin")
    await patch(house, who, status="SUSPENDED")
    shown = (await house.get(f"/v1/identity/resolve/user/{who}")).json
    assert shown["status"] == "SUSPENDED"
    assert (shown["groups"], shown["roles"]) == (["group:night"], ["tenant_admin"])


# -- who may -----------------------------------------------------------------------------------


async def test_writes_take_scope_and_role(house: House) -> None:
    who = await user(house, MIRA)
    scope = await house.client("reader", ["identity:read"], ["super_admin"])
    role = await admin(house, None)
    for method, path, body in (
        ("POST", USERS, {"bad": 1}),
        ("PATCH", f"{USERS}/{who}", {"status": "SUSPENDED"}),
        ("DELETE", f"{USERS}/{who}", None),
        ("POST", f"/v1/identity/user/{who}/revoke-access", {"bad": 1}),
    ):
        answer = await house.call(method, path, body, token=scope)
        assert answer.details == {"required_scope": "identity:admin"}
        answer = await house.call(method, path, body, token=role)
        assert (answer.code, answer.details) == ("forbidden", {"required_role": "tenant_admin"})
    assert (await house.get(f"{USERS}/{who}", token=role)).json["status"] == "ACTIVE"


async def test_nobody_touches_who_ranks_above(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "night"})
    who = await user(house, MIRA)
    await set_roles(house, who, "partner_admin")
    token = await admin(house, "tenant_admin")
    for method, path, body in (
        ("PATCH", f"{USERS}/{who}", {"display_name": "x"}),
        ("DELETE", f"{USERS}/{who}", None),
        ("POST", f"/v1/identity/user/{who}/revoke-access", {}),
        ("POST", f"{GROUPS}/group:night/members", {"identity_id": who}),
    ):
        answer = await house.call(method, path, body, token=token)
        assert (answer.status, answer.code) == (403, "forbidden"), path
        assert answer.details == {"required_role": "partner_admin"}
        row = (await house.rows(request_id=answer.headers["x-request-id"]))[0]
        assert (row["success"], row["tenant_id"]) == (False, house.made["tenant_id"])
    await set_roles(house, who, "tenant_admin")
    assert (await patch(house, who, token, display_name="x")).status == 200


async def test_users_of_other_tenants_are_not_there(house: House) -> None:
    partner = await found_partner(house, "away")
    far = await found_tenant(house, "far", partner.id)
    near = await found_tenant(house, "near")
    there, beside = [await user(house, MIRA, tenant_id=place.id) for place in (far, near)]
    token = await admin(house, "partner_admin")
    for method, path, body in (
        ("GET", f"{USERS}/{there}", None),
        ("PATCH", f"{USERS}/{there}", {"status": "SUSPENDED"}),
        ("GET", f"{USERS}/{there}/roles", None),
        ("PUT", f"{USERS}/{there}/roles", {"roles": []}),
        ("POST", f"/v1/identity/user/{there}/revoke-access", {}),
        ("GET", f"/v1/identity/resolve/user/{there}", None),
        ("DELETE", f"{USERS}/{there}", None),
    ):
        answer = await house.call(method, path, body, token=token)
        assert (answer.status, answer.code) == (404, "identity_not_found"), path
        other = await house.call(method, path.replace(there, beside), body, token=token)
        assert other.status in (200, 204), path
    refused = await made(house, "new@x.example", token, tenant_id=far.id)
    assert (refused.status, refused.code) == (403, "tenant_access_denied")
    local = await admin(house, "tenant_admin")
    refused = await made(house, "new@x.example", local, tenant_id=near.id)
    assert (refused.status, refused.code) == (403, "tenant_access_denied")


async def test_the_ledger_names_the_tenant_acted_upon(house: House) -> None:
    near = await found_tenant(house, "near")
    token = await admin(house, "partner_admin")
    answer = await made(house, token=token, tenant_id=near.id)
    await patch(house, answer.json["id"], token, display_name="x")
    for action in ("identity_create", "identity_update"):
        row = (await house.rows(action=action))[-1]
        assert (row["tenant_id"], row["actor_tenant_id"]) == (near.id, house.made["tenant_id"])


async def test_a_replayed_user_is_the_same_one(house: House) -> None:
    first, again = [
        await house.call("POST", USERS, {"email": MIRA}, headers={"idempotency-key": "k"})
        for _ in range(2)
    ]
    assert again.json == first.json
    assert again.headers["idempotency-replayed"] == "true"


# -- lists -------------------------------------------------------------------------------------


async def test_lists_by_address_status_and_page(house: House) -> None:
    where = f"/v1/identity/tenants/{house.made['tenant_id']}/users"
    for email, shown in (
        ("c@harbor.example", "Édith Ñandú"),
        ("a@harbor.example", "Straße"),
        ("b@quay.example", "B%"),
    ):
        await user(house, email, display_name=shown)
    await patch(house, "user:b@quay.example", status="SUSPENDED")
    gone = await user(house, "d@harbor.example")
    await house.call("DELETE", f"{USERS}/{gone}")

    async def found(**query: object) -> str:
        answer = await house.call("GET", where, query=query)
        assert answer.json["total"] == len(answer.json["users"]) or "page_size" in query
        return "".join(item["email"][0] for item in answer.json["users"])

    assert await found() == "abc"
    assert await found(status="ACTIVE") == "ac"
    assert await found(status="SUSPENDED") == "b"
    assert await found(status="DELETED") == "d"
    assert await found(q="HARBOR") == "ac"
    assert await found(q="éDITH ñ") == "c"
    assert await found(q="STRASSE") == "a"
    assert await found(q="%") == "b"
    assert await found(q="user:") == ""
    assert await found(q="quay", status="ACTIVE") == ""
    assert await found(page=2, page_size=2) == "c"
    assert await found(page=9, page_size=2) == ""
    assert (await house.get(where + "?page_size=2")).json["total"] == 3
    for query in ("?page=0", "?page_size=201", "?status=GONE", "?cursor=x", "?q=" + "x" * 401):
        assert (await house.get(where + query)).status == 422


async def test_lists_of_tenants_out_of_sight(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    near = await found_tenant(house, "near")
    partner, tenant = await admin(house, "partner_admin"), await admin(house, "tenant_admin")
    for token, place, status in (
        (partner, far.id, 404), (partner, "tnt_00000000000000000000", 404), (partner, near.id, 200),
        (tenant, near.id, 404), (tenant, house.made["tenant_id"], 200), ("", far.id, 200),
    ):  # fmt: skip
        answer = await house.get(f"/v1/identity/tenants/{place}/users", token=token)
        assert answer.status == status, place
        assert status == 200 or answer.code == "tenant_not_found"


async def test_resolving_a_user(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "top"})
    await house.call("POST", GROUPS, {"name": "night", "parent_id": "group:top"})
    who = await user(house, MIRA, display_name="Mira", groups=["group:night"])
    await set_roles(house, who, "tenant_admin")
    assert (await house.get(f"/v1/identity/resolve/user/{who}")).json == {
        "id": who,
        "type": "user",
        "identity_id": f"user:{MIRA}",
        "display_name": "Mira",
        "tenant_id": house.made["tenant_id"],
        "partner_id": house.made["partner_id"],
        "status": "ACTIVE",
        "groups": ["group:night", "group:top"],
        "roles": ["tenant_admin"],
        "issuer": "local",
    }


# -- groups ------------------------------------------------------------------------------------


async def test_a_user_as_a_member(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "top"})
    await house.call("POST", GROUPS, {"name": "night", "parent_id": "group:top"})
    who = await user(house, MIRA)
    where = f"{GROUPS}/group:night/members"
    added = await house.call("POST", where, {"identity_id": who})
    assert added.status == 201
    shown = {
        "user_id": who,
        "email": MIRA,
        "membership_type": "DIRECT",
        "added_at": added.json["added_at"],
        "identity_id": f"user:{MIRA}",
        "identity_type": "user",
    }
    assert added.json == shown
    assert (await house.get(where)).json == {"members": [shown], "total": 1}
    above = (await house.get(f"{GROUPS}/group:top/members")).json["members"]
    assert above == [{**shown, "membership_type": "INHERITED"}]
    assert (await house.call("DELETE", f"{where}/{who}")).status == 204
    assert (await house.get(where)).json["total"] == 0


async def test_a_membership_counts_from_the_next_request(house: House) -> None:
    await house.call("POST", GROUPS, {"name": "night"})
    who = await user(house, MIRA)
    token = await personal(house, who, ["secrets:read"])

    async def groups() -> list[str]:
        found: list[str] = (await house.get("/v1/auth/whoami", token=token)).json["groups"]
        return found

    assert await groups() == []
    await patch(house, who, groups=["group:night"])
    assert await groups() == ["group:night"]
    await patch(house, who, groups=[])
    assert await groups() == []


# -- what an outside issuer keeps --------------------------------------------------------------


async def test_what_an_outside_issuer_keeps_is_not_changed_here(house: House) -> None:
    who = await outside(house, "user", MIRA)
    app = await outside(house, "service_account", "app")
    crew = await outside(house, "group", "crew")
    mine = await user(house, "ola@harbor.example")
    accounts = "/v1/identity/service-accounts"
    for method, path, body in (
        ("PATCH", f"{USERS}/{who}", {"display_name": "x"}),
        ("PATCH", f"{USERS}/{who}", {"status": "SUSPENDED"}),
        ("DELETE", f"{USERS}/{who}", None),
        ("PATCH", f"{accounts}/{app}", {"scopes": ["secrets:read"]}),
        ("DELETE", f"{accounts}/{app}", None),
        ("POST", f"{accounts}/{app}/credentials", {}),
        ("DELETE", f"{accounts}/{app}/credentials/cred_0", None),
        ("POST", "/v1/identity/trusts", {**TRUST, "identity": "sa:app"}),
        ("PATCH", f"{GROUPS}/{crew}", {"display_name": "x"}),
        ("PATCH", f"{GROUPS}/{crew}", {"parent_id": None}),
        ("DELETE", f"{GROUPS}/{crew}", None),
        ("POST", f"{GROUPS}/{crew}/members", {"identity_id": mine}),
        ("DELETE", f"{GROUPS}/{crew}/members/{mine}", None),
        ("PATCH", f"{USERS}/{mine}", {"groups": [crew]}),
    ):
        answer = await house.call(method, path, body)
        assert (answer.status, answer.code) == (403, "forbidden"), path
        assert answer.details == {"reason": "externally_managed"}
    assert (await made(house, "new@harbor.example", groups=[crew])).status == 403
    assert (await house.get(f"{GROUPS}/{crew}")).json["issuer"] == "corp"


async def test_what_of_an_outside_issuers_people_is_ours(house: House) -> None:
    who = await outside(house, "user", MIRA)
    await house.call("POST", GROUPS, {"name": "night"})
    shown = (await house.get(f"{USERS}/{who}")).json
    assert shown["issuer"] == "corp"
    assert shown["last_synced_at"] is not None
    await set_roles(house, who, "tenant_admin")
    answer = await house.call("POST", f"/v1/identity/user/{who}/revoke-access", {})
    assert answer.status == 200
    member = await house.call("POST", f"{GROUPS}/group:night/members", {"identity_id": who})
    assert member.status == 201
