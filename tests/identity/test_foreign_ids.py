"""Ids of another tenant on every route that takes one, in path, query and body: the answer is that
to an id which nobody has, and nothing over there changes."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from scaivault.http.routes import ROUTES
from scaivault.storage.file import Connection
from tests.support.house import House

IDENTITY = "/v1/identity"
TABLES = (
    "user", "service_account", "identity_group", "group_member", "credential", "token", "trust",
    "binding",
)  # fmt: skip
TRUST = {
    "name": "t", "issuer": "https://issuer.example", "subject": "x", "max_scopes": ["secrets:read"],
}  # fmt: skip
BIND = {"identity_id": "{own_usr}", "identity_type": "user"}

Call = tuple[str, str, Any]

# "{usr}" and its like: of the other tenant; "{own_usr}": the same of the caller's.
IN_PATHS: list[Call] = [
    ("GET", f"{IDENTITY}/users/{{usr}}", None),
    ("PATCH", f"{IDENTITY}/users/{{usr}}", {"display_name": "z"}),
    ("DELETE", f"{IDENTITY}/users/{{usr}}", None),
    ("GET", f"{IDENTITY}/users/{{usr}}/roles", None),
    ("PUT", f"{IDENTITY}/users/{{usr}}/roles", {"roles": ["tenant_admin"]}),
    ("DELETE", f"{IDENTITY}/users/{{usr}}/mfa", None),
    ("GET", f"{IDENTITY}/service-accounts/{{sa}}", None),
    ("PATCH", f"{IDENTITY}/service-accounts/{{sa}}", {"scopes": ["admin"]}),
    ("DELETE", f"{IDENTITY}/service-accounts/{{sa}}", None),
    ("GET", f"{IDENTITY}/service-accounts/{{sa}}/credentials", None),
    ("POST", f"{IDENTITY}/service-accounts/{{sa}}/credentials", {}),
    ("DELETE", f"{IDENTITY}/service-accounts/{{sa}}/credentials/{{cred}}", None),
    ("DELETE", f"{IDENTITY}/service-accounts/{{own_sa}}/credentials/{{cred}}", None),
    ("GET", f"{IDENTITY}/service-accounts/{{sa}}/roles", None),
    ("PUT", f"{IDENTITY}/service-accounts/{{sa}}/roles", {"roles": ["tenant_admin"]}),
    ("POST", f"{IDENTITY}/user/{{usr}}/revoke-access", {}),
    ("POST", f"{IDENTITY}/service_account/{{sa}}/revoke-access", {}),
    ("GET", f"{IDENTITY}/groups/{{grp}}", None),
    ("PATCH", f"{IDENTITY}/groups/{{grp}}", {"display_name": "z"}),
    ("DELETE", f"{IDENTITY}/groups/{{grp}}", None),
    ("GET", f"{IDENTITY}/groups/{{grp}}/members", None),
    ("POST", f"{IDENTITY}/groups/{{grp}}/members", {"identity_id": "{own_usr}"}),
    ("DELETE", f"{IDENTITY}/groups/{{grp}}/members/{{own_usr}}", None),
    ("DELETE", f"{IDENTITY}/groups/{{own_grp}}/members/{{usr}}", None),
    ("GET", f"{IDENTITY}/resolve/user/{{usr}}", None),
    ("GET", f"{IDENTITY}/resolve/service_account/{{sa}}", None),
    ("GET", f"{IDENTITY}/resolve/group/{{grp}}", None),
    ("GET", f"{IDENTITY}/trusts/{{trust}}", None),
    ("PATCH", f"{IDENTITY}/trusts/{{trust}}", {"name": "z"}),
    ("DELETE", f"{IDENTITY}/trusts/{{trust}}", None),
    ("GET", f"{IDENTITY}/tenants/{{tnt}}", None),
    ("PATCH", f"{IDENTITY}/tenants/{{tnt}}", {"name": "z"}),
    ("DELETE", f"{IDENTITY}/tenants/{{tnt}}?confirm={{tnt}}", None),
    ("GET", f"{IDENTITY}/tenants/{{tnt}}/users", None),
    ("GET", f"{IDENTITY}/tenants/{{tnt}}/groups", None),
    ("GET", f"{IDENTITY}/tenants/{{tnt}}/service-accounts", None),
    ("GET", f"{IDENTITY}/partners/{{ptn}}", None),
    ("PATCH", f"{IDENTITY}/partners/{{ptn}}", {"name": "z"}),
    ("DELETE", f"{IDENTITY}/partners/{{ptn}}", None),
    ("GET", "/v1/auth/tokens/{tok}", None),
    ("DELETE", "/v1/auth/tokens/{tok}", None),
]
ELSEWHERE: list[Call] = [
    ("GET", "/v1/auth/tokens?identity_id={usr}", None),
    ("GET", "/v1/auth/tokens?identity_id={sa}", None),
    ("GET", f"{IDENTITY}/tenants?partner_id={{ptn}}", None),
    ("POST", f"{IDENTITY}/sync?tenant_id={{tnt}}", None),
    ("POST", f"{IDENTITY}/sync?partner_id={{ptn}}", None),
    ("POST", "/v1/auth/tokens", {"name": "x", "scopes": ["admin"], "identity_id": "{usr}"}),
    ("POST", f"{IDENTITY}/groups/{{own_grp}}/members", {"identity_id": "{usr}"}),
    ("POST", f"{IDENTITY}/groups/{{own_grp}}/members", {"identity_id": "{sa}"}),
    ("PATCH", f"{IDENTITY}/groups/{{own_grp}}", {"parent_id": "{grp}"}),
    ("POST", f"{IDENTITY}/groups", {"name": "n", "parent_id": "{grp}"}),
    ("PATCH", f"{IDENTITY}/users/{{own_usr}}", {"groups": ["{grp}"]}),
    ("PATCH", f"{IDENTITY}/service-accounts/{{own_sa}}", {"groups": ["{grp}"]}),
    ("POST", f"{IDENTITY}/users", {"email": "n@harbor.example", "groups": ["{grp}"]}),
    (
        "POST",
        f"{IDENTITY}/service-accounts",
        {"name": "n", "scopes": ["admin"], "groups": ["{grp}"]},
    ),
    ("POST", f"{IDENTITY}/trusts", {**TRUST, "name": "n", "identity": "{sa}"}),
    ("PATCH", f"{IDENTITY}/trusts/{{own_trust}}", {"identity": "{sa}"}),
    ("POST", f"{IDENTITY}/tenants", {"name": "n", "slug": "nn", "partner_id": "{ptn}"}),
    ("POST", "/v1/policies/{pol}/bindings", BIND),
    ("POST", "/v1/policies/{own_pol}/bindings", {**BIND, "identity_id": "{usr}"}),
    (
        "POST",
        "/v1/policies/{own_pol}/bindings",
        {"identity_id": "{grp}", "identity_type": "group"},
    ),
    ("DELETE", "/v1/policies/{own_pol}/bindings/{bind}", None),
]
# To name a tenant says which one is meant: a partner_admin is told whether there is such a one.
NAMED: list[Call] = [
    ("POST", f"{IDENTITY}/users", {"email": "n@harbor.example", "tenant_id": "{tnt}"}),
    (
        "POST",
        f"{IDENTITY}/service-accounts",
        {"name": "n", "scopes": ["admin"], "tenant_id": "{tnt}"},
    ),
    ("POST", f"{IDENTITY}/groups", {"name": "n", "tenant_id": "{tnt}"}),
    (
        "POST",
        f"{IDENTITY}/trusts",
        {**TRUST, "name": "n", "identity": "{own_sa}", "tenant_id": "{tnt}"},
    ),
]


async def furnish(house: House, tenant: str) -> dict[str, str]:
    """One of everything in a tenant, by id."""

    async def make(path: str, **body: Any) -> str:
        made = await house.call("POST", path, body, headers={"x-tenant-id": tenant})
        assert made.status == 201, made.body
        found: str = made.json["id"]
        return found

    rules = [{"path_pattern": "**", "permissions": ["read"]}]
    found = {
        "usr": await make(f"{IDENTITY}/users", email="mira@harbor.example"),
        "grp": await make(f"{IDENTITY}/groups", name="ops"),
        "sa": await make(f"{IDENTITY}/service-accounts", name="app", scopes=["secrets:read"]),
        "pol": await make("/v1/policies", name="all", rules=rules),
    }
    usr, sa = found["usr"], found["sa"]
    return {
        **found,
        "cred": await make(f"{IDENTITY}/service-accounts/{sa}/credentials"),
        "tok": await make("/v1/auth/tokens", name="x", scopes=["secrets:read"], identity_id=usr),
        "trust": await make(f"{IDENTITY}/trusts", **TRUST, identity=sa),
        "bind": await make(
            f"/v1/policies/{found['pol']}/bindings", identity_id=usr, identity_type="user"
        ),
    }


def filled(call: Call, ids: dict[str, str]) -> Call:
    text = json.dumps(call)
    for name, value in ids.items():
        text = text.replace(f"{{{name}}}", value)
    method, path, body = json.loads(text)
    return method, path, body


def unknown(found: str) -> str:
    """An id of the same kind that nobody has."""
    prefix, _, rest = found.partition("_")
    return f"{prefix}_{'0' * len(rest)}"


def kept(db: Connection, tenant: str) -> list[list[Any]]:
    return [
        db.execute(f"SELECT * FROM {table} WHERE tenant_id = ? ORDER BY 1, 2", (tenant,)).fetchall()
        for table in TABLES
    ]


@pytest.mark.parametrize("role", ["tenant_admin", "partner_admin"])
async def test_they_are_as_good_as_unknown(house: House, role: str) -> None:
    partner = await house.call("POST", f"{IDENTITY}/partners", {"name": "Two", "slug": "two"})
    body = {"name": "Two", "slug": "two", "partner_id": partner.json["id"]}
    tenant = (await house.call("POST", f"{IDENTITY}/tenants", body)).json["id"]
    theirs = await furnish(house, tenant) | {"tnt": tenant, "ptn": partner.json["id"]}
    mine = await furnish(house, house.made["tenant_id"])
    own = {f"own_{name}": value for name, value in mine.items()}
    token = await house.client("admin", ["admin"], [role])
    before = await house.vault.gate.ask(lambda db: kept(db, tenant))
    nobody = {name: unknown(value) for name, value in theirs.items()}
    for call in IN_PATHS + ELSEWHERE + (NAMED if role == "tenant_admin" else []):
        told = []
        for ids in (theirs, nobody):
            method, path, sent = filled(call, own | ids)
            answer = await house.call(method, path, sent, token=token)
            error = {**answer.json["error"], "request_id": ""}
            named = json.dumps(error)
            for name, value in ids.items():
                named = named.replace(value, name)
            told.append((answer.status, named))
        assert told[0] == told[1], call
        assert told[0][0] in {403, 404, 422}, call
    for call in NAMED:
        method, path, sent = filled(call, own | theirs)
        answer = await house.call(method, path, sent, token=token)
        assert (answer.status, answer.code) == (403, "tenant_access_denied")
    assert await house.vault.gate.ask(lambda db: kept(db, tenant)) == before


def test_no_route_is_left_out() -> None:
    """Each that takes an id in its path, of those about identities and tokens."""
    tried = {
        (method, re.sub(r"\{\w+\}", "{}", path.partition("?")[0])) for method, path, _ in IN_PATHS
    }
    spoken = {
        f"{IDENTITY}/{{}}/{{}}/revoke-access": (f"{IDENTITY}/user/{{}}/revoke-access",),
        f"{IDENTITY}/resolve/{{}}/{{}}": (f"{IDENTITY}/resolve/user/{{}}",),
    }
    for route in ROUTES:
        path = re.sub(r"\{\w+\}", "{}", route.path)
        if "{}" in path and path.startswith((IDENTITY, "/v1/auth/")):
            for one in spoken.get(path, (path,)):
                assert (route.method, one) in tried
