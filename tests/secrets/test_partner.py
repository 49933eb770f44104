"""Secrets of a partner: read by every tenant of its, written by its administrators."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity.authentication import Known
from tests.support.house import Answer, House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner, found_tenant, suspend

BASE = "/v1/partner/secrets"
PATH = "shared/trust-anchor"
TARGET = f"{BASE}/{PATH}"
READER = ["secrets:read", "secrets:list"]
WRITER = ["secrets:read", "secrets:write", "secrets:delete", "secrets:rotate", "secrets:list"]


async def put(house: House, data: Any = None, **more: Any) -> Answer:
    call = {name: more.pop(name) for name in ("token", "headers") if name in more}
    return await house.call("PUT", TARGET, {"data": data or {}, **more}, **call)


async def test_every_answer_carries_the_scope(house: House) -> None:
    created = await put(house, {"pem": "x"}, secret_type="certificate")
    assert created.status == 201
    assert (created.json["version"], created.json["secret_type"]) == (1, "certificate")
    answers = [
        created,
        await put(house, {"pem": "y"}),
        await house.get(TARGET),
        await house.call("PATCH", TARGET, {"metadata": {"a": 1}}),
        await house.call("POST", f"{TARGET}/rotate", {"new_value": {"pem": "z"}}),
        await house.call("DELETE", f"{TARGET}?version=1"),
        await house.call("DELETE", TARGET),
        await house.call("POST", f"{TARGET}/restore"),
        await house.call("DELETE", f"{TARGET}?permanent=true"),
    ]
    for answer in answers:
        assert answer.status in (200, 201), answer.body
        assert answer.json["scope"] == "partner"
    assert answers[2].json["data"] == {"pem": "y"}
    assert [answer.headers.get("etag") for answer in answers[:5]] == [
        '"1"', '"2"', '"2"', None, '"3"',
    ]  # fmt: skip
    assert (await house.get(TARGET)).code == "secret_not_found"


async def test_no_answer_of_a_tenant_carries_it(house: House) -> None:
    await house.put("a", {"n": 1})
    for answer in (
        await house.read("a"),
        await house.put("a"),
        await house.call("PATCH", "/v1/secrets/a", {"metadata": {}}),
        await house.call("POST", "/v1/secrets/a/rotate", {"new_value": {}}),
        await house.delete("a"),
    ):
        assert "scope" not in answer.json


async def test_every_tenant_of_the_partner_reads_it_without_a_policy(house: House) -> None:
    await put(house, {"n": 1})
    sibling = await found_tenant(house, "sibling")
    for tenant in (None, sibling.id):
        token = await house.client(f"app-{tenant is None}".lower(), READER, tenant=tenant)
        assert (await house.get(TARGET, token=token)).json["data"] == {"n": 1}
        assert (await house.read(PATH, token=token)).code == "access_denied"
    foreign = await found_partner(house, "foreign")
    stranger = await neighbour(house, "partner_admin", foreign.id)
    assert (await house.get(TARGET, token=stranger)).code == "secret_not_found"


@pytest.mark.parametrize("roles", [[], ["tenant_admin"]])
async def test_others_than_its_administrators_change_nothing(
    house: House, roles: list[str]
) -> None:
    await put(house, {"n": 1})
    token = await house.client("app", WRITER, roles)
    for method, target, body in (
        ("PUT", TARGET, {"data": {}}),
        ("PUT", f"{BASE}/new", {"data": {}}),
        ("PATCH", TARGET, {"metadata": {}}),
        ("DELETE", TARGET, None),
        ("DELETE", f"{TARGET}?permanent=true", None),
        ("POST", f"{TARGET}/restore", None),
        ("POST", f"{TARGET}/rotate", {"new_value": {}}),
    ):
        answer = await house.call(method, target, body, token=token)
        assert (answer.status, answer.code) == (403, "forbidden")
        assert answer.details == {"required_role": "partner_admin"}
    assert (await house.get(TARGET)).json["version"] == 1
    assert (await house.get(f"{BASE}/new")).code == "secret_not_found"


async def test_a_partner_administrator_writes_for_his_own_partner(house: House) -> None:
    await put(house, {"of": "first"})
    foreign = await found_partner(house, "foreign")
    token = await neighbour(house, "partner_admin", foreign.id)
    assert (await put(house, {"of": "second"}, token=token)).status == 201
    assert (await house.get(TARGET, token=token)).json["data"] == {"of": "second"}
    assert (await house.get(TARGET)).json["data"] == {"of": "first"}
    named = {"X-Tenant-ID": house.made["tenant_id"]}
    assert (await house.get(TARGET, token=token, headers=named)).code == "tenant_access_denied"
    # Whose role reaches further names a tenant of the partner that he means.
    tenant = next(t for t in house.vault.tenancy.tenants.values() if t.partner_id == foreign.id)
    seen = await house.get(TARGET, headers={"X-Tenant-ID": tenant.id})
    assert seen.json["data"] == {"of": "second"}


async def test_one_key_of_idempotency_in_two_partners(house: House) -> None:
    foreign = await found_partner(house, "foreign")
    tenant = await found_tenant(house, "other", foreign.id)
    key = {"Idempotency-Key": "k"}
    assert (await put(house, {"n": 1}, headers=key)).status == 201
    second = await put(house, {"n": 1}, headers={**key, "X-Tenant-ID": tenant.id})
    assert (second.status, "idempotency-replayed" in second.headers) == (201, False)
    again = await put(house, {"n": 1}, headers=key)
    assert again.headers["idempotency-replayed"] == "true"


async def test_scopes_and_the_tokens_paths(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    await put(house)
    narrow = await house.client("narrow", ["secrets:list"], ["partner_admin"])
    answer = await house.get(TARGET, token=narrow)
    assert answer.details == {"required_scope": "secrets:read"}
    identity = house.vault.authentication
    known = await identity.authenticate(house.token, house.clock.now())

    async def narrowed(_token: str, _now: int) -> Known:
        return Known(replace(known.principal, allowed_paths=(("shared/**",),)), known.ends)

    monkeypatch.setattr(identity, "authenticate", narrowed)
    assert (await house.get(TARGET)).status == 200
    for method, body in (("GET", None), ("PUT", {"data": {}}), ("DELETE", None)):
        answer = await house.call(method, f"{BASE}/other", body)
        assert (answer.code, answer.details["reason"]) == ("access_denied", "token_paths")


async def test_it_is_not_the_tenants(house: House) -> None:
    await house.put(PATH, {"of": "tenant"})
    await put(house, {"of": "partner"})
    assert (await house.read(PATH)).json["data"] == {"of": "tenant"}
    assert (await house.get(TARGET)).json["data"] == {"of": "partner"}
    await house.call("DELETE", f"{TARGET}?permanent=true")
    assert (await house.read(PATH)).json["data"] == {"of": "tenant"}
    assert (await house.get("/v1/secrets")).json["total_count"] == 1
    await put(house, {"of": "partner"})
    await house.delete(PATH, permanent="true")
    assert (await house.get("/v1/secrets")).json["secrets"] == []
    assert (await house.get(TARGET)).json["data"] == {"of": "partner"}


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("field", ["rotation_policy_id", "secret_policy_id"])
async def test_policies_cannot_be_attached(house: House, method: str, field: str) -> None:
    await put(house)
    body: dict[str, Any] = {"options": {field: "x_1"}, "metadata": {}}
    if method == "PUT":
        body["data"] = {}
    answer = await house.call(method, TARGET, body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == [f"options.{field}"]


async def test_rows_and_events(house: House) -> None:
    sibling = await found_tenant(house, "sibling")
    token = await house.client("reader", READER, tenant=sibling.id)
    partner, tenant = house.made["partner_id"], house.made["tenant_id"]
    made = await put(house, {"n": 1})
    seen = await house.get(TARGET, token=token)
    refused = await house.call("DELETE", TARGET, token=token)
    missing = await house.get(f"{BASE}/none", token=token)
    for answer, action, home in (
        (made, "write", tenant), (seen, "read", sibling.id), (refused, "delete", sibling.id),
        (missing, "read", sibling.id),
    ):  # fmt: skip
        (row,) = await house.rows(request_id=answer.headers["x-request-id"])
        assert (row["action"], row["success"]) == (action, answer.status < 400)
        assert (row["tenant_id"], row["partner_id"]) == (None, partner)
        assert row["actor_tenant_id"] == home
        assert row["extra_data"]["scope"] == "partner"
    (event,) = await house.events()
    assert (event["event_type"], event["path"]) == ("secret.created", PATH)
    assert (event["tenant_id"], event["partner_id"]) == (None, partner)


async def test_reads_are_counted_also_after_a_crash(house: House) -> None:
    await put(house)
    for _ in range(3):
        await house.get(TARGET)
    patch = {"metadata": {"a": 1}}
    assert (await house.call("PATCH", TARGET, patch)).json["access_count_30d"] == 3
    await house.crash()
    await house.unseal()
    after = (await house.call("PATCH", TARGET, patch)).json
    assert (after["access_count_30d"], after["last_accessed_at"]) == (
        3, "2031-05-09T06:30:00.000000Z",
    )  # fmt: skip
    await house.vault.flush()
    await house.restart()
    await house.unseal()
    assert (await house.call("PATCH", TARGET, patch)).json["access_count_30d"] == 3


async def test_it_is_sealed_under_the_partners_key_and_wrapped_anew_with_it(
    house: House,
) -> None:
    partner = house.made["partner_id"]
    await put(house, {"n": 1})
    await put(house, {"n": 2})
    where = f"/v1/system/partners/{partner}/rotate-key"
    begun = (await house.call("POST", where)).json
    assert (begun["deks_total"], begun["deks_remaining"]) == (2, 2)
    assert (await house.get(TARGET)).json["data"] == {"n": 2}
    await put(house, {"n": 3})
    house.clock.advance(HOUR)
    await house.vault.keys.rewrap(house.vault.internal("rewrap"), lambda: False)
    done = (await house.get(where)).json
    assert (done["status"], done["deks_total"], done["deks_remaining"]) == ("done", 3, 0)
    for version in (1, 2, 3):
        read = await house.get(f"{TARGET}?version={version}")
        assert read.json["data"] == {"n": version}
    await house.restart()
    await house.unseal()
    assert (await house.get(TARGET)).json["data"] == {"n": 3}
    tenant = house.made["tenant_id"]
    await house.call("POST", f"/v1/system/tenants/{tenant}/rotate-key")
    await house.vault.keys.rewrap(house.vault.internal("rewrap"), lambda: False)
    assert (await house.get(TARGET)).json["data"] == {"n": 3}


async def test_purge_and_notices_belong_to_the_partner(house: House) -> None:
    await put(house, options={"expires_in": "1h"})
    house.clock.advance(HOUR)
    await house.vault.upkeep.announce(house.vault.internal("expiry"))
    await house.call("DELETE", TARGET)
    house.clock.advance(30 * DAY)
    await house.vault.upkeep.purge(house.vault.internal("purge"))
    assert (await house.call("POST", f"{TARGET}/restore")).code == "secret_not_found"
    events = await house.events()
    assert [event["event_type"] for event in events] == [
        "secret.created", "secret.expired", "secret.deleted", "secret.deleted",
    ]  # fmt: skip
    for event in events:
        assert (event["tenant_id"], event["partner_id"]) == (None, house.made["partner_id"])
    rows = await house.rows(identity_type="system", partner_id=house.made["partner_id"])
    rows = [row for row in rows if row["identity_id"] in ("system:expiry", "system:purge")]
    assert [(row["action"], row["tenant_id"], row["extra_data"]["scope"]) for row in rows] == [
        ("job_control", None, "partner"), ("delete", None, "partner"),
    ]  # fmt: skip


async def test_a_damaged_value_is_set_aside_alone(house: House) -> None:
    await put(house, {"n": 1})
    await put(house, {"n": 2})

    def damage(tx: Transaction) -> None:
        tx.execute("UPDATE secret_version SET value = zeroblob(64) WHERE version = 2")

    vault = house.vault
    await vault.gate.change(vault.internal("test"), Act("job_control"), damage)
    vault.values.shelf.clear()
    spot, failed = await vault.upkeep.scrub(vault.internal("scrub"), ("", "", 0))
    assert (spot, failed) == (None, 1)
    (row,) = await house.rows(identity_id="system:scrub")
    assert (row["tenant_id"], row["partner_id"]) == (None, house.made["partner_id"])
    assert row["extra_data"] == {"version": 2, "quarantined": True, "scope": "partner"}
    assert (await house.get(TARGET)).status == 500
    assert (await house.get(f"{TARGET}?version=1")).json["data"] == {"n": 1}


async def test_suspended(house: House) -> None:
    tenant = await found_tenant(house, "sibling")
    token = await house.client("app", READER, tenant=tenant.id)
    await put(house)
    assert (await house.get(TARGET, token=token)).status == 200
    await suspend(house, "tenant", tenant.id)
    answer = await house.get(TARGET, token=token)
    assert (answer.code, answer.details) == ("forbidden", {"reason": "tenant_suspended"})
