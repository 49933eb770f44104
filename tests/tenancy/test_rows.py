"""Rows of partners and tenants as an outside issuer has them written, and what a commit that
fails leaves behind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest

from scaivault.clock import instant
from scaivault.errors import Refusal
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import ACTIVE, DELETED, SUSPENDED, Partner, Tenant
from tests.support.house import House
from tests.tenancy.asking import PARTNERS, TENANTS
from tests.tenancy.asking import partner as a_partner

T = TypeVar("T")


async def write(house: House, work: Callable[[Tenancy, Transaction], T]) -> T:
    vault = house.vault
    return await vault.gate.change(
        vault.internal("test"), Act("identity_update"), lambda tx: work(vault.tenancy, tx)
    )


def _keep(row: Tenant, tenancy: Tenancy, tx: Transaction) -> Tenant:
    return tenancy.keep_tenant(tx, row)


async def told(house: House) -> tuple[Partner, Tenant]:
    """A partner and a tenant of an issuer, with the issuer's ids."""
    now = house.clock.now()
    kept = Partner("ptn_theirs", "Theirs", "theirs", ACTIVE, now, None, "corp", now, now)
    inside = Tenant("tnt_theirs", "ptn_theirs", "In", "in", ACTIVE, now, "corp", now, now)

    def both(tenancy: Tenancy, tx: Transaction) -> None:
        tenancy.keep_partner(tx, kept)
        tenancy.keep_tenant(tx, inside)

    await write(house, both)
    return kept, inside


async def test_an_issuer_s_partner_and_tenant(house: House) -> None:
    _, inside = await told(house)
    shown = (await house.get(f"{PARTNERS}/ptn_theirs")).json
    assert (shown["issuer"], shown["last_synced_at"]) == ("corp", instant(house.clock.now()))
    where = "/v1/t/tnt_theirs/secrets/a/b"
    assert (await house.call("PUT", where, {"data": {"n": 1}})).status == 201
    for status, code in ((SUSPENDED, "forbidden"), (DELETED, "tenant_not_found")):
        row = inside._replace(status=status)
        await write(house, partial(_keep, row))
        assert (await house.get(where)).code == code
    await write(house, partial(_keep, inside))
    assert (await house.get(where)).json["data"] == {"n": 1}
    await house.restart()
    await house.unseal()
    assert (await house.get(where)).json["data"] == {"n": 1}
    assert (await house.get(f"{TENANTS}/tnt_theirs")).json["last_synced_at"] is not None


async def test_what_the_issuer_said_last_is_kept(house: House) -> None:
    kept, inside = await told(house)
    as_of = house.clock.now() + 5

    def later(tenancy: Tenancy, tx: Transaction) -> tuple[Partner | None, Tenant | None]:
        tenancy.keep_partner(tx, kept._replace(name="New", region="eu", as_of=as_of))
        tenancy.keep_tenant(tx, inside._replace(name="New", as_of=as_of, partner_id="ptn_x"))
        return tenancy.partner(tx.connection, "prt_theirs"), tenancy.tenant(
            tx.connection, "tnt_theirs"
        )

    row, moved = await write(house, later)
    assert row == kept._replace(name="New", region="eu", as_of=as_of)
    # It never moves: its key lies under its partner's.
    assert moved == inside._replace(name="New", as_of=as_of, created_at=inside.created_at + 1)
    assert house.vault.tenancy.tenants["tnt_theirs"] == moved


async def test_a_slug_of_another_is_refused(house: House) -> None:
    kept, inside = await told(house)
    made = await a_partner(house, "mine")
    for work in (
        lambda tenancy, tx: tenancy.keep_partner(tx, kept._replace(slug="mine")),
        lambda tenancy, tx: tenancy.keep_tenant(tx, inside._replace(id="tnt_other")),
    ):
        with pytest.raises(Refusal) as refused:
            await write(house, work)
        assert refused.value.code == "already_exists"
    assert (await house.get(f"{PARTNERS}/{made['id']}")).json == made
    assert (await house.get(f"{TENANTS}/tnt_other")).code == "tenant_not_found"


async def test_what_is_not_committed_leaves_no_key(house: House) -> None:
    def found(tenancy: Tenancy, tx: Transaction) -> None:
        made = tenancy.found_partner(tx, "One", "one")
        inside = tenancy.found_tenant(tx, made.id, "In", "in")
        seen.extend((made.id, inside.id))
        raise Refusal("invalid_state", "no")

    seen: list[str] = []
    with pytest.raises(Refusal):
        await write(house, found)
    assert [house.vault.keyring.versions(owner) for owner in seen] == [[], []]
    assert not house.vault.tenancy.partners.keys() & set(seen)
    assert not house.vault.tenancy.tenants.keys() & set(seen)


async def test_one_of_many_at_once_gets_a_slug(house: House) -> None:
    body = {"name": "One", "slug": "one"}
    answers = await asyncio.gather(*(house.call("POST", TENANTS, body) for _ in range(8)))
    assert sorted(answer.status for answer in answers) == [201] + [409] * 7
