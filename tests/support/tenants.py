"""More than one tenant, as an identity provider would make them."""

from __future__ import annotations

from typing import Final

from scaivault.gate.gate import Act
from scaivault.gate.rules import Compiled, Rule
from scaivault.tenancy.room import Partner, Tenant
from tests.support.house import House

SCOPES: Final = [
    "secrets:read", "secrets:write", "secrets:delete", "secrets:list", "audit:read",
    "identity:read", "identity:admin",
]  # fmt: skip


async def found_partner(house: House, name: str) -> Partner:
    vault = house.vault
    caller = vault.internal("test")
    return await vault.gate.change(
        caller, Act("identity_create"), lambda tx: vault.tenancy.found_partner(tx, name, name)
    )


async def found_tenant(house: House, name: str, partner: str | None = None) -> Tenant:
    """A tenant of ``partner``, by default of the partner that init made."""
    vault = house.vault
    caller = vault.internal("test")
    owner = partner or house.made["partner_id"]
    return await vault.gate.change(
        caller, Act("identity_create"), lambda tx: vault.tenancy.found_tenant(tx, owner, name, name)
    )


async def neighbour(house: House, role: str = "tenant_admin", partner: str | None = None) -> str:
    """A token with every scope of a room and ``role``, in another tenant."""
    tenant = await found_tenant(house, f"neighbour-{role.replace('_', '-')}", partner)
    return await house.client(f"neighbour-{role.replace('_', '-')}", SCOPES, [role], tenant.id)


def grant(house: House, *rules: tuple[str, set[str]]) -> None:
    """(pattern, permissions): what everybody without an admin role may do from now on."""
    compiled = Compiled(
        Rule("pol_test", 0, place, pattern, frozenset(permissions))
        for place, (pattern, permissions) in enumerate(rules)
    )
    house.vault.gate.rules_of = lambda _caller: compiled
