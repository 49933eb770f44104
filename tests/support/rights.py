"""Callers with other rights than the root token's."""

from __future__ import annotations

from typing import Final

from scaivault.gate.rules import Compiled, Rule
from tests.support.house import House
from tests.support.tenants import found_tenant

SCOPES: Final = [
    "secrets:read", "secrets:write", "secrets:delete", "secrets:list", "secrets:rotate",
    "audit:read", "audit:export", "policies:read", "policies:write",
    "identity:read", "identity:admin",
]  # fmt: skip


async def neighbour(house: House, role: str = "tenant_admin", partner: str | None = None) -> str:
    """A token with every scope of a room and ``role``, in a further tenant."""
    name = f"neighbour-{role.replace('_', '-')}"
    tenant = await found_tenant(house, name, partner)
    return await house.client(name, SCOPES, [role], tenant.id)


def grant(house: House, *rules: tuple[str, set[str]]) -> None:
    """(pattern, permissions): what everybody without an admin role may do from now on."""
    compiled = Compiled(
        Rule("pol_test", 0, place, pattern, frozenset(permissions))
        for place, (pattern, permissions) in enumerate(rules)
    )
    house.vault.gate.rules_of = lambda _caller: compiled
