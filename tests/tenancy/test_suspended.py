"""A suspended tenant, or one of a suspended partner: refused everywhere at once, until it is
lifted; only super_admin still keeps identities and the vault."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import SECOND
from tests.support.house import Answer, House
from tests.support.tenants import credential
from tests.tenancy.asking import PARTNERS, SCOPES, TENANTS, change, later, partner, tenant

KINDS = pytest.mark.parametrize("kind", ["tenant", "partner"])


def assert_suspended(answer: Answer) -> None:
    assert (answer.status, answer.code) == (403, "forbidden"), answer.body
    assert answer.details == {"reason": "tenant_suspended"}


async def elsewhere(house: House) -> tuple[str, str]:
    """(partner, tenant) that are not the root token's."""
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    return away["id"], far["id"]


@KINDS
async def test_a_token_that_was_used_before(house: House, kind: str) -> None:
    away, far = await elsewhere(house)
    row = far if kind == "tenant" else away
    token = await house.client("app", SCOPES, ["tenant_admin"], far)
    assert (await house.put("a/b", {"n": 1}, token=token)).status == 201
    await change(house, row, {"status": "SUSPENDED"})
    for method, target, body in (
        ("GET", "/v1/secrets/a/b", None),
        ("PUT", "/v1/secrets/a/b", {"data": {}}),
        ("GET", f"/v1/t/{far}/secrets", None),
        ("GET", "/v1/auth/whoami", None),
        ("GET", TENANTS, None),
        ("GET", PARTNERS, None),
        ("POST", "/v1/identity/groups", {"name": "g"}),
    ):
        assert_suspended(await house.call(method, target, body, token=token))
    assert_suspended(await house.get(f"/v1/t/{far}/secrets/a/b"))  # for the root token too
    introspected = await house.call("POST", "/v1/auth/introspect", {"token": token})
    assert introspected.json == {"active": False}
    await change(house, row, {"status": "ACTIVE"})
    assert (await house.read("a/b", token=token)).json["data"] == {"n": 1}
    assert (await house.call("POST", "/v1/auth/introspect", {"token": token})).json["active"]


@KINDS
async def test_no_token_is_given_out(house: House, kind: str) -> None:
    away, far = await elsewhere(house)
    body = {"name": "app", "scopes": ["secrets:read"], "tenant_id": far}
    made = await house.call("POST", "/v1/identity/service-accounts", body)
    known = await credential(house, made.json["id"])
    grant: dict[str, Any] = {
        "grant_type": "client_credentials",
        "client_id": known["client_id"],
        "client_secret": known["client_secret"],
    }
    assert (await house.call("POST", "/v1/auth/token", grant, token=None)).status == 200
    await change(house, far if kind == "tenant" else away, {"status": "SUSPENDED"})
    refused = await house.call("POST", "/v1/auth/token", grant, token=None)
    wrong = await house.call("POST", "/v1/auth/token", grant | {"client_id": "sa_x"}, token=None)
    for answer in (refused, wrong):
        assert (answer.status, answer.code) == (401, "token_invalid")
    assert refused.json["error"]["message"] == wrong.json["error"]["message"]


@KINDS
async def test_the_only_tenant_is_lifted_again(house: House, kind: str) -> None:
    """By the root token, which is of it itself; its secrets stay shut meanwhile."""
    await house.put("a/b", {"n": 1})
    row = house.made[f"{kind}_id"]
    assert (await change(house, row, {"status": "SUSPENDED"})).status == 200
    assert_suspended(await house.read("a/b"))
    assert_suspended(await house.get("/v1/partner/secrets"))
    assert (await house.get("/v1/auth/whoami")).status == 200
    assert (await house.get("/v1/system/slots")).status == 200
    assert (await change(house, row, {"status": "ACTIVE"})).status == 200
    assert (await house.read("a/b")).json["data"] == {"n": 1}


async def test_naming_ones_own_suspended_tenant_changes_nothing(house: House) -> None:
    own = house.made["tenant_id"]
    await change(house, own, {"status": "SUSPENDED"})
    for kind, body in (
        ("users", {"email": "mira@harbor.example"}),
        ("groups", {"name": "night"}),
        ("service-accounts", {"name": "app", "scopes": ["secrets:read"]}),
    ):
        answer = await house.call("POST", f"/v1/identity/{kind}", body | {"tenant_id": own})
        assert (answer.status, answer.json.get("tenant_id")) == (201, own), answer.body


async def test_so_it_is_by_a_super_admin_that_logs_in(house: House) -> None:
    body = {"name": "boss", "scopes": ["identity:admin"]}
    made = await house.call("POST", "/v1/identity/service-accounts", body)
    where = f"/v1/identity/service-accounts/{made.json['id']}/roles"
    await house.call("PUT", where, {"roles": ["super_admin"]})
    known = await credential(house, made.json["id"])
    await change(house, house.made["tenant_id"], {"status": "SUSPENDED"})
    grant = {
        "grant_type": "client_credentials",
        "client_id": known["client_id"],
        "client_secret": known["client_secret"],
    }
    token = (await house.call("POST", "/v1/auth/token", grant, token=None)).json["access_token"]
    answer = await change(house, house.made["tenant_id"], {"status": "ACTIVE"}, token)
    assert answer.status == 200


async def test_a_partner_admin_does_not_lift_what_holds_him(house: House) -> None:
    _, far = await elsewhere(house)
    token = await house.client("pa", SCOPES, ["partner_admin"], far)
    assert (await change(house, far, {"status": "SUSPENDED"}, token)).status == 200
    assert_suspended(await change(house, far, {"status": "ACTIVE"}, token))
    assert (await change(house, far, {"status": "ACTIVE"})).status == 200


async def test_a_tenant_stays_suspended_when_its_partner_is_lifted(house: House) -> None:
    away, far = await elsewhere(house)
    for row in (far, away):
        await change(house, row, {"status": "SUSPENDED"})
    await change(house, away, {"status": "ACTIVE"})
    assert_suspended(await house.get(f"/v1/t/{far}/secrets"))
    assert (await house.get(f"{TENANTS}/{far}")).json["status"] == "SUSPENDED"


async def test_it_is_still_so_behind_a_seal(house: House) -> None:
    away, far = await elsewhere(house)
    token = await house.client("app", SCOPES, ["tenant_admin"], far)
    await change(house, away, {"status": "SUSPENDED"})
    await house.restart()
    await house.unseal()
    assert_suspended(await house.get("/v1/secrets", token=token))


async def test_identities_inside_are_kept_by_super_admin_only_from_outside(house: House) -> None:
    """One that is named by its id can be changed; nothing new is made in a suspended tenant."""
    _, far = await elsewhere(house)
    body = {"name": "app", "scopes": ["secrets:read"], "tenant_id": far}
    made = await house.call("POST", "/v1/identity/service-accounts", body)
    await change(house, far, {"status": "SUSPENDED"})
    where = f"/v1/identity/service-accounts/{made.json['id']}"
    assert (await house.call("PATCH", where, {"display_name": "x"})).status == 200
    more = await house.call("POST", "/v1/identity/service-accounts", body | {"name": "more"})
    assert_suspended(more)
    del body["tenant_id"]
    named = await house.call(
        "POST", "/v1/identity/service-accounts", body, headers={"x-tenant-id": far}
    )
    assert_suspended(named)


@KINDS
async def test_an_export_that_its_creator_may_no_more(house: House, kind: str) -> None:
    """A job in the background ends with its creator's rights."""
    away, far = await elsewhere(house)
    token = await house.client("app", [*SCOPES, "audit:export"], ["tenant_admin"], far)
    body = {"from": "2031-01-01", "to": "2031-12-01", "destination": {"type": "file"}}
    started = await house.call("POST", "/v1/audit/export", body, token=token)
    assert started.status == 202, started.body
    await change(house, far if kind == "tenant" else away, {"status": "SUSPENDED"})
    await later(house, 3 * SECOND)
    (row,) = await house.rows(action="export_run")
    assert (row["success"], row["extra_data"]["error_code"]) == (False, "access_denied")
