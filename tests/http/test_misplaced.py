"""Tokens and client secrets in places where none belongs: nothing repeats or keeps them."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from scaivault.crypto import codes
from scaivault.errors import without_tokens
from scaivault.http.routes import ROUTES
from tests.support.house import House

SECRET = codes.token(codes.CLIENT_SECRET, bytes(range(32)))
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzYTphcHAifQ.c2lnbmF0dXJlLWMxbmFyeQ"
# Paths of secrets are names that the vault is asked to keep; they are repeated as they are.
IDS = sorted(
    {(route.method, route.path) for route in ROUTES if "{" in route.path and "*" not in route.path}
)
BODIES = [
    ("POST", "/v1/identity/users", {"email": "x@y.example", "groups": ["?"]}),
    ("POST", "/v1/identity/users", {"email": "x@y.example", "tenant_id": "?"}),
    ("POST", "/v1/identity/groups", {"name": "ops", "parent_id": "?"}),
    ("POST", "/v1/identity/tenants", {"name": "x", "slug": "xy", "partner_id": "?"}),
    ("POST", "/v1/identity/service-accounts", {"name": "x", "scopes": ["?"]}),
    ("PUT", "/v1/identity/service-accounts/sa:root/roles", {"roles": ["?"]}),
    ("POST", "/v1/auth/tokens", {"name": "x", "scopes": ["admin"], "identity_id": "?"}),
    ("POST", "/v1/auth/tokens", {"name": "x", "scopes": ["admin"], "expires_in": "?"}),
    ("POST", "/v1/auth/token", {"grant_type": "client_credentials", "client_id": "?"}),
    ("POST", "/v1/auth/token", {"grant_type": "?", "scope": "?"}),
]


@pytest.mark.parametrize("kind", ["personal", "client", "foreign"])
async def test_no_answer_and_no_row_shows_one(house: House, kind: str) -> None:
    secret = {"personal": house.token, "client": SECRET, "foreign": JWT}[kind]
    asked = [
        await house.call(method, "/".join(quote(secret) if "{" in part else part
                                          for part in path.split("/")))
        for method, path in IDS
    ]  # fmt: skip
    for method, path, body in BODIES:
        filled = json.loads(json.dumps(body).replace("?", secret))
        asked.append(await house.call(method, path, filled))
    asked += [
        await house.get("/v1/auth/tokens", query={"identity_id": secret, "status": secret}),
        await house.get("/v1/auth/tokens", query={"identity_id": secret}),
        await house.get("/v1/auth/whoami", headers={"x-tenant-id": secret}),
        await house.get(
            f"/v1/t/{house.made['tenant_id']}/secrets", headers={"x-tenant-id": secret}
        ),
        await house.get("/v1/auth/whoami", headers={"x-request-id": secret}),
        await house.get("/v1/auth/whoami", headers={"user-agent": f"curl -H {secret}"}),
    ]
    assert any(answer.status == 404 for answer in asked)
    told = b"".join(answer.body for answer in asked).decode()
    told += json.dumps([answer.headers for answer in asked])
    told += json.dumps(await house.rows()) + json.dumps(await house.events())
    for part in secret.split("."):
        assert part not in told


def test_what_looks_like_one_is_hidden_and_nothing_else() -> None:
    for secret in (SECRET, SECRET[:20], JWT, JWT[:40]):
        assert without_tokens(f"x {secret}") == "x <secret>"
    for text in (
        "tok_2ggd0648rua2svefc6s3",
        "sa:skt",
        "user:eyJ@harbor.example",
        "risks_abcdefghijklmnop",
    ):
        assert without_tokens(text) == text
