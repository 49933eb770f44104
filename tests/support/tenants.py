"""Further partners and tenants, made as the vault makes its first."""

from __future__ import annotations

from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.tenancy.model import Partner, Tenant
from tests.support.house import House


async def found_partner(house: House, slug: str) -> Partner:
    vault = house.vault

    def found(tx: Transaction) -> Partner:
        return vault.tenancy.found_partner(tx, slug, slug)

    return await vault.gate.change(vault.internal("test"), Act("identity_create"), found)


async def found_tenant(house: House, slug: str, partner_id: str | None = None) -> Tenant:
    """A tenant of the partner given, else of the vault's first."""
    vault = house.vault
    partner = partner_id or house.made["partner_id"]

    def found(tx: Transaction) -> Tenant:
        return vault.tenancy.found_tenant(tx, partner, slug, slug)

    return await vault.gate.change(vault.internal("test"), Act("identity_create"), found)


async def suspend(house: House, kind: str, row_id: str) -> None:
    """``kind``: partner or tenant."""
    vault, tenancy = house.vault, house.vault.tenancy

    def write(tx: Transaction) -> None:
        if kind == "partner":
            tenancy.keep_partner(tx, tenancy.partners[row_id]._replace(status="SUSPENDED"))
        else:
            tenancy.keep_tenant(tx, tenancy.tenants[row_id]._replace(status="SUSPENDED"))

    await vault.gate.change(vault.internal("test"), Act("identity_update"), write)


async def account(house: House, name: str, scopes: list[str], **more: object) -> str:
    """The record id of a new service account."""
    body = {"name": name, "scopes": scopes, **more}
    made = await house.call("POST", "/v1/identity/service-accounts", body)
    assert made.status == 201, made.body
    found: str = made.json["id"]
    return found


async def credential(house: House, account_id: str, **body: object) -> dict[str, str]:
    """``client_id`` and ``client_secret``, as the token endpoint takes them, and ``id``."""
    where = f"/v1/identity/service-accounts/{account_id}/credentials"
    made = await house.call("POST", where, body)
    assert made.status == 201, made.body
    return {name: made.json[name] for name in ("id", "client_id", "client_secret")}
