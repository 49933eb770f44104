"""Rotation of tenant and partner keys."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.clock import SECOND
from tests.support.house import House
from tests.support.tenants import found_partner, found_tenant


def where(owner: str) -> str:
    kind = "tenants" if owner.startswith("tnt_") else "partners"
    return f"/v1/system/{kind}/{owner}/rotate-key"


async def rewrap(house: House) -> None:
    """The job runs every two seconds."""
    await house.run_jobs()
    house.clock.advance(2 * SECOND)
    await house.run_jobs()


async def keys_of(house: House, owner: str) -> list[int]:
    found = await house.vault.gate.ask(
        lambda db: db.execute(
            "SELECT version FROM wrapped_key WHERE owner_id = ? ORDER BY version", (owner,)
        ).fetchall()
    )
    return [row[0] for row in found]


async def data_keys(house: House) -> set[int]:
    found = await house.vault.gate.ask(
        lambda db: db.execute("SELECT key_version FROM secret_version").fetchall()
    )
    return {row[0] for row in found}


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_a_rotation_to_its_end(house: House, kind: str) -> None:
    owner = house.made[f"{kind}_id"]
    for n in range(3):
        await house.put(f"a/{n}", {"n": n})
    await house.put("a/0", {"n": "new"})
    started = await house.call("POST", where(owner))
    assert started.status == 202
    total = 4 if kind == "tenant" else 0
    assert started.json == {
        f"{kind}_id": owner,
        "key_version": 2,
        "previous_version": 1,
        "status": "rewrapping",
        "deks_total": total,
        "deks_remaining": total,
    }
    await house.put("a/new", {})
    await rewrap(house)
    done = (await house.get(where(owner))).json
    assert (done["status"], done["key_version"], done["deks_remaining"]) == ("done", 2, 0)
    assert await keys_of(house, owner) == [2]
    if kind == "tenant":
        assert await data_keys(house) == {2}
    assert (await house.read("a/2")).json["data"] == {"n": 2}
    assert (await house.read("a/0", query={"version": 1})).json["data"] == {"n": 0}
    await house.restart()
    await house.unseal()
    assert (await house.read("a/2")).json["data"] == {"n": 2}
    rows = await house.rows(action="key_rotate")
    assert any(row["extra_data"].get("destroyed") for row in rows)


async def test_new_versions_use_the_new_key_at_once(house: House) -> None:
    owner = house.made["tenant_id"]
    await house.put("a/old", {})
    await house.call("POST", where(owner))
    await house.put("a/new", {})
    assert await data_keys(house) == {1, 2}
    assert (await house.get(where(owner))).json["deks_remaining"] == 1


async def test_rotations_one_upon_another(house: House) -> None:
    owner, partner = house.made["tenant_id"], house.made["partner_id"]
    calls: list[Any] = []
    for n in range(6):
        calls += [house.put(f"a/{n}", {"n": n}), house.call("POST", where(owner))]
        calls.append(house.call("POST", where(partner)))
    answers = await asyncio.gather(*calls)
    assert {answer.status for answer in answers} == {201, 202}
    versions = sorted(a.json["key_version"] for a in answers if "tenant_id" in a.json)
    assert versions == [2, 3, 4, 5, 6, 7]
    await house.crash()
    await house.unseal()
    for n in range(6):
        assert (await house.read(f"a/{n}")).json["data"] == {"n": n}
    await rewrap(house)
    assert await keys_of(house, owner) == [7]
    assert (await house.read("a/3")).status == 200


async def test_a_rotation_survives_a_stop_in_the_middle(house: House) -> None:
    await house.put("a/b", {"x": 1})
    await house.call("POST", where(house.made["tenant_id"]))
    await house.crash()
    await house.unseal()
    assert (await house.read("a/b")).status == 200
    assert (await house.get(where(house.made["tenant_id"]))).json["status"] == "rewrapping"
    await rewrap(house)
    assert (await house.get(where(house.made["tenant_id"]))).json["status"] == "done"


async def test_a_lost_commit_leaves_the_ring_as_it_was(house: House) -> None:
    """What the writer put into the ring is taken out again when the group does not commit."""
    ledger, partner = house.vault.ledger, house.made["partner_id"]
    await house.put("a/b", {"x": 1})
    close_group = ledger.close_group

    def broken(*of_group: Any) -> None:
        close_group(*of_group)
        raise OSError

    for owner in (house.made["tenant_id"], partner):
        ledger.close_group = broken  # type: ignore[method-assign,assignment]
        answer = await house.call("POST", where(owner))
        assert (answer.status, answer.code) == (503, "service_unavailable")
        ledger.close_group = close_group  # type: ignore[method-assign]
        assert house.vault.keyring.versions(owner) == [1]
    tenant = await found_tenant(house, "after")
    await house.call("PUT", f"/v1/t/{tenant.id}/secrets/a/b", {"data": {"x": 2}})
    await house.put("a/c", {"x": 3})
    await house.restart()
    await house.unseal()
    for path in ("/v1/secrets/a/b", "/v1/secrets/a/c", f"/v1/t/{tenant.id}/secrets/a/b"):
        assert (await house.get(path)).status == 200


async def test_a_value_that_does_not_open_is_set_aside(house: House) -> None:
    await house.put("a/bad", {})
    await house.put("a/good", {"x": 1})
    await house.vault.database.alone(
        lambda db: db.execute("UPDATE secret_version SET dek = zeroblob(73) WHERE path = 'a/bad'")
    )
    await house.call("POST", where(house.made["tenant_id"]))
    await rewrap(house)
    assert (await house.get(where(house.made["tenant_id"]))).json["status"] == "done"
    assert (await house.read("a/good")).json["data"] == {"x": 1}
    assert (await house.read("a/bad")).code == "internal_error"


async def test_who_may(house: House) -> None:
    own = house.made["tenant_id"]
    far = await found_tenant(house, "far", (await found_partner(house, "away")).id)
    partner = await house.client("partner", ["admin"], ["partner_admin"])
    tenant = await house.client("tenant", ["admin"], ["tenant_admin"])
    scopeless = await house.client("scopeless", ["secrets:read"], ["super_admin"])
    expected = [
        (own, partner, 202, None),
        (far.id, partner, 404, "tenant_not_found"),
        ("tnt_unknown", partner, 404, "tenant_not_found"),
        (house.made["partner_id"], partner, 403, "forbidden"),
        (own, tenant, 403, "forbidden"),
        (own, scopeless, 403, "insufficient_scope"),
        (far.id, "", 202, None),
        ("ptn_unknown", "", 404, "partner_not_found"),
    ]
    for owner, token, status, code in expected:
        answer = await house.call("POST", where(owner), token=token)
        assert answer.status == status, (owner, answer.body)
        assert code is None or answer.code == code
    row = (await house.rows(action="key_rotate", success=True))[-1]
    assert row["tenant_id"] == far.id


async def test_every_table_with_data_keys_is_wrapped_anew_or_hangs_on_the_key_of_the_vault(
    house: House,
) -> None:
    def sealed(db: Any) -> set[str]:
        tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        return {
            table
            for (table,) in tables
            if any(row[1] == "dek" for row in db.execute(f"PRAGMA table_info({table})"))
        }

    of_the_vault = {"signing_key", "kept_answer"}
    known = {table.name for table in house.vault.keys.tables}
    assert await house.vault.gate.ask(sealed) == known | of_the_vault
