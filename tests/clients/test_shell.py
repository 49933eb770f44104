"""Secrets, batches, policies, audit and probes, as one calls them with curl and jq."""

from __future__ import annotations

import json
from typing import Any

from tests.clients.conftest import Run
from tests.support.process import Server


def write(shell: Run, path: str, body: str) -> Any:
    return json.loads(
        shell(
            f"""curl -sS -X PUT $URL/v1/secrets/{path} \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{body}'"""
        )
    )


def get(shell: Run, target: str) -> Any:
    return json.loads(shell(f'curl -sS -H "Authorization: Bearer $TOKEN" "$URL{target}"'))


def test_a_secret_from_first_write_to_list(shell: Run) -> None:
    body = """{
    "data": {
      "client_id": "3MVG",
      "client_secret": "hidden"
    },
    "secret_type": "json",
    "metadata": {
      "description": "OAuth of the shop",
      "tags": ["shop", "oauth", "live"]
    },
    "options": {
      "max_versions": 10,
      "expires_in": "90d"
    }
  }"""
    made = write(shell, "stages/live/shop/login", body)
    assert (made["version"], made["created"], made["secret_type"]) == (1, True, "json")
    assert made["expires_at"] is not None
    again = write(shell, "stages/live/shop/login", '{"data": {"client_id": "4"}}')
    assert (again["version"], again["created"], again["previous_version"]) == (2, False, 1)
    assert get(shell, "/v1/secrets/stages/live/shop/login")["data"] == {"client_id": "4"}
    assert get(shell, "/v1/secrets/stages/live/shop/login?version=1")["data"]["client_id"] == "3MVG"
    page = get(shell, "/v1/secrets?prefix=stages/live/&limit=50")
    assert [one["path"] for one in page["secrets"]] == ["stages/live/shop/login"]
    assert (page["has_more"], page["total_count"]) == (False, 1)


def test_metadata_is_changed_without_a_version(shell: Run) -> None:
    write(shell, "app/db/password", '{"data": {"password": "one"}}')
    changed = json.loads(
        shell(
            """curl -sS -X PATCH $URL/v1/secrets/app/db/password \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "metadata": {
      "tags": ["postgres", "live", "critical"]
    },
    "options": {"max_versions": 25}
  }'"""
        )
    )
    assert changed["current_version"] == 1
    assert changed["metadata"]["tags"] == ["postgres", "live", "critical"]
    known = get(shell, "/v1/secrets/metadata/app/db/password")
    assert known["version_count"] == 1
    versions = get(shell, "/v1/secrets/app/db/password/versions")
    assert [(one["version"], one["is_current"]) for one in versions["versions"]] == [(1, True)]


def test_rotation_deletion_and_return(shell: Run) -> None:
    write(shell, "app/queue/password", '{"data": {"password": "one"}}')
    rotated = json.loads(
        shell(
            """curl -sS -X POST $URL/v1/secrets/app/queue/password/rotate \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "reason": "it was seen in a log",
    "new_value": {"password": "two"},
    "grace_period": "1h"
  }'"""
        )
    )
    assert (rotated["version"], rotated["previous_version"]) == (2, 1)
    assert get(shell, "/v1/secrets/app/queue/password?version=1")["data"] == {"password": "one"}
    shell(
        """curl -fsS -X DELETE "$URL/v1/secrets/app/queue/password?version=1" \\
  -H "Authorization: Bearer $TOKEN"
curl -fsS -X DELETE $URL/v1/secrets/app/queue/password \\
  -H "Authorization: Bearer $TOKEN" """
    )
    gone = get(shell, "/v1/secrets/app/queue/password")
    assert gone["error"]["code"] == "secret_not_found"
    shell(
        """curl -fsS -X POST $URL/v1/secrets/app/queue/password/restore \\
  -H "Authorization: Bearer $TOKEN" """
    )
    assert get(shell, "/v1/secrets/app/queue/password")["data"] == {"password": "two"}
    shell(
        """curl -fsS -X DELETE "$URL/v1/secrets/app/queue/password?permanent=true" \\
  -H "Authorization: Bearer $TOKEN" """
    )
    assert get(shell, "/v1/secrets/metadata/app/queue/password")["error"]["code"] == (
        "secret_not_found"
    )


def test_what_expires_soon(shell: Run) -> None:
    write(shell, "lab/token", '{"data": {}, "options": {"expires_in": "9d"}}')
    found = get(shell, "/v1/secrets/expiring?days=30")["secrets"]
    assert [
        (one["path"], one["days_remaining"]) for one in found if one["path"] == "lab/token"
    ] == [("lab/token", 9)]


def test_what_a_partner_shares(shell: Run, server: Server) -> None:
    made = json.loads(
        shell(
            """curl -sS -X PUT $URL/v1/partner/secrets/shared/anchor \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{"data": {"cert_pem": "-"}, "secret_type": "certificate"}'"""
        )
    )
    assert made["created"] is True
    assert get(shell, "/v1/partner/secrets/shared/anchor")["data"] == {"cert_pem": "-"}
    write(shell, "app/across", '{"data": {"n": 1}}')
    tenant = server.made["tenant_id"]
    assert get(shell, f"/v1/t/{tenant}/secrets/app/across")["data"] == {"n": 1}


def test_batches(shell: Run) -> None:
    for path in ("parts/mail/key", "parts/pay/oauth", "parts/pay/hook"):
        write(shell, path, '{"data": {"key": "k"}, "metadata": {"tags": ["live"]}}')
    read = json.loads(
        shell(
            """curl -sS -X POST $URL/v1/secrets/batch \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "paths": [
      "parts/mail/key",
      "parts/pay/oauth",
      "parts/pay/missing"
    ],
    "options": {
      "include_metadata": false,
      "fail_fast": false
    }
  }'"""
        )
    )
    assert (read["retrieved"], read["failed"]) == (2, 1)
    assert read["secrets"]["parts/pay/oauth"]["data"] == {"key": "k"}
    assert read["errors"]["parts/pay/missing"]["code"] == "secret_not_found"
    known = json.loads(
        shell(
            """curl -sS -X POST $URL/v1/secrets/batch/metadata \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "paths": ["parts/mail/*", "parts/pay/*"],
    "expand_wildcards": true
  }'"""
        )
    )
    assert sorted(known["metadata"]) == ["parts/mail/key", "parts/pay/hook", "parts/pay/oauth"]
    assert known["metadata"]["parts/mail/key"]["tags"] == ["live"]


def test_policies(shell: Run) -> None:
    policy = json.loads(
        shell(
            """curl -sS -X POST $URL/v1/policies \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "name": "till-card-read",
    "rules": [{"path_pattern": "stages/live/till/card", "permissions": ["read"]}]
  }'"""
        )
    )["id"]
    bound = json.loads(
        shell(
            f"""curl -sS -X POST $URL/v1/policies/{policy}/bindings \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{{"identity_type": "service_account", "identity_id": "sa:till"}}'"""
        )
    )
    assert bound["policy_id"] == policy
    allowed = shell(
        """curl -sS -X POST $URL/v1/policies/test \\
  -H "Authorization: Bearer $TOKEN" \\
  -H "Content-Type: application/json" \\
  -d '{
    "identity_id": "sa:till",
    "path": "stages/live/till/card",
    "permission": "read"
  }' | jq '.allowed'"""
    )
    assert allowed == "true\n"
    fitting = shell(
        """curl -sS -H "Authorization: Bearer $TOKEN" $URL/v1/policies \\
  | jq -r '.policies[] | select(.rules[].path_pattern as $p"""
        """ | "stages/live/till/card" | test($p)) | .id'"""
    )
    assert fitting == policy + "\n"


def test_who_did_what(shell: Run) -> None:
    write(shell, "till/card", '{"data": {"n": 1}}')
    get(shell, "/v1/secrets/till/card")
    lines = shell(
        """curl -sS -H "Authorization: Bearer $TOKEN" \\
     "$URL/v1/audit/secrets/till/card?from=$(date -u -d '1 day ago' +%Y-%m-%dT%H:%M:%SZ)" \\
  | jq -r '.logs[] | "\\(.timestamp) \\(.identity_id) \\(.source_ip)"'"""
    ).splitlines()
    assert [line.split()[1:] for line in lines] == [["sa:root", "127.0.0.1"]] * 2
    trail = json.loads(
        shell(
            """curl -sS -H "Authorization: Bearer $TOKEN" \\
     "$URL/v1/audit/identities/sa:root?from=2026-01-01" """
        )
    )
    assert "till/card" in trail["summary"]["resources_accessed"]


def test_probes_and_who_one_is(shell: Run) -> None:
    assert json.loads(shell("curl -fsS $URL/v1/health"))["status"] == "healthy"
    assert "checks" in shell(
        """curl -sS -H "Authorization: Bearer $TOKEN" \\
     $URL/v1/health/detailed | jq"""
    )
    who = get(shell, "/v1/auth/whoami")
    assert who["identity_id"] == "sa:root"


def test_secrets_that_nobody_reads(shell: Run) -> None:
    write(shell, "idle/one", '{"data": {}}')
    write(shell, "idle/two", '{"data": {}}')
    get(shell, "/v1/secrets/idle/two")
    unused = shell(
        """curl -sS -H "Authorization: Bearer $TOKEN" \\
     "$URL/v1/secrets?include_metadata=true&limit=200" \\
  | jq -r '.secrets[] | select(.access_count_30d == 0) | .path'"""
    ).splitlines()
    assert "idle/one" in unused
    assert "idle/two" not in unused


def test_how_many_calls_are_left(shell: Run) -> None:
    told = shell(
        """curl -sS -i -H "Authorization: Bearer $TOKEN" \\
     $URL/v1/secrets?limit=1 \\
  | grep -i ratelimit"""
    )
    names = [line.partition(":")[0].lower() for line in told.splitlines()]
    assert names == ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"]
