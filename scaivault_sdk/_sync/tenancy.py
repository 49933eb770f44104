# Made by scripts/sdk from scaivault_sdk/_async/tenancy.py; change it there.
"""Partners and tenants, a part of ``client.identity``."""

from __future__ import annotations

from typing import Any

from scaivault_sdk._calls import given, segment
from scaivault_sdk._sync.directory import BASE, Directory
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.identity import Partner, Tenant


class Tenancy(Directory):
    """Partners and the tenants that they have."""

    def partners(
        self, status: str | None = None, *, page: int | None = None, page_size: int | None = None
    ) -> Page[Partner]:
        """A page, by name."""
        query = {"status": status, "page": page, "page_size": page_size}
        return self._numbered(f"{BASE}/partners", "partners", Partner.from_wire, query)

    def get_partner(self, partner_id: str) -> Partner:
        """One partner."""
        return Partner.from_wire(self._get(_partner(partner_id)))

    def create_partner(self, name: str, slug: str, *, region: str | None = None) -> Partner:
        """A new partner. ``slug``: a short name of small letters, digits and ``-``."""
        body = given(name=name, slug=slug, region=region)
        return Partner.from_wire(self._post(f"{BASE}/partners", body))

    def update_partner(self, partner_id: str, **changes: Any) -> Partner:
        """``changes``: ``name``, ``region``, ``status`` (``ACTIVE``, ``SUSPENDED``)."""
        return Partner.from_wire(self._patch(_partner(partner_id), changes))

    def delete_partner(self, partner_id: str) -> None:
        """Remove a partner; ``InUseError`` while it has tenants."""
        self._delete(_partner(partner_id))

    def tenants(
        self,
        partner_id: str | None = None,
        status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[Tenant]:
        """A page, by name. ``partner_id``: by default the client's, if it has one."""
        query = {
            "partner_id": partner_id or self._caller.partner_id,
            "status": status,
            "page": page,
            "page_size": page_size,
        }
        return self._numbered(f"{BASE}/tenants", "tenants", Tenant.from_wire, query)

    def get_tenant(self, tenant_id: str) -> Tenant:
        """One tenant."""
        return Tenant.from_wire(self._get(_tenant(tenant_id)))

    def create_tenant(self, name: str, slug: str, *, partner_id: str | None = None) -> Tenant:
        """A new tenant, with a key of its own. ``partner_id``: by default the caller's partner."""
        body = given(name=name, slug=slug, partner_id=partner_id or self._caller.partner_id)
        return Tenant.from_wire(self._post(f"{BASE}/tenants", body))

    def update_tenant(self, tenant_id: str, **changes: Any) -> Tenant:
        """``changes``: ``name``, ``status`` (``ACTIVE``, ``SUSPENDED``)."""
        return Tenant.from_wire(self._patch(_tenant(tenant_id), changes))

    def delete_tenant(self, tenant_id: str, *, confirm: str) -> None:
        """Remove a tenant with everything in it. It works for nobody from now on; its key, and so
        all of its secrets, is destroyed 30 days later, and until then status ``ACTIVE`` brings it
        back. ``confirm``: its id once more."""
        self._delete(_tenant(tenant_id), confirm=confirm)


def _partner(partner_id: str) -> str:
    return f"{BASE}/partners/{segment(partner_id, 'partner_id')}"


def _tenant(tenant_id: str) -> str:
    return f"{BASE}/tenants/{segment(tenant_id, 'tenant_id')}"
