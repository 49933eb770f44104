"""On whose behalf a request acts: the path, the header, the token, in this order."""

from __future__ import annotations

import pytest

from tests.support.house import House
from tests.support.rights import SCOPES
from tests.support.tenants import found_partner, found_tenant, suspend

PATH = "app/db"


async def test_ones_own_tenant_may_be_named_by_anybody(house: House) -> None:
    token = await house.client("app", SCOPES)
    own = house.made["tenant_id"]
    assert (await house.get(f"/v1/t/{own}/secrets", token=token)).status == 200
    assert (await house.get("/v1/secrets", token=token, headers={"X-Tenant-ID": own})).status == 200


async def test_one_path_in_two_tenants_is_two_things(house: House) -> None:
    other = (await found_tenant(house, "other")).id
    await house.put(PATH, {"at": "own"})
    await house.call("PUT", f"/v1/t/{other}/secrets/{PATH}", {"data": {"at": "other"}})
    assert (await house.read(PATH)).json["data"] == {"at": "own"}
    by_header = await house.read(PATH, headers={"X-Tenant-ID": other})
    assert by_header.json["data"] == {"at": "other"}
    await house.delete(PATH, permanent="true")
    assert (await house.get(f"/v1/t/{other}/secrets/{PATH}")).status == 200


async def test_the_path_wins_over_the_header(house: House) -> None:
    other = (await found_tenant(house, "other")).id
    await house.call("PUT", f"/v1/t/{other}/secrets/{PATH}", {"data": {}})
    for header in (house.made["tenant_id"], "tnt_unknown", "\x7f"):
        answer = await house.get(f"/v1/t/{other}/secrets/{PATH}", headers={"X-Tenant-ID": header})
        assert answer.status == 200


# role -> (own partner's other tenant, foreign partner's tenant, unknown tenant)
REACH = {
    None: ("tenant_access_denied", "tenant_access_denied", "tenant_access_denied"),
    "tenant_admin": ("tenant_access_denied", "tenant_access_denied", "tenant_access_denied"),
    "partner_admin": ("", "tenant_access_denied", "tenant_not_found"),
    "super_admin": ("", "", "tenant_not_found"),
}


@pytest.mark.parametrize("role", REACH)
async def test_how_far_a_role_reaches(house: House, role: str | None) -> None:
    token = await house.client("app", SCOPES, [role] if role else None)
    foreign = await found_partner(house, "foreign")
    tenants = [
        (await found_tenant(house, "sister")).id,
        (await found_tenant(house, "stranger", foreign.id)).id,
        "tnt_unknown",
    ]
    for tenant, code in zip(tenants, REACH[role], strict=True):
        answer = await house.get(f"/v1/t/{tenant}/secrets", token=token)
        assert (answer.code if answer.status >= 400 else "") == code
        if code:
            assert answer.status == (404 if code == "tenant_not_found" else 403)
            assert answer.details == {"tenant_id": tenant}


async def test_a_role_of_one_tenant_is_none_in_another(house: House) -> None:
    """tenant_admin stands in for policies in its own tenant only."""
    other = (await found_tenant(house, "other")).id
    token = await house.client("app", SCOPES, ["tenant_admin"], other)
    assert (await house.put(PATH, token=token)).status == 201
    assert (await house.read(PATH)).code == "secret_not_found"


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_suspended(house: House, kind: str) -> None:
    partner = await found_partner(house, "other")
    tenant = await found_tenant(house, "other", partner.id)
    await suspend(house, kind, tenant.id if kind == "tenant" else partner.id)
    answer = await house.get(f"/v1/t/{tenant.id}/secrets")
    assert (answer.status, answer.code) == (403, "forbidden")
    assert answer.details == {"reason": "tenant_suspended"}


async def test_scopes_count_across_tenants_too(house: House) -> None:
    other = (await found_tenant(house, "other")).id
    token = await house.client("app", ["secrets:list"], ["super_admin"])
    assert (await house.get(f"/v1/t/{other}/secrets", token=token)).status == 200
    assert (await house.get(f"/v1/t/{other}/secrets/a", token=token)).code == "insufficient_scope"


@pytest.mark.parametrize("spelling", ["%74nt_x", "tnt_x%2F..", "%00", "%ff", "..", "tnt_X"])
async def test_spellings_of_a_tenant(house: House, spelling: str) -> None:
    answer = await house.get(f"/v1/t/{spelling}/secrets")
    assert answer.status == 404


async def test_an_empty_header_is_not_ones_own_tenant(house: House) -> None:
    """As a script sends it whose variable is not set."""
    token = await house.client("app", ["secrets:write"], ["tenant_admin"])
    for sender, status, code in (
        (token, 403, "tenant_access_denied"),
        ("", 404, "tenant_not_found"),
    ):
        answer = await house.put(PATH, {}, token=sender, headers={"X-Tenant-ID": ""})
        assert (answer.status, answer.code) == (status, code)
    assert (await house.read(PATH)).code == "secret_not_found"


@pytest.mark.parametrize("by", ["path", "header"])
async def test_a_refused_act_names_the_tenant_that_was_meant(house: House, by: str) -> None:
    """Whether or not there is such a tenant, so that no trail tells which there are."""
    own = house.made["tenant_id"]
    token = await house.client("app", [*SCOPES, "audit:read"], ["tenant_admin"])
    sister = await found_tenant(house, "sister")
    rows = []
    for meant in (sister.id, "tnt_" + "0" * 20):
        if by == "path":
            answer = await house.get(f"/v1/t/{meant}/secrets", token=token)
        else:
            answer = await house.get("/v1/secrets", token=token, headers={"X-Tenant-ID": meant})
        assert answer.code == "tenant_access_denied"
        (row,) = await house.rows(request_id=answer.headers["x-request-id"])
        rows.append(row)
        assert (row["tenant_id"], row["partner_id"]) == (meant, None)
        assert (row["actor_tenant_id"], row["identity_id"]) == (own, "sa:app")
    seen = (await house.get(f"/v1/t/{sister.id}/audit/logs?success=false")).json["logs"]
    assert [row["id"] for row in seen] == [rows[0]["id"]]
    trail = (await house.get("/v1/audit/identities/sa:app?success=false", token=token)).json
    assert [row["id"] for row in trail["logs"]] == [row["id"] for row in rows[::-1]]


@pytest.mark.parametrize("named", ["", "x", "tnt_A", "tnt_" + "a" * 61, "tnt_a b"])
async def test_what_is_no_tenant_id_is_in_no_row(house: House, named: str) -> None:
    answer = await house.get("/v1/secrets", headers={"X-Tenant-ID": named})
    assert answer.code == "tenant_not_found"
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert row["tenant_id"] is None
