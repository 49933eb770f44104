"""What becomes of a tenant that was deleted: 30 days to think again, then its key is destroyed."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, SECOND
from scaivault.errors import Refusal
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from tests.support.house import House
from tests.support.tenants import credential
from tests.tenancy.asking import SCOPES, TENANTS, change, delete, later, partner, tenant

MONTH = 30 * DAY


async def counted(house: House, sql: str, *values: object) -> int:
    found = await house.vault.gate.ask(lambda db: db.execute(sql, values).fetchone())
    return int(found[0])


async def keys(house: House, owner: str) -> int:
    sql = "SELECT count(*) FROM wrapped_key WHERE owner_id = ?"
    held = len(house.vault.keyring.versions(owner))
    assert await counted(house, sql, owner) == held
    return held


async def secrets(house: House, owner: str) -> int:
    return sum(
        [
            await counted(house, f"SELECT count(*) FROM {table} WHERE owner_id = ?", owner)
            for table in ("secret", "secret_version", "secret_access", "secret_tag")
        ]
    )


async def filled(house: House, slug: str) -> str:
    """A tenant with some secrets, one of them deleted, some read."""
    made = await tenant(house, slug)
    for n in range(3):
        where = f"/v1/t/{made['id']}/secrets/a/{n}"
        body = {"data": {"n": n}, "metadata": {"tags": ["x"]}}
        assert (await house.call("PUT", where, body)).status == 201
        assert (await house.get(where)).status == 200
    await house.call("DELETE", f"/v1/t/{made['id']}/secrets/a/2")
    return str(made["id"])


async def test_thirty_days_to_the_microsecond(house: House) -> None:
    one, other = await filled(house, "one"), await filled(house, "other")
    await later(house, HOUR)
    await delete(house, one)
    await later(house, MONTH - 1)
    assert (await keys(house, one), await secrets(house, one) > 0) == (1, True)
    assert (await change(house, one, {"status": "ACTIVE"})).status == 200
    assert (await house.get(f"/v1/t/{one}/secrets/a/1")).json["data"] == {"n": 1}
    await delete(house, one)
    await later(house, MONTH)
    assert (await keys(house, one), await secrets(house, one)) == (0, 0)
    answer = await change(house, one, {"status": "ACTIVE"})
    assert (answer.status, answer.code) == (409, "invalid_state")
    assert answer.details == {"reason": "key_destroyed"}
    assert (await house.get(f"{TENANTS}/{one}")).json["status"] == "DELETED"
    assert (await house.get(f"/v1/t/{other}/secrets/a/1")).json["data"] == {"n": 1}


async def test_the_ledger_tells_of_it_once(house: House) -> None:
    one = await filled(house, "one")
    await delete(house, one)
    await later(house, MONTH)
    await later(house, DAY)
    rows = [row for row in await house.rows(tenant_id=one) if row["identity_type"] == "system"]
    assert [(row["action"], row["success"], row["identity_id"]) for row in rows] == [
        ("delete", True, "system:purge"),  # the secret that was deleted by itself
        ("identity_delete", True, "system:purge"),
        ("delete", True, "system:purge"),
    ]
    destroyed, swept = rows[-2:]
    assert destroyed["extra_data"] == {"object_type": "tenant_key", "object_id": one}
    assert destroyed["partner_id"] == house.made["partner_id"]
    assert swept["extra_data"].items() >= {"permanent": True, "purge": True}.items()


async def test_its_trail_stays(house: House) -> None:
    """For super_admin alone: to all others the tenant is not there."""
    one = await filled(house, "one")
    await delete(house, one)
    await later(house, MONTH)
    house.token = await house.client("boss", ["admin"], ["super_admin"])
    logs = (await house.get(f"/v1/t/{one}/audit/logs?limit=1000")).json["logs"]
    told = {(row["action"], row["secret_path"]) for row in logs}
    assert told >= {("write", "a/1"), ("read", "a/1"), ("identity_delete", None)}
    trail = (await house.get(f"/v1/t/{one}/audit/secrets/a/1")).json
    assert {row["action"] for row in trail["logs"]} == {"write", "read"}
    assert (await house.get("/v1/audit/verify")).json["valid"] is True
    token = await house.client("pa", ["audit:read"], ["partner_admin"])
    answer = await house.get(f"/v1/t/{one}/audit/logs", token=token)
    assert (answer.status, answer.code) == (404, "tenant_not_found")


async def test_many_secrets_go_in_steps(house: House) -> None:
    one = str((await tenant(house, "one"))["id"])
    for n in range(7):
        await house.call("PUT", f"/v1/t/{one}/secrets/a/{n}", {"data": {}})
    await delete(house, one)
    left = house.vault.ending._leftovers[0]
    seen: list[int] = []

    def drop(tx: Transaction, owner: str, _most: int) -> int:
        seen.append(left.drop(tx, owner, 3))
        return seen[-1]

    house.vault.ending._leftovers = (left._replace(drop=drop),)  # type: ignore[misc]
    await later(house, MONTH)
    assert seen == [3, 3, 1]
    assert await secrets(house, one) == 0


async def test_a_stop_between_key_and_rows(house: House) -> None:
    """Rows whose key is gone hurt nobody: neither an opening, nor the scrub, nor a rotation."""
    one = await filled(house, "one")
    await delete(house, one)
    await later(house, MONTH - 1)
    left = house.vault.ending._leftovers
    house.vault.ending._leftovers = ()  # type: ignore[misc]
    await later(house, HOUR)
    house.vault.ending._leftovers = left  # type: ignore[misc]
    assert (await keys(house, one), await secrets(house, one) > 0) == (0, True)
    await house.restart()
    await house.unseal()
    spot, failed = await house.vault.upkeep.scrub(house.vault.internal("scrub"), ("", "", 0))
    assert (spot, failed) == (None, 0)
    broken = "SELECT count(*) FROM secret_version WHERE quarantined_at IS NOT NULL"
    assert await counted(house, broken) == 0
    for kind, owner in (("partners", house.made["partner_id"]), ("tenants", one)):
        answer = await house.call("POST", f"/v1/system/{kind}/{owner}/rotate-key")
        assert answer.status == (202 if kind == "partners" else 409), answer.body
    assert await keys(house, one) == 0
    await later(house, HOUR)
    assert await secrets(house, one) == 0
    runs = {name: run.status for name, run in house.vault.jobs.runs.items()}
    assert "failed" not in runs.values(), runs


@pytest.mark.parametrize("destroyed", [False, True])
async def test_calls_to_what_is_no_more(house: House, destroyed: bool) -> None:
    one = await filled(house, "one")
    token = await house.client("app", SCOPES, ["tenant_admin"], one)
    await delete(house, one)
    if destroyed:
        await later(house, MONTH)
        fresh = await house.client("boss", [*SCOPES, "admin"], ["super_admin"])
    else:
        fresh = ""
    for target in ("a/0", "a/2", "a/0/versions", "", "metadata/a/0"):
        slash = "/" if target else ""
        path = f"/v1/t/{one}/secrets{slash}{target}"
        answer = await house.get(path, token=fresh)
        assert (answer.status, answer.code) == (404, "tenant_not_found")
        assert (await house.get("/v1/secrets" + slash + target, token=token)).status == 401
    answer = await house.call("PUT", f"/v1/t/{one}/secrets/a/9", {"data": {}}, token=fresh)
    assert answer.code == "tenant_not_found"
    where = f"/v1/system/tenants/{one}/rotate-key"
    for method in ("GET", "POST"):
        answer = await house.call(method, where, token=fresh)
        assert (answer.status, answer.details) == (409, {"reason": "deleted"})
    body = {"name": "x", "scopes": ["secrets:read"], "tenant_id": one}
    answer = await house.call("POST", "/v1/identity/service-accounts", body, token=fresh)
    assert answer.code == "tenant_not_found"


async def test_a_token_of_a_deleted_tenant(house: House) -> None:
    one = await filled(house, "one")
    token = await house.client("app", SCOPES, ["tenant_admin"], one)
    high = await house.client("high", SCOPES, ["super_admin"], one)
    assert (await house.get("/v1/secrets/a/1", token=token)).status == 200
    await delete(house, one)
    for held in (token, high):
        for target in ("/v1/secrets/a/1", "/v1/auth/whoami", TENANTS):
            answer = await house.get(target, token=held)
            assert (answer.status, answer.code) == (401, "token_revoked")
        answer = await house.get(
            "/v1/secrets", token=held, headers={"x-tenant-id": house.made["tenant_id"]}
        )
        assert (answer.status, answer.code) == (401, "token_revoked")
    await change(house, one, {"status": "ACTIVE"})
    assert (await house.get("/v1/secrets/a/1", token=token)).json["data"] == {"n": 1}


async def test_a_token_of_a_deleted_partner(house: House) -> None:
    """As an outside issuer deletes partners, whatever they hold."""
    away = await partner(house, "away")
    far = await tenant(house, "far", partner_id=away["id"])
    token = await house.client("app", SCOPES, ["tenant_admin"], far["id"])
    vault = house.vault

    def gone(tx: Transaction) -> None:
        row = vault.tenancy.partner(tx.connection, away["id"])
        assert row is not None
        vault.tenancy.keep_partner(tx, row._replace(status="DELETED"))

    assert (await house.get("/v1/secrets", token=token)).status == 200
    await vault.gate.change(vault.internal("test"), Act("identity_update"), gone)
    answer = await house.get("/v1/secrets", token=token)
    assert (answer.status, answer.code) == (401, "token_revoked")
    answer = await house.get(f"/v1/t/{far['id']}/secrets")
    assert answer.code == "tenant_not_found"


async def test_credentials_of_a_deleted_tenant(house: House) -> None:
    one = await filled(house, "one")
    made = await house.call(
        "POST",
        "/v1/identity/service-accounts",
        {"name": "app", "scopes": ["secrets:read"], "tenant_id": one},
    )
    known = await credential(house, made.json["id"])
    body = {"grant_type": "client_credentials", **{k: known[k] for k in known if k != "id"}}

    async def login() -> tuple[int, Any]:
        answer = await house.call("POST", "/v1/auth/token", body, token=None)
        return answer.status, answer.json.get("error", {}).get("code")

    assert await login() == (200, None)
    await delete(house, one)
    assert await login() == (401, "token_invalid")
    await change(house, one, {"status": "ACTIVE"})
    assert await login() == (200, None)


async def test_an_issuer_s_tenant_keeps_its_key(house: House) -> None:
    """One that was deleted without a time for a second thought."""
    one = await filled(house, "one")
    await delete(house, one)
    await house.vault.database.alone(
        lambda db: db.execute("UPDATE tenant SET issuer='corp', deleted_at=NULL WHERE id=?", (one,))
    )
    await house.restart()
    await house.unseal()
    await later(house, 2 * MONTH)
    assert await keys(house, one) == 1


async def test_a_rotation_under_way_when_the_key_goes(house: House) -> None:
    one = await filled(house, "one")
    await house.run_jobs()
    assert (await house.call("POST", f"/v1/system/tenants/{one}/rotate-key")).status == 202
    assert await keys(house, one) == 2
    await delete(house, one)
    house.clock.advance(MONTH)
    await house.vault.ending.run(house.vault.internal("purge"), lambda: False)
    assert (await keys(house, one), await secrets(house, one)) == (0, 0)
    await later(house, 2 * SECOND)
    runs = {name: run.status for name, run in house.vault.jobs.runs.items()}
    assert "failed" not in runs.values(), runs
    detailed = (await house.get("/v1/health/detailed")).json
    assert detailed["checks"]["encryption"]["key_status"] == "active"


async def test_a_destruction_that_does_not_commit(house: House) -> None:
    """The key is in the ring again, as it is in the file."""
    one = await filled(house, "one")
    vault = house.vault
    row = vault.tenancy.tenants[one]

    def destroy(tx: Transaction) -> None:
        vault.ending._take_out(tx, row)
        assert vault.keyring.versions(one) == []
        raise Refusal("invalid_state", "no")

    with pytest.raises(Refusal):
        await vault.gate.change(vault.internal("test"), Act("identity_delete"), destroy)
    assert await keys(house, one) == 1
    vault.values.shelf.clear()
    assert (await house.get(f"/v1/t/{one}/secrets/a/1")).json["data"] == {"n": 1}


async def test_a_new_key_of_the_partner_at_the_same_time(house: House) -> None:
    """It wraps the keys of all tenants anew, but for those that were just destroyed."""
    ones = [await filled(house, f"one-{n}") for n in range(4)]
    for one in ones:
        await delete(house, one)
    house.clock.advance(MONTH)
    ending = house.vault.ending.run(house.vault.internal("purge"), lambda: False)
    where = f"/v1/system/partners/{house.made['partner_id']}/rotate-key"
    token = await house.client("boss", ["admin"], ["super_admin"])
    rotations = [house.call("POST", where, token=token) for _ in range(4)]
    _, answers = await asyncio.gather(ending, asyncio.gather(*rotations))
    assert [answer.status for answer in answers] == [202] * 4
    assert [await keys(house, one) for one in ones] == [0] * 4
    await house.restart()
    await house.unseal()
    assert [await keys(house, one) for one in ones] == [0] * 4


@pytest.mark.parametrize("first", ["end", "return"])
async def test_bringing_back_races_the_end(house: House, first: str) -> None:
    """Either the key is gone and the tenant stays deleted, or it is back with all that it had."""
    one = await filled(house, "one")
    await delete(house, one)
    house.clock.advance(MONTH)
    ending = house.vault.ending.run(house.vault.internal("purge"), lambda: False)
    back = change(house, one, {"status": "ACTIVE"})
    if first == "end":
        _, answer = await asyncio.gather(ending, back)
    else:
        answer, _ = await asyncio.gather(back, ending)
    found = await house.get(f"/v1/t/{one}/secrets/a/1")
    if answer.status == 200:
        assert (await keys(house, one), found.json["data"]) == (1, {"n": 1})
    else:
        assert answer.details == {"reason": "key_destroyed"}
        assert (await keys(house, one), found.code) == (0, "tenant_not_found")
