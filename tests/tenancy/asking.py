"""Calls about partners and tenants, in short."""

from __future__ import annotations

from typing import Any

from tests.support.house import Answer, House

PARTNERS = "/v1/identity/partners"
TENANTS = "/v1/identity/tenants"
SCOPES = ["identity:read", "identity:admin", "secrets:read", "secrets:write", "secrets:list"]


async def partner(house: House, slug: str, **more: Any) -> dict[str, Any]:
    made = await house.call("POST", PARTNERS, {"name": slug.title(), "slug": slug, **more})
    assert made.status == 201, made.body
    found: dict[str, Any] = made.json
    return found


async def tenant(house: House, slug: str, **more: Any) -> dict[str, Any]:
    house.clock.advance(1)
    made = await house.call("POST", TENANTS, {"name": slug.title(), "slug": slug, **more})
    assert made.status == 201, made.body
    found: dict[str, Any] = made.json
    return found


async def change(house: House, row_id: str, body: dict[str, Any], token: str = "") -> Answer:
    where = PARTNERS if row_id.startswith("ptn_") else TENANTS
    return await house.call("PATCH", f"{where}/{row_id}", body, token=token)


async def delete(house: House, row_id: str, token: str = "") -> Answer:
    if row_id.startswith("ptn_"):
        return await house.call("DELETE", f"{PARTNERS}/{row_id}", token=token)
    target = f"{TENANTS}/{row_id}?confirm={row_id}"
    return await house.call("DELETE", target, token=token)


async def managed(house: House, kind: str, row_id: str) -> None:
    """From now on an outside issuer keeps it."""
    await house.vault.database.alone(
        lambda db: db.execute(f"UPDATE {kind} SET issuer = 'corp' WHERE id = ?", (row_id,))
    )


async def later(house: House, microseconds: int) -> None:
    """Some time goes by, and the worker has done what is due then."""
    await house.run_jobs()
    house.clock.advance(microseconds)
    await house.run_jobs()
