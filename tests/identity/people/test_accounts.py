"""Service accounts, their client secrets and their roles; who may change whom."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import Answer, House
from tests.support.tenants import account, credential, found_partner, found_tenant

ACCOUNTS = "/v1/identity/service-accounts"


async def made(house: House, **body: Any) -> Answer:
    body = {"name": "app", "scopes": ["secrets:read"], **body}
    return await house.call("POST", ACCOUNTS, body)


async def admin(house: House, role: str | None, *scopes: str, tenant: str | None = None) -> str:
    """A token with ``identity:admin``, and the role."""
    name = f"{role or 'nobody'}-{tenant or 'own'}".replace("_", "-")
    return await house.client(
        name, ["identity:admin", "identity:read", *scopes], [role] if role else None, tenant
    )


# -- making ------------------------------------------------------------------------------------


async def test_a_new_account(house: House) -> None:
    answer = await made(house, display_name="The app")
    assert answer.status == 201
    body = answer.json
    assert body["id"].startswith("sa_")
    assert body["identity_id"] == "sa:app"
    assert (body["name"], body["display_name"]) == ("app", "The app")
    assert body["tenant_id"] == house.made["tenant_id"]
    assert (body["status"], body["issuer"]) == ("ACTIVE", "local")
    assert (body["roles"], body["groups"]) == ([], [])
    assert (body["credentials_active"], body["last_seen_at"]) == (0, None)
    (row,) = await house.rows(action="identity_create")
    assert row["extra_data"]["object_id"] == body["id"]
    by_name = await house.get(f"{ACCOUNTS}/sa:app")
    assert by_name.json == (await house.get(f"{ACCOUNTS}/{body['id']}")).json


@pytest.mark.parametrize("name", ["", "App", "-a", ".a", "a b", "a" * 129, "ä", "a/b", "sa:a"])
async def test_names_that_are_none(house: House, name: str) -> None:
    answer = await made(house, name=name)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert "name" in answer.details["fields"]


async def test_unknown_scopes_and_none(house: House) -> None:
    assert (await made(house, scopes=[])).status == 422
    answer = await made(house, scopes=["secrets:reed"])
    assert "scopes" in answer.details["fields"]


async def test_all_faults_of_an_account_at_once(house: House) -> None:
    faulty = {"scopes": ["secrets:reed"], "display_name": "a\u202eb"}
    answer = await made(house, name="App", **faulty)
    assert (answer.status, set(answer.details["fields"])) == (422, {"name", *faulty})
    await made(house)
    answer = await patch(house, "sa:app", **faulty)
    assert (answer.status, set(answer.details["fields"])) == (422, set(faulty))


async def test_a_name_is_taken_for_ever(house: House) -> None:
    first = (await made(house)).json["id"]
    again = await made(house)
    assert (again.status, again.code, again.details) == (409, "already_exists", {"field": "name"})
    assert (await house.call("DELETE", f"{ACCOUNTS}/{first}")).status == 204
    assert (await made(house)).code == "already_exists"


async def test_scopes_beyond_ones_own_are_not_handed_on(house: House) -> None:
    token = await admin(house, "tenant_admin")
    answer = await house.call("POST", ACCOUNTS, {"name": "x", "scopes": ["admin"]}, token=token)
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details["reason"] == "scope_not_held"
    assert (await house.get(f"{ACCOUNTS}/sa:x")).code == "identity_not_found"


# -- who may -----------------------------------------------------------------------------------


async def test_writes_take_scope_and_rank(house: House) -> None:
    target = await account(house, "target", ["secrets:read"])
    plain = await house.client("plain", ["secrets:read"], ["tenant_admin"])
    nobody = await admin(house, None)
    calls: list[tuple[str, str, Any]] = [
        ("POST", ACCOUNTS, {"name": "x", "scopes": ["identity:read"]}),
        ("PATCH", f"{ACCOUNTS}/{target}", {"display_name": "y"}),
        ("DELETE", f"{ACCOUNTS}/{target}", None),
        ("POST", f"{ACCOUNTS}/{target}/credentials", {}),
        ("GET", f"{ACCOUNTS}/{target}/credentials", None),
        ("DELETE", f"{ACCOUNTS}/{target}/credentials/cred_x", None),
        ("PUT", f"{ACCOUNTS}/{target}/roles", {"roles": []}),
    ]
    for method, path, body in calls:
        scopeless = await house.call(method, path, body, token=plain)
        assert (scopeless.code, scopeless.details["required_scope"]) == (
            "insufficient_scope",
            "identity:admin",
        )
        rankless = await house.call(method, path, body, token=nobody)
        assert rankless.code == "forbidden"
        assert rankless.details["required_role"] in ("tenant_admin", "partner_admin")
    seen = (await house.get(f"{ACCOUNTS}/{target}")).json
    assert (seen["status"], seen["display_name"], seen["roles"]) == ("ACTIVE", "target", [])


async def test_nobody_touches_who_ranks_above(house: House) -> None:
    token = await admin(house, "tenant_admin")
    above = "sa:root"
    for method, path, body in (
        ("PATCH", f"{ACCOUNTS}/{above}", {"status": "SUSPENDED"}),
        ("DELETE", f"{ACCOUNTS}/{above}", None),
        ("POST", f"{ACCOUNTS}/{above}/credentials", {}),
        ("DELETE", f"{ACCOUNTS}/{above}/credentials/cred_x", None),
    ):
        answer = await house.call(method, path, body, token=token)
        assert (answer.status, answer.code) == (403, "forbidden"), (method, answer.body)
        assert answer.details["required_role"] == "super_admin"
    root = (await house.get("/v1/auth/whoami")).json["token_id"]
    answer = await house.call("DELETE", f"/v1/auth/tokens/{root}", token=await token_admin(house))
    assert answer.code == "forbidden"
    assert (await house.get("/v1/auth/whoami")).status == 200


async def token_admin(house: House) -> str:
    return await house.client("token-admin", ["identity:admin"], ["tenant_admin"])


# -- changing ----------------------------------------------------------------------------------


async def test_a_suspension_ends_tokens_and_secrets_at_once(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    assert (await house.get("/v1/auth/whoami", token=token)).status == 200
    assert (await patch(house, "sa:app", status="SUSPENDED")).status == 200
    assert (await house.get("/v1/auth/whoami", token=token)).code == "token_revoked"
    assert (await patch(house, "sa:app", status="ACTIVE")).status == 200
    assert (await house.get("/v1/auth/whoami", token=token)).code == "token_revoked"
    assert (await house.get(f"{ACCOUNTS}/sa:app")).json["credentials_active"] == 0


async def patch(house: House, who: str, **body: Any) -> Answer:
    return await house.call("PATCH", f"{ACCOUNTS}/{who}", body)


async def test_a_scope_taken_away_ends_in_live_tokens(house: House) -> None:
    token = await house.client("app", ["secrets:read", "secrets:write"], ["tenant_admin"])
    assert (await house.put("a/b", {}, token=token)).status == 201
    answer = await patch(house, "sa:app", scopes=["secrets:read"])
    assert answer.json["scopes"] == ["secrets:read"]
    assert (await house.put("a/b", {}, token=token)).code == "insufficient_scope"
    assert (await house.read("a/b", token=token)).status == 200
    (row,) = await house.rows(action="identity_update")
    assert row["extra_data"]["changed"] == ["scopes"]


async def test_a_scope_given_later_is_not_in_older_tokens(house: House) -> None:
    token = await house.client("app", ["secrets:read"], ["tenant_admin"])
    await patch(house, "sa:app", scopes=["secrets:read", "secrets:write"])
    assert (await house.put("a/b", {}, token=token)).code == "insufficient_scope"


async def test_a_role_holds_and_goes_at_once(house: House) -> None:
    await house.put("a/b", {"x": 1})
    token = await house.client("app", ["secrets:read"])
    assert (await house.read("a/b", token=token)).code == "access_denied"
    await roles(house, "sa:app", ["tenant_admin"])
    assert (await house.read("a/b", token=token)).status == 200
    await roles(house, "sa:app", [])
    assert (await house.read("a/b", token=token)).code == "access_denied"


async def roles(house: House, who: str, wanted: list[str], token: str = "") -> Answer:
    return await house.call("PUT", f"{ACCOUNTS}/{who}/roles", {"roles": wanted}, token=token)


@pytest.mark.parametrize(
    "body", [{"name": "other"}, {"status": "DELETED"}, {"scopes": []}, {"display_name": ""}]
)
async def test_what_a_patch_does_not_take(house: House, body: dict[str, Any]) -> None:
    await made(house)
    assert (await patch(house, "sa:app", **body)).status == 422


async def test_a_deleted_account_is_gone_with_its_tokens(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    who = (await house.get(f"{ACCOUNTS}/sa:app")).json["id"]
    assert (await house.call("DELETE", f"{ACCOUNTS}/{who}")).status == 204
    assert (await house.get("/v1/auth/whoami", token=token)).code == "token_revoked"
    for name in (who, "sa:app"):
        assert (await house.get(f"{ACCOUNTS}/{name}")).code == "identity_not_found"
    assert (await house.call("DELETE", f"{ACCOUNTS}/{who}")).status == 404


# -- client secrets ----------------------------------------------------------------------------


async def test_at_most_five_live_credentials(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    await credential(house, who, expires_in="1d")
    ids = [(await credential(house, who))["id"] for _ in range(4)]
    refused = await house.call("POST", f"{ACCOUNTS}/{who}/credentials", {})
    assert (refused.status, refused.code) == (409, "invalid_state")
    house.clock.advance(DAY)
    await credential(house, who)
    where = f"{ACCOUNTS}/{who}/credentials"
    listed = (await house.get(where)).json["credentials"]
    assert len(listed) == 5
    assert all("client_secret" not in item for item in listed)
    assert set(ids) < {item["id"] for item in listed}
    assert (await house.call("DELETE", f"{where}/{ids[0]}")).status == 204
    again = await house.call("DELETE", f"{where}/{ids[0]}")
    assert (again.status, again.code) == (404, "credential_not_found")


@pytest.mark.parametrize("name", ["", " a", "a\n", "a\u202eb", "a" * 129])
async def test_a_credential_has_a_name_that_can_be_read(house: House, name: str) -> None:
    where = f"{ACCOUNTS}/{await account(house, 'app', ['secrets:read'])}/credentials"
    answer = await house.call("POST", where, {"name": name})
    assert (answer.status, answer.code, list(answer.details["fields"])) == (
        422,
        "validation_error",
        ["name"],
    )
    assert (await house.get(where)).json == {"credentials": []}


async def test_of_many_credentials_at_once_five_are_made(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    where = f"{ACCOUNTS}/{who}/credentials"
    answers = await asyncio.gather(*(house.call("POST", where, {}) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] * 5 + [409] * 3


async def test_a_dropped_credential_ends_its_tokens_only(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    pairs = [await credential(house, who) for _ in range(2)]
    tokens = []
    for pair in pairs:
        body = {"grant_type": "client_credentials", **pair}
        del body["id"]
        grant = await house.call("POST", "/v1/auth/token", body, token=None)
        tokens.append(grant.json["access_token"])
    await house.call("DELETE", f"{ACCOUNTS}/{who}/credentials/{pairs[0]['id']}")
    codes = [(await house.get("/v1/auth/whoami", token=token)).status for token in tokens]
    assert codes == [401, 200]


async def test_a_replayed_credential_comes_without_its_secret(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    where, key = f"{ACCOUNTS}/{who}/credentials", {"idempotency-key": "k"}
    first = (await house.call("POST", where, {}, headers=key)).json
    again = await house.call("POST", where, {}, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert first.pop("client_secret").startswith("sks_")
    assert again.json == first
    assert len((await house.get(where)).json["credentials"]) == 1


# -- roles -------------------------------------------------------------------------------------


async def test_roles_are_set_as_a_whole(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    answer = await roles(house, who, ["partner_admin", "tenant_admin", "tenant_admin"])
    assert answer.json["roles"] == ["tenant_admin", "partner_admin"]
    assert answer.json["user_id"] == who
    assert answer.json["updated_by"] == "sa:root"
    await roles(house, who, ["tenant_admin"])
    assert (await house.get(f"{ACCOUNTS}/{who}/roles")).json["roles"] == ["tenant_admin"]
    row = (await house.rows(action="role_change"))[-1]["extra_data"]
    assert (row["for"], row["old"], row["new"]) == (
        "sa:app",
        ["tenant_admin", "partner_admin"],
        ["tenant_admin"],
    )


async def test_an_unknown_role(house: House) -> None:
    who = await account(house, "app", ["secrets:read"])
    answer = await roles(house, who, ["king"])
    assert (answer.status, answer.code, answer.details) == (400, "invalid_role", {"role": "king"})


async def test_only_a_super_admin_makes_one_and_nobody_raises_himself(house: House) -> None:
    token = await admin(house, "partner_admin")
    who = await account(house, "app", ["secrets:read"])
    answer = await roles(house, who, ["super_admin"], token)
    assert (answer.code, answer.details["required_role"]) == ("forbidden", "super_admin")
    me = "sa:partner-admin-own"
    assert (await roles(house, me, ["super_admin"], token)).code == "forbidden"
    assert (await roles(house, who, ["partner_admin"], token)).status == 200
    tenant = await admin(house, "tenant_admin")
    assert (await roles(house, who, [], tenant)).details["required_role"] == "partner_admin"
    assert (await roles(house, "sa:tenant-admin-own", ["partner_admin"], tenant)).status == 403
    assert (await roles(house, who, ["super_admin"])).status == 200
    assert (await roles(house, who, [], token)).details["required_role"] == "super_admin"


async def test_the_last_super_admin_stays(house: House) -> None:
    root = "sa:root"
    for answer in (
        await roles(house, root, ["partner_admin"]),
        await patch(house, root, status="SUSPENDED"),
        await house.call("DELETE", f"{ACCOUNTS}/{root}"),
    ):
        assert (answer.status, answer.code) == (409, "invalid_state")
        assert answer.details["reason"] == "last_super_admin"
    second = await account(house, "second", ["admin"])
    await roles(house, second, ["super_admin"])
    assert (await roles(house, root, ["partner_admin"])).status == 200
    assert (await house.get("/v1/system/slots")).code == "forbidden"


async def test_ones_own_roles_with_any_token(house: House) -> None:
    token = await house.client("app", ["secrets:read"], ["tenant_admin"])
    own = await house.get(f"{ACCOUNTS}/sa:app/roles", token=token)
    assert own.json["roles"] == ["tenant_admin"]
    other = await house.get(f"{ACCOUNTS}/sa:root/roles", token=token)
    assert (other.code, other.details["required_scope"]) == ("insufficient_scope", "identity:read")


# -- across tenants ----------------------------------------------------------------------------


async def test_a_partner_admin_acts_inside_his_partner_only(house: House) -> None:
    near = await found_tenant(house, "near")
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    token = await admin(house, "partner_admin")
    body = {"name": "app", "scopes": ["identity:read"]}
    made_near = await house.call("POST", ACCOUNTS, {**body, "tenant_id": near.id}, token=token)
    assert made_near.json["tenant_id"] == near.id
    refused = await house.call("POST", ACCOUNTS, {**body, "tenant_id": far.id}, token=token)
    assert (refused.status, refused.code) == (403, "tenant_access_denied")
    there = await account(house, "app", ["secrets:read"], tenant_id=far.id)
    for method, path, sent in (
        ("GET", f"{ACCOUNTS}/{there}", None),
        ("PATCH", f"{ACCOUNTS}/{there}", {"status": "SUSPENDED"}),
        ("DELETE", f"{ACCOUNTS}/{there}", None),
        ("POST", f"{ACCOUNTS}/{there}/credentials", {}),
        ("PUT", f"{ACCOUNTS}/{there}/roles", {"roles": []}),
    ):
        answer = await house.call(method, path, sent, token=token)
        assert (answer.status, answer.code) == (404, "identity_not_found"), method
    near_id = made_near.json["id"]
    assert (await roles(house, near_id, ["tenant_admin"], token)).status == 200
    row = (await house.rows(action="role_change"))[-1]
    assert (row["tenant_id"], row["actor_tenant_id"]) == (near.id, house.made["tenant_id"])


async def test_the_header_says_where_an_account_is_made(house: House) -> None:
    near = await found_tenant(house, "near")
    body = {"name": "app", "scopes": ["secrets:read"]}
    answer = await house.call("POST", ACCOUNTS, body, headers={"x-tenant-id": near.id})
    assert answer.json["tenant_id"] == near.id


async def test_one_name_in_two_tenants_is_two_identities(house: House) -> None:
    near = await found_tenant(house, "near")
    token = await admin(house, "partner_admin")
    twin = await account(house, "partner-admin-own", ["secrets:read"], tenant_id=near.id)
    assert (await roles(house, twin, ["partner_admin"], token)).status == 200
    await house.call("DELETE", f"{ACCOUNTS}/{twin}", token=token)
    assert (await house.get("/v1/auth/whoami", token=token)).status == 200


async def test_lists_by_name_status_and_page(house: House) -> None:
    where = f"/v1/identity/tenants/{house.made['tenant_id']}/service-accounts"
    for name in ("c", "a", "b"):
        await account(house, name, ["secrets:read"])
    await patch(house, "sa:b", status="SUSPENDED")
    await house.call("DELETE", f"{ACCOUNTS}/sa:c")

    async def names(query: str = "") -> list[str]:
        found = (await house.get(where + query)).json["service_accounts"]
        return [item["name"] for item in found]

    assert await names() == ["a", "b", "root"]
    assert await names("?status=SUSPENDED") == ["b"]
    assert await names("?status=DELETED") == ["c"]
    assert await names("?q=RO") == ["root"]
    assert await names("?page=2&page_size=2") == ["root"]
    assert (await house.get(where + "?page_size=2")).json["total"] == 3
    for query in ("?page=0", "?page_size=201", "?status=GONE", "?cursor=x"):
        assert (await house.get(where + query)).status == 422


async def test_lists_of_tenants_out_of_sight(house: House) -> None:
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    token = await admin(house, "partner_admin")
    for tenant in (far.id, "tnt_00000000000000000000"):
        answer = await house.get(f"/v1/identity/tenants/{tenant}/service-accounts", token=token)
        assert (answer.status, answer.code) == (404, "tenant_not_found")
    assert (await house.get(f"/v1/identity/tenants/{far.id}/service-accounts")).status == 200
    row = (await house.rows(action="identity_read"))[-1]
    assert row["tenant_id"] == far.id
