"""Tokens, partner administrators and what they share, as one calls for them with curl and jq."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients.conftest import Run, run
from tests.support.process import Server

SCOPES = ["secrets:read", "secrets:write", "secrets:list", "audit:read"]


def made(server: Server, target: str, body: Any) -> Any:
    answer = server.call("POST", f"/v1/{target}", body)
    assert answer.status == 201, answer.body
    return answer.json


def person(server: Server, email: str, tenant: str, *roles: str) -> str:
    """The token of a new user."""
    user = made(server, "identity/users", {"email": email, "tenant_id": tenant})
    where = f"/v1/identity/users/{user['id']}/roles"
    assert server.call("PUT", where, {"roles": list(roles)}).status == 200
    body = {"name": "laptop", "scopes": SCOPES, "identity_id": user["id"]}
    token: str = made(server, "auth/tokens", body)["token"]
    return token


@pytest.fixture(scope="module")
def tenants(server: Server) -> list[str]:
    """Two of one partner."""
    partner = made(server, "identity/partners", {"name": "Acme", "slug": "acme"})["id"]
    return [
        made(
            server,
            "identity/tenants",
            {"name": name, "slug": name.lower(), "partner_id": partner},
        )["id"]
        for name in ("Live", "Dev")
    ]


@pytest.fixture(scope="module")
def partner_admin(server: Server, tenants: list[str]) -> str:
    return person(server, "boss@acme.example", tenants[0], "partner_admin")


@pytest.fixture
def curl(server: Server, shell: Run) -> Any:
    """Runs lines with variables of one's own; ``shell`` says whether there is a curl at all."""
    return lambda text, **more: run(server, ["bash", "-euo", "pipefail", "-c", text], **more)


def test_what_a_partner_shares_with_its_tenants(
    server: Server, curl: Any, tenants: list[str], partner_admin: str
) -> None:
    write = """curl -sS -X PUT $URL/v1/partner/secrets/shared/roots \\
-H "Authorization: Bearer $PARTNER_ADMIN_TOKEN" \\
-H "Content-Type: application/json" \\
-d '{"data": {"cert_pem": "..."}, "secret_type": "certificate"}'
"""
    assert json.loads(curl(write, PARTNER_ADMIN_TOKEN=partner_admin))["created"] is True
    reader = person(server, "dev@acme.example", tenants[1])
    read = """curl -sS -H "Authorization: Bearer $TOKEN" $URL/v1/partner/secrets/shared/roots"""
    assert json.loads(curl(read, TOKEN=reader))["data"] == {"cert_pem": "..."}
    refused = json.loads(curl(write, PARTNER_ADMIN_TOKEN=reader))
    assert refused["error"]["code"] == "forbidden"
    # Nothing of it is there for other partners' tenants.
    assert json.loads(curl(read))["error"]["code"] == "secret_not_found"


def test_a_partner_administrator_acts_as_a_tenant(
    server: Server, curl: Any, tenants: list[str], partner_admin: str
) -> None:
    dev = tenants[1]
    put = server.call(
        "PUT", f"/v1/t/{dev}/secrets/app/db/password", {"data": {"p": "1"}}, token=partner_admin
    )
    assert put.status == 201
    text = f"""curl -sS -H "Authorization: Bearer $PARTNER_ADMIN_TOKEN" \\
$URL/v1/t/{dev}/secrets/app/db/password
"""
    assert json.loads(curl(text, PARTNER_ADMIN_TOKEN=partner_admin))["data"] == {"p": "1"}
    rows = json.loads(
        curl(
            f"""curl -sS -H "Authorization: Bearer $PARTNER_ADMIN_TOKEN" \\
"$URL/v1/t/{dev}/audit/logs?action=read&path_prefix=app/" """,
            PARTNER_ADMIN_TOKEN=partner_admin,
        )
    )["logs"]
    told = [(row["identity_id"], row["tenant_id"], row["actor_tenant_id"]) for row in rows]
    assert told == [("user:boss@acme.example", dev, tenants[0])]
    # The tenant of another partner is not one of his.
    other = server.made["tenant_id"]
    foreign = json.loads(curl(text.replace(dev, other), PARTNER_ADMIN_TOKEN=partner_admin))
    assert foreign["error"]["code"] in ("tenant_access_denied", "tenant_not_found")


def test_a_program_gets_its_token_as_rfc_6749_says(server: Server, curl: Any) -> None:
    body = {"name": "till", "scopes": ["secrets:read", "secrets:list"]}
    account = made(server, "identity/service-accounts", body)
    secret = made(server, f"identity/service-accounts/{account['id']}/credentials", {})
    variables = {"CLIENT_ID": secret["client_id"], "CLIENT_SECRET": secret["client_secret"]}
    form = """curl -fsS $URL/oauth/token \\
  -d grant_type=client_credentials \\
  -d client_id=$CLIENT_ID -d client_secret=$CLIENT_SECRET \\
  -d scope=secrets:read"""
    token = json.loads(curl(form, **variables))
    assert {name: token[name] for name in ("token_type", "expires_in", "scope")} == {
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "secrets:read",
    }
    basic = """TOKEN=$(curl -fsS -u $CLIENT_ID:$CLIENT_SECRET $URL/oauth/token \\
  -d grant_type=client_credentials | jq -r .access_token)
curl -fsS -H "Authorization: Bearer $TOKEN" $URL/v1/auth/whoami | jq -c '[.identity_id, .scopes]'
"""
    assert json.loads(curl(basic, **variables)) == ["sa:till", ["secrets:list", "secrets:read"]]
    wrong = """curl -sS -o /dev/null -w '%{http_code}' $URL/oauth/token \\
  -d grant_type=client_credentials -d client_id=$CLIENT_ID -d client_secret=no"""
    assert curl(wrong, **variables) == "401"


def test_where_tokens_come_from(curl: Any) -> None:
    text = """curl -fsS $(curl -fsS $URL/v1/auth/config | jq -r .jwks_uri) | jq -r '.keys[].alg'"""
    assert curl(text) == "ES256\n"


def test_a_token_is_narrowed_for_one_job(server: Server, curl: Any) -> None:
    server.put("jobs/night/key", {"k": 1})
    server.put("jobs/day/key", {"k": 1})
    text = """TOKEN=$(curl -fsS $URL/v1/auth/exchange \\
  -H "Content-Type: application/json" -d @- <<END |
{"subject_token": "$TOKEN",
 "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
 "scope": "secrets:read", "allowed_paths": ["jobs/night/**"], "ttl": "5m"}
END
  jq -r .access_token)
for path in jobs/night/key jobs/day/key; do
  curl -sS -o /dev/null -w '%{http_code}\\n' -H "Authorization: Bearer $TOKEN" \\
    $URL/v1/secrets/$path
done
"""
    assert curl(text) == "200\n403\n"
