"""What audit rows say besides their fields: a closed list for each action."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from scaivault.audit.terms import SEGMENT
from scaivault.clock import DAY, FakeClock
from scaivault.http.routes import ROUTES
from tests.http.test_routes import ASKING, SILENT, body, prepare, target
from tests.identity.sync.scaikey import ScaiKey
from tests.support import ledger
from tests.support.house import PASSPHRASE, Answer, House
from tests.support.issuing import Provider, jwk
from tests.support.people import login, proven
from tests.support.rights import grant
from tests.support.trusting import build, exchange, runner, trust

# Of any row: ``permission`` and ``failed_condition`` of what policy refused, ``scope`` of what
# belongs to a partner.
COMMON = {
    "error_code", "client_request_id", "replayed", "header_tenant_id", "suppressed", "scope",
    "permission", "failed_condition",
}  # fmt: skip
_TOKEN = {"token_id", "for", "scopes", "expires_at"}
_OBJECT = {"object_type", "object_id"}
_SLOT = {"slot_id", "slot_type"}
_BINDING = {"policy_id", "binding_id", "for"}

# All that a row of the action can say.
KEYS: dict[str, set[str]] = {
    "read": {"version"},
    "write": {"version", "created", "generated", "operation"},
    "delete": {"permanent", "version", "purge", "version_count"},
    "list": {"count", "paths"},
    "restore": {"version"},
    "rotate": {
        "version", "old_version", "rotation_policy_id", "rotation_id", "trigger", "reason",
        "auto_generated", "grace_period",
    },
    "policy_create": {"policy_id"},
    "policy_read": {"policy_id", "for"},
    "policy_update": {"policy_id", "old_rules", "new_rules"},
    "policy_delete": {"policy_id"},
    "policy_bind": _BINDING,
    "policy_unbind": _BINDING | {"reason"},
    "auth_login": {
        "grant", "client_id", "credential_id", "trust_id", "issuer", "subject", "token_id",
    },
    "auth_failed": {"route", "issuer", "subject", "client_id"},
    "auth_read": {"token_id"},
    "token_create": _TOKEN | _SLOT,
    "token_revoke": {"token_id", "for"},
    "mfa_enrol": {"for"},
    "mfa_verify": {"for"},
    "mfa_reset": {"for"},
    "identity_create": _OBJECT,
    "identity_read": _OBJECT,
    "identity_update": _OBJECT | {"changed", "for"},
    "identity_delete": _OBJECT,
    "credential_create": {"credential_id", "object_id"},
    "credential_revoke": {"credential_id", "object_id"},
    "trust_create": {"trust_id"},
    "trust_update": {"trust_id"},
    "trust_delete": {"trust_id"},
    "role_change": {"for", "old", "new"},
    "access_revoke": {
        "for", "tokens_revoked", "credentials_revoked", "trusts_disabled",
        "subscriptions_disabled", "leases_revoked", "leases_pending",
    },
    "identity_sync": {"sync_id", "created", "updated", "suspended"},
    "identity_webhook": {"event_id", "event_type", "result"},
    "export_created": {"export_id", "destination_type", "format", "filters"},
    "export_run": {"export_id", "records"},
    "audit_read": {"export_id", "records"},
    "audit_verify": {"records"},
    "audit_retention": {"retention", "pending_retention", "pending_from"},
    "audit_prune": {"tenant_id", "cutoff", "rows", "first_seq", "last_seq", "set_hash"},
    "init": _TOKEN,
    "seal": {"hold"},
    "unseal": _SLOT | {"progress"},
    "slot_add": _SLOT,
    "slot_remove": _SLOT,
    "slot_verify": _SLOT | {"valid", "complete"},
    "root_rotate": {"key_version", "file_key_version", "stage", "reason"},
    "key_rotate": {"key_version", "rewrapped", "quarantined", "destroyed"},
    "job_control": {
        "job", "status", "paused", "page_faults", "values_failed", "events", "export_id",
        "last_seq", "version", "quarantined",
    },
    "system_read": set(),
}  # fmt: skip


# Who works without being asked: ``system:<component>``.
COMPONENTS = {
    "rotation-scheduler", "dynamic-engines", "federation-sync", "pki-renewal", "lease-manager",
    "webhook-delivery", "identity-sync", "expiry", "purge", "audit", "backup",
    "identity", "rewrap", "scrub", "unseal", "dev",
}  # fmt: skip


async def _routes(house: House) -> None:
    """A call of every route that has no walk of its own, for good and for bad."""
    known = await prepare(house)
    # What lies below something is deleted before it.
    for route in sorted(ROUTES, key=lambda one: (one.method == "DELETE", -len(one.path))):
        if route.path in SILENT | {ASKING} or re.match(r"/v1/system/|/oauth", route.path):
            continue
        token = None if route.open else ""
        sent = body(route, known)
        headers = {"X-Request-ID": "theirs-1"}
        await house.call(route.method, target(route, known), sent, token=token, headers=headers)
        await house.call(route.method, re.sub(r"\{[^}]*\}", "x", route.path), sent, token="no")
    wrong = {**body(_grant(), known), "client_secret": "sks_no"}
    await house.call("POST", "/v1/auth/token", wrong, token=None)


def _grant() -> Any:
    return next(route for route in ROUTES if route.path == "/v1/auth/token")


async def _people(house: House) -> None:
    """A user's second factor, a build's token, and news of ScaiKey."""
    await proven(house, await login(house, "user:ines@harbor.example"))
    assert isinstance(house.clock, FakeClock)
    forge = Provider(house.clock)
    forge.url = "https://forge.harbor.example"
    await runner(house)
    await trust(house, forge, jwks={"keys": [jwk(forge.key, forge.kid)]})
    for status in (200, 401):  # it counts once
        assert (await exchange(house, build(forge))).status == status
    await ScaiKey(house).found()


async def _secrets(house: House) -> None:
    """What the plain calls leave out."""
    await house.put("kept/a", {"n": 1})
    await house.put("kept/a", {"n": 2})
    await house.read("kept/a")
    await house.delete("kept/a", version=1)
    once = {"Idempotency-Key": "k"}
    for _ in range(2):
        await house.put("kept/b", {"n": 1}, headers=once)
    await house.call("POST", "/v1/secrets/kept/b/restore")
    where = f"/v1/t/{house.made['tenant_id']}/secrets"
    await house.get(where, headers={"X-Tenant-ID": "tnt_other"})
    token = await house.client("bot", ["secrets:read", "secrets:list", "secrets:write"])
    grant(house, ("open/**", {"read"}))
    await house.read("kept/b", token=token)
    await house.put("bad", {"n": 1})
    await house.delete("kept/b")
    policy = await house.call(
        "POST",
        "/v1/policies",
        {"name": "forced", "rules": [{"path_pattern": "a/**", "permissions": ["read"]}]},
    )
    bound = {"identity_type": "user", "identity_id": "user:x@harbor.example"}
    await house.call("POST", f"/v1/policies/{policy.json['id']}/bindings", bound)
    await house.call("DELETE", f"/v1/policies/{policy.json['id']}?force=true")
    await house.put("soon", {}, options={"expires_at": "2031-05-20T00:00:00Z"})


async def _vault(house: House) -> None:
    """The keys and the slots of the vault, its jobs, seal and unseal."""
    tenant, partner = house.made["tenant_id"], house.made["partner_id"]
    (first,) = (slot["id"] for slot in house.made["slots"])
    made = await house.call(
        "POST", "/v1/system/slots", {"type": "shamir", "shares": 3, "threshold": 2}
    )
    assert made.status == 201, made.body
    slot, shares = made.json["id"], made.json["shares"]
    await house.call("POST", f"/v1/system/slots/{slot}/verify", {"shares": shares[:2]})
    for what in (f"tenants/{tenant}", f"partners/{partner}"):
        assert (await house.call("POST", f"/v1/system/{what}/rotate-key")).status == 202
    await house.call("POST", "/v1/system/jobs/pause")
    await house.call("POST", "/v1/system/jobs/resume")
    await house.vault.database.alone(
        lambda db: db.execute("UPDATE secret_version SET dek = zeroblob(73) WHERE path = 'bad'")
    )
    await house.vault.keys.rewrap(house.vault.internal("rewrap"), lambda: False)
    credentials = [
        {"slot_id": first, "passphrase": PASSPHRASE}, {"slot_id": slot, "shares": shares[:2]},
    ]  # fmt: skip
    rotated = await house.call(
        "POST",
        "/v1/system/rotate-root",
        {"credentials": credentials, "rekey_file": True, "reason": "yearly"},
    )
    assert rotated.status == 200, rotated.body
    (shares,) = rotated.json["shares"].values()
    await house.call("POST", "/v1/system/root-token", {"passphrase": PASSPHRASE}, token=None)
    await house.get("/v1/system/slots")
    await house.call("POST", "/v1/system/seal", {"hold": False})
    await house.unseal(share=shares[0])
    await house.unseal(share=shares[1])
    await house.call("DELETE", f"/v1/system/slots/{slot}?force=true")


async def _jobs(house: House) -> None:
    """All that happens by itself, with something to do for each."""
    await house.put("broken/value", {"n": 1})
    await house.vault.database.alone(
        lambda db: db.execute(
            "UPDATE secret_version SET dek = zeroblob(73) WHERE path = 'broken/value'"
        )
    )
    await house.read("broken/value")
    await house.call("PUT", "/v1/audit/retention", {"retention": "30d"})
    await ledger.fill(house, [house.made["tenant_id"]], 1500)
    await house.vault.checkpoint()
    written = house.vault.ledger.committed_seq
    await house.run_jobs()
    for days in (1, 1, 8, 31, 62):
        house.clock.advance(days * DAY)
        await house.run_jobs()
        await ledger.everything(house)
    assert house.vault.ledger.committed_seq > written
    assert written < SEGMENT  # or the index would want its turn


async def _refused_export(house: House) -> None:
    """An export, and one whose destination cannot be."""
    await house.call(
        "POST",
        "/v1/audit/export",
        {"from": "2031-01-01", "to": "2031-07-01", "destination": {"type": "file"}},
    )
    for _ in range(3):
        house.clock.advance(DAY)
        await house.run_jobs()


async def test_rows_say_nothing_but_what_is_listed(tmp_path: Path) -> None:
    """And all that is listed is said by one at least."""
    receiver = ScaiKey.settings(tmp_path)
    house = await House.opened(tmp_path / "vault", rate_limits__enabled=False, **receiver)
    try:
        for walk in (_routes, _people, _secrets, _vault, _refused_export, _jobs):
            await walk(house)
            await ledger.everything(house)  # before any is pruned
        said: dict[str, set[str]] = defaultdict(set)
        for row in await ledger.everything(house):
            said[row["action"]] |= row["extra_data"].keys() - COMMON
        assert said == KEYS
        rows = [row["identity_id"] for row in await ledger.everything(house)]
        assert {one[7:] for one in rows if one and one.startswith("system:")} <= COMPONENTS
    finally:
        await house.close()


async def _told(house: House, answer: Answer) -> tuple[str, Any]:
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    return row["action"], row["extra_data"]


@pytest.mark.parametrize("route", ["/v1/auth/token", "/oauth/token"])
async def test_a_grant_says_which_client_and_what_it_got(house: House, route: str) -> None:
    known = await prepare(house)
    grant_of = {**body(_grant(), known), "scope": "secrets:read"}

    async def ask(**change: str) -> tuple[str, Any]:
        raw = urlencode({**grant_of, **change}).encode()
        form = {"content-type": "application/x-www-form-urlencoded"}
        return await _told(
            house, await house.call("POST", route, raw=raw, headers=form, token=None)
        )

    action, extra = await ask()
    assert (action, extra.pop("token_id")[:4]) == ("auth_login", "tok_")
    assert extra == {
        "grant": "client_credentials",
        "client_id": known["account"],
        "credential_id": known["credential"],
    }
    failed = {"route": f"POST {route}", "client_id": known["account"]}
    for change, code in (
        ({"client_secret": "sks_no"}, "token_invalid"),
        ({"scope": "admin"}, "insufficient_scope"),
        ({"grant_type": "password"}, "invalid_request"),
    ):
        assert await ask(**change) == ("auth_failed", {**failed, "error_code": code})
    # What is no client id is not kept: it may be a secret in the wrong place.
    action, extra = await ask(client_id="sks_secret")
    assert extra == {"route": f"POST {route}", "error_code": "token_invalid"}


@pytest.mark.parametrize("below", ["", "/credentials", "/roles"])
async def test_a_look_at_an_account_says_at_which(house: House, below: str) -> None:
    known = await prepare(house)
    answer = await house.get(f"/v1/identity/service-accounts/{known['account']}{below}")
    said = {"object_type": "service_account", "object_id": known["account"]}
    assert await _told(house, answer) == ("identity_read", said)


async def test_what_counters_write_down_says_so(house: House) -> None:
    await house.put("app/db", {"n": 1})
    await house.read("app/db")
    await house.vault.flush()
    rows = await house.rows(action="job_control", identity_type="system")
    assert {(row["identity_id"], row["extra_data"]["job"]) for row in rows} == {
        ("system:audit", "flush"), ("system:identity", "flush"),
    }  # fmt: skip
