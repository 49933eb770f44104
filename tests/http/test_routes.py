"""Every route: who may reach it, what row it leaves, and that it stays in its tenant."""

from __future__ import annotations

import re
from typing import Any, Final

import pytest

from scaivault.http.routes import OPEN, ROUTES, Route
from tests.support.described import assert_described
from tests.support.house import PASSPHRASE, Answer, House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner

# Written out by hand: a route becomes open by changing this list too.
OPEN_ROUTES = {
    ("GET", "/v1/health"), ("HEAD", "/v1/health"),
    ("GET", "/v1/health/ready"), ("HEAD", "/v1/health/ready"),
    ("GET", "/v1/version"), ("GET", "/v1/openapi.json"),
    ("GET", "/v1/auth/config"), ("POST", "/v1/auth/token"), ("POST", "/oauth/token"),
    ("POST", "/v1/auth/exchange"),
    ("GET", "/.well-known/jwks.json"), ("GET", "/.well-known/openid-configuration"),
    ("GET", "/v1/system/seal-status"), ("POST", "/v1/system/init"),
    ("POST", "/v1/system/unseal"), ("POST", "/v1/system/root-token"),
    ("POST", "/v1/identity/webhooks/scaikey"),
}  # fmt: skip

SILENT = {
    "/v1/health", "/v1/health/ready", "/v1/version", "/v1/openapi.json", "/v1/auth/config",
    "/.well-known/jwks.json", "/.well-known/openid-configuration", "/v1/system/seal-status",
}  # fmt: skip

CLOSED = [route for route in ROUTES if not route.open]
NARROWED = [route for route in CLOSED if route.scopes]
ASKING = "/v1/policies/test"  # leaves no row, whatever becomes of the request
RULES = [{"path_pattern": "app/**", "permissions": ["read"]}]
# With which object of the tenant, with which body, a route succeeds; {names} as in ``prepare``.
CALLS: dict[tuple[str, str], tuple[str, Any]] = {
    ("PUT", "/v1/secrets/{path*}"): ("/v1/secrets/app/db", {"data": {}}),
    ("PATCH", "/v1/secrets/{path*}"): ("/v1/secrets/app/db", {"metadata": {"a": 1}}),
    ("POST", "/v1/secrets/{path*}/rotate"): ("/v1/secrets/app/db/rotate", {"new_value": {}}),
    ("PUT", "/v1/partner/secrets/{path*}"): ("/v1/partner/secrets/app/db", {"data": {}}),
    ("PATCH", "/v1/partner/secrets/{path*}"): (
        "/v1/partner/secrets/app/db", {"metadata": {"a": 1}},
    ),
    ("POST", "/v1/partner/secrets/{path*}/rotate"): (
        "/v1/partner/secrets/app/db/rotate", {"new_value": {}},
    ),
    ("POST", "/v1/secrets/batch"): ("/v1/secrets/batch", {"paths": ["app/db"]}),
    ("POST", "/v1/secrets/batch/metadata"): (
        "/v1/secrets/batch/metadata", {"paths": ["app/db"]},
    ),
    ("POST", "/v1/auth/token"): ("/v1/auth/token", "grant"),
    ("POST", "/v1/auth/exchange"): ("/v1/auth/exchange", "exchange"),
    ("POST", "/v1/identity/trusts"): (
        "/v1/identity/trusts",
        {
            "name": "new", "issuer": "https://ci.harbor.example", "subject": "build:*",
            "identity": "sa:app", "max_scopes": ["secrets:read"],
        },
    ),
    ("PATCH", "/v1/identity/trusts/{id}"): ("/v1/identity/trusts/{trust}", {"name": "x"}),
    ("POST", "/v1/identity/service-accounts"): (
        "/v1/identity/service-accounts", {"name": "new", "scopes": ["secrets:read"]},
    ),
    ("PATCH", "/v1/identity/service-accounts/{id}"): (
        "/v1/identity/service-accounts/{account}", {"display_name": "x"},
    ),
    ("POST", "/v1/identity/service-accounts/{id}/credentials"): (
        "/v1/identity/service-accounts/{account}/credentials", {},
    ),
    ("PUT", "/v1/identity/service-accounts/{id}/roles"): (
        "/v1/identity/service-accounts/{account}/roles", {"roles": []},
    ),
    ("POST", "/v1/auth/introspect"): ("/v1/auth/introspect", {"token": "x"}),
    ("POST", "/v1/auth/tokens"): (
        "/v1/auth/tokens",
        {"name": "new", "scopes": ["secrets:read"], "identity_id": "user:mira@harbor.example"},
    ),
    ("POST", "/v1/identity/users"): ("/v1/identity/users", {"email": "new@harbor.example"}),
    ("PATCH", "/v1/identity/users/{id}"): (
        "/v1/identity/users/{user}", {"display_name": "x"},
    ),
    ("PUT", "/v1/identity/users/{user_id}/roles"): (
        "/v1/identity/users/{user}/roles", {"roles": []},
    ),
    ("POST", "/v1/identity/{type}/{id}/revoke-access"): (
        "/v1/identity/user/{user}/revoke-access", {},
    ),
    ("POST", "/v1/identity/partners"): (
        "/v1/identity/partners", {"name": "New", "slug": "new"},
    ),
    ("PATCH", "/v1/identity/partners/{id}"): (
        "/v1/identity/partners/{partner}", {"name": "Renamed"},
    ),
    ("POST", "/v1/identity/tenants"): ("/v1/identity/tenants", {"name": "New", "slug": "new"}),
    ("PATCH", "/v1/identity/tenants/{id}"): (
        "/v1/identity/tenants/{tenant}", {"name": "Renamed"},
    ),
    ("DELETE", "/v1/identity/partners/{id}"): ("/v1/identity/partners/{emptied}", None),
    ("DELETE", "/v1/identity/tenants/{id}"): (
        "/v1/identity/tenants/{spare}?confirm={spare}", None,
    ),
    ("POST", "/v1/identity/groups"): ("/v1/identity/groups", {"name": "new"}),
    ("PATCH", "/v1/identity/groups/{id}"): (
        "/v1/identity/groups/{group}", {"display_name": "x"},
    ),
    ("POST", "/v1/identity/groups/{id}/members"): (
        "/v1/identity/groups/{group}/members", {"identity_id": "user:new@harbor.example"},
    ),
    ("GET", "/v1/identity/resolve/{identity_type}/{identity_id}"): (
        "/v1/identity/resolve/group/{group}", None,
    ),
    ("POST", "/v1/policies"): ("/v1/policies", {"name": "new", "rules": RULES}),
    ("PUT", "/v1/policies/{id}"): ("/v1/policies/{policy}", {"name": "new", "rules": RULES}),
    ("PATCH", "/v1/policies/{id}"): ("/v1/policies/{policy}", {"name": "new"}),
    ("POST", "/v1/policies/{id}/bindings"): (
        "/v1/policies/{policy}/bindings",
        {"identity_type": "user", "identity_id": "user:new@harbor.example"},
    ),
    ("DELETE", "/v1/policies/{id}"): ("/v1/policies/{loose}", None),
    ("POST", "/v1/policies/test"): (
        "/v1/policies/test",
        {"identity_id": "sa:app", "path": "app/db", "permission": "read"},
    ),
    ("GET", "/v1/policies/who-can"): ("/v1/policies/who-can?path=app/db&permission=read", None),
    ("POST", "/v1/identity/sync"): ("/v1/identity/sync?tenant_id={tenant}", None),
    ("POST", "/v1/audit/export"): (
        "/v1/audit/export",
        {"from": "2031-01-01", "to": "2031-02-01", "destination": {"type": "file"}},
    ),
    ("PUT", "/v1/audit/retention"): ("/v1/audit/retention", {"retention": "3000d"}),
    ("POST", "/v1/system/root-token"): ("/v1/system/root-token", {"passphrase": PASSPHRASE}),
}  # fmt: skip
# These have tests of their own: they end the vault, or take a slot, a seal or a user first.
ELSEWHERE = re.compile(
    r"/v1/system/|/v1/identity/webhooks/|/oauth/token|/v1/health/detailed|/v1/auth/mfa/"
)


async def prepare(house: House) -> dict[str, str]:
    """One object of each kind, in the tenant that init made."""
    await house.put("app/db", {"n": 1})
    await house.call("PUT", "/v1/partner/secrets/app/db", {"data": {"n": 1}})
    where = "/v1/identity/service-accounts"
    body = {"name": "app", "scopes": ["secrets:read"]}
    account = (await house.call("POST", where, body)).json["id"]
    made = (await house.call("POST", f"{where}/{account}/credentials", {})).json
    grant = {
        "grant_type": "client_credentials",
        "client_id": made["client_id"],
        "client_secret": made["client_secret"],
    }
    token = (await house.call("POST", "/v1/auth/token", grant, token=None)).json["access_token"]
    token_id = (await house.get("/v1/auth/whoami", token=token)).json["token_id"]
    user = await house.call("POST", "/v1/identity/users", {"email": "mira@harbor.example"})
    group = (await house.call("POST", "/v1/identity/groups", {"name": "night"})).json["id"]
    await house.call("POST", f"/v1/identity/groups/{group}/members", {"identity_id": account})
    export = CALLS["POST", "/v1/audit/export"]
    trust = CALLS["POST", "/v1/identity/trusts"]
    kept = {**trust[1], "name": "kept"}
    policy, loose = [
        (await house.call("POST", "/v1/policies", {"name": name, "rules": RULES})).json["id"]
        for name in ("bound", "loose")
    ]
    emptied, spare = [
        (await house.call("POST", f"/v1/identity/{kind}", {"name": kind, "slug": kind})).json["id"]
        for kind in ("partners", "tenants")
    ]
    bound = {"identity_type": "user", "identity_id": "user:bound@harbor.example"}
    binding = (await house.call("POST", f"/v1/policies/{policy}/bindings", bound)).json["id"]
    return {
        "export": (await house.call("POST", *export)).json["export_id"],
        "trust": (await house.call("POST", trust[0], kept)).json["id"],
        "text": token,
        "policy": policy,
        "loose": loose,
        "binding": binding,
        "account": account,
        "user": user.json["id"],
        "group": group,
        "credential": made["id"],
        "token": token_id,
        "tenant": house.made["tenant_id"],
        "partner": house.made["partner_id"],
        "emptied": emptied,
        "spare": spare,
        "secret": made["client_secret"],
    }


def target(route: Route, known: dict[str, str]) -> str:
    """The route's path with the objects of ``prepare``."""
    if (route.method, route.path) in CALLS:
        return CALLS[route.method, route.path][0].format(**known)
    path = route.path.replace("{path*}", "app/db")
    for part, name in (
        ("service-accounts/{id}", "account"), ("tokens/{id}", "token"), ("tenants/{id}", "tenant"),
        ("partners/{id}", "partner"), ("slots/{id}", "account"), ("{credential_id}", "credential"),
        ("users/{id}", "user"), ("{user_id}", "user"), ("trusts/{id}", "trust"),
        ("{tenant_id}", "tenant"), ("exports/{id}", "export"), ("groups/{id}", "group"),
        ("{identity_id}", "account"), ("policies/{id}", "policy"), ("{binding_id}", "binding"),
    ):  # fmt: skip
        given = part if part.startswith("{") else "{id}"
        path = path.replace(part, part.replace(given, known[name]))
    return path


def body(route: Route, known: dict[str, str]) -> Any:
    found = CALLS.get((route.method, route.path), ("", None))[1]
    if found == "exchange":
        kind = "urn:ietf:params:oauth:token-type:access_token"
        return {"subject_token": known["text"], "subject_token_type": kind}
    if found == "grant":
        return {
            "grant_type": "client_credentials",
            "client_id": known["account"],
            "client_secret": known["secret"],
        }
    return found


def named(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_the_list_of_open_routes_is_closed() -> None:
    assert set(OPEN) == OPEN_ROUTES


def test_every_other_route_asks_for_a_scope_or_only_tells_of_the_caller() -> None:
    free = {named(route) for route in CLOSED if not route.scopes}
    assert free == {
        "GET /v1/auth/whoami", "GET /v1/auth/tokens/{id}", "DELETE /v1/auth/tokens/{id}",
        "POST /v1/auth/tokens", "GET /v1/auth/tokens", "POST /v1/auth/mfa/totp",
        "POST /v1/auth/mfa/verify", "DELETE /v1/auth/mfa/totp",
        "GET /v1/identity/service-accounts/{id}/roles", "GET /v1/identity/roles",
        "GET /v1/identity/users/{user_id}/roles",
        "GET /v1/policies/effective",
    }  # fmt: skip


@pytest.mark.parametrize("route", CLOSED, ids=named)
async def test_without_a_token(house: House, route: Route) -> None:
    path = re.sub(r"\{[^}]*\}", "x", route.path)
    answer = await house.call(route.method, path, token=None)
    assert (answer.status, answer.code) == (401, "authentication_required")
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [(row["action"], row["success"], row["extra_data"]) for row in rows] == [
        (
            "auth_failed",
            False,
            {"error_code": "authentication_required", "route": named(route)},
        )
    ]
    assert {(row["identity_id"], row["tenant_id"]) for row in rows} == {(None, None)}


async def test_without_the_scope(house: House) -> None:
    token = await house.client("narrow", ["dynamic:read"], ["super_admin"])
    for route in NARROWED:
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        answer = await house.call(route.method, path, {"x": 1}, token=token)
        assert (answer.status, answer.code) == (403, "insufficient_scope"), named(route)
        assert answer.details == {"required_scope": route.scopes[0]}
        rows = await house.rows(request_id=answer.headers["x-request-id"])
        if route.path == ASKING:
            assert rows == []
            continue
        extra = {"error_code": "insufficient_scope"}
        if route.partner:
            extra["scope"] = "partner"
        assert [(row["action"], row["success"], row["extra_data"]) for row in rows] == [
            (route.action, False, extra)
        ], named(route)
        assert rows[0]["secret_path"] == ("x" if "{path*}" in route.path else None)
        assert rows[0]["identity_id"] == "sa:narrow"


async def test_without_the_role(house: House) -> None:
    token = await house.client("narrow", ["admin"], ["tenant_admin"])
    for route in CLOSED:
        if route.role in (None, "tenant_admin"):
            continue
        path = re.sub(r"\{[^}]*\}", "x", route.path)
        answer = await house.call(route.method, path, {"x": 1}, token=token)
        assert (answer.status, answer.code) == (403, "forbidden"), named(route)
        assert answer.details == {"required_role": route.role}


def _ordinary() -> list[Route]:
    return [
        route for route in ROUTES if route.path not in SILENT and not ELSEWHERE.match(route.path)
    ]


_OF_PARTNERS: Final = {f"partners.{verb}" for verb in ("create", "get", "change", "delete")}


def _concerned(route: Route, known: dict[str, str], answer: Answer) -> str | None:
    """The tenant that a row is about; what partners own is of no one tenant."""
    if route.partner or route.verb in _OF_PARTNERS:
        return None
    if route.verb == "tenants.create":
        return str(answer.json["id"])
    return known["spare" if route.verb == "tenants.delete" else "tenant"]


@pytest.mark.parametrize("route", _ordinary(), ids=named)
async def test_a_success_leaves_one_row(house: House, route: Route) -> None:
    known = await prepare(house)
    token = None if route.open else ""
    answer = await house.call(route.method, target(route, known), body(route, known), token=token)
    assert answer.status in (route.status, route.created), answer.body
    assert_described(route.method, route.path, answer)
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    action = "auth_login" if route.action == "auth_failed" else route.action
    if route.path == ASKING:
        assert rows == []
        return
    assert [(row["action"], row["success"]) for row in rows] == [(action, True)]
    about = "{path*}" in route.path or route.verb in ("batch.read", "rights.who_can")
    assert rows[0]["secret_path"] == ("app/db" if about else None)
    assert rows[0]["tenant_id"] == _concerned(route, known, answer)
    assert rows[0]["source_ip"] == "127.0.0.1"


@pytest.mark.parametrize("path", sorted(SILENT))
async def test_probes_and_published_documents_leave_no_row(house: House, path: str) -> None:
    before = len(await house.rows())
    assert (await house.get(path, token=None)).status == 200
    assert (await house.get(f"{path}?x=1", token=None)).status == 422
    assert (await house.call("GET", path, raw=b"x", token=None)).status == 400
    assert (await house.call("DELETE", path)).status == 405
    assert (await house.get("/v1/nothing")).status == 404
    assert len(await house.rows()) == before


# What another tenant's token gets where its own tenant has nothing of the kind.
_MISSING = {
    "secret_not_found", "identity_not_found", "token_not_found", "tenant_access_denied",
    "tenant_not_found", "export_not_found", "policy_not_found", "partner_not_found",
    "trust_not_found",
}  # fmt: skip


@pytest.mark.parametrize("route", [one for one in _ordinary() if "{" in one.path], ids=named)
async def test_another_tenant_sees_nothing_of_it(house: House, route: Route) -> None:
    known = await prepare(house)
    partner = await found_partner(house, "foreign")
    token = await neighbour(house, "partner_admin", partner.id)
    before = (await house.get("/v1/secrets/app/db/versions")).json
    answer = await house.call(route.method, target(route, known), body(route, known), token=token)
    if route.method == "PUT" and "{path*}" in route.path:
        assert answer.status == 201  # the same path in another tenant is another thing
    elif route.verb.startswith("trails."):
        assert answer.json["logs"] == []  # a trail is never missing
    elif route.role == "super_admin":
        assert answer.details == {"required_role": "super_admin"}
    else:
        assert answer.code in _MISSING, answer.body
    assert (await house.get("/v1/secrets/app/db/versions")).json == before
    assert (await house.get("/v1/auth/tokens/" + known["token"])).json["revoked_at"] is None
    row = (await house.rows(request_id=answer.headers["x-request-id"]))[0]
    assert row["tenant_id"] != known["tenant"] or row["success"] is False


@pytest.mark.parametrize("route", [route for route in ROUTES if route.tenant], ids=named)
@pytest.mark.parametrize("role", ["tenant_admin", "partner_admin"])
async def test_naming_a_foreign_tenant(house: House, route: Route, role: str) -> None:
    known = await prepare(house)
    partner = await found_partner(house, "foreign")
    token = await neighbour(house, role, partner.id)
    below = target(route, known).removeprefix("/v1")
    for path, headers in (
        (f"/v1/t/{known['tenant']}{below}", {}),
        (f"/v1{below}", {"X-Tenant-ID": known["tenant"]}),
    ):
        answer = await house.call(
            route.method, path, body(route, known), token=token, headers=headers
        )
        assert (answer.status, answer.code) == (403, "tenant_access_denied")
        assert answer.details == {"tenant_id": known["tenant"]}
