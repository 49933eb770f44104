"""Requests and answers about partners and their tenants."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from scaivault.wire.identity import Name

Region = Annotated[str, Meta(min_length=1, max_length=64)]
Status = Literal["ACTIVE", "SUSPENDED", "DELETED"]
Page = Annotated[int, Meta(ge=1, le=1_000_000)]
PageSize = Annotated[int, Meta(ge=1, le=200)]


class PartnerBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new partner; ``slug``: 2 to 40 of ``a-z 0-9 -``, of no other partner."""

    name: Name
    slug: str
    region: Region | None = None


class NewPartner(Struct, frozen=True):
    """POST /v1/identity/partners"""

    body: PartnerBody


class PartnerPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a partner; ``status`` ACTIVE also brings a deleted one back."""

    name: Name | UnsetType = UNSET
    region: Region | UnsetType | None = UNSET
    status: Literal["ACTIVE", "SUSPENDED"] | UnsetType = UNSET


class ChangePartner(Struct, frozen=True):
    """PATCH /v1/identity/partners/{id}"""

    id: str
    body: PartnerPatch


class PartnerId(Struct, frozen=True):
    """A partner by its id."""

    id: str


class ListPartners(Struct, frozen=True):
    """GET /v1/identity/partners: without ``status`` all but the deleted ones."""

    status: Status | None = None
    page: Page = 1
    page_size: PageSize = 50


class Partner(Struct):
    """A partner; ``last_synced_at`` is null unless an outside issuer keeps it."""

    id: str
    name: str
    slug: str
    region: str | None
    status: str
    last_synced_at: str | None
    issuer: str
    created_at: str


class PartnerPage(Struct):
    """One page of partners, by name."""

    partners: list[Partner]
    total: int


class TenantBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new tenant; ``slug``: 2 to 40 of ``a-z 0-9 -``, of no other tenant of the partner.
    ``partner_id``: the caller's own unless given."""

    name: Name
    slug: str
    partner_id: str | None = None


class NewTenant(Struct, frozen=True):
    """POST /v1/identity/tenants"""

    body: TenantBody


class TenantPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a tenant; ``status`` ACTIVE also brings a deleted one back, until its
    key is destroyed."""

    name: Name | UnsetType = UNSET
    status: Literal["ACTIVE", "SUSPENDED"] | UnsetType = UNSET


class ChangeTenant(Struct, frozen=True):
    """PATCH /v1/identity/tenants/{id}"""

    id: str
    body: TenantPatch


class TenantId(Struct, frozen=True):
    """A tenant by its id."""

    id: str


class DeleteTenant(Struct, frozen=True):
    """DELETE /v1/identity/tenants/{id}; ``confirm`` is the id once more."""

    id: str
    confirm: str = ""


class ListTenants(Struct, frozen=True):
    """GET /v1/identity/tenants: without ``status`` all but the deleted ones."""

    partner_id: str | None = None
    status: Status | None = None
    page: Page = 1
    page_size: PageSize = 50


class Tenant(Struct):
    """A tenant; ``last_synced_at`` is null unless an outside issuer keeps it."""

    id: str
    partner_id: str
    name: str
    slug: str
    status: str
    issuer: str
    last_synced_at: str | None
    created_at: str


class TenantPage(Struct):
    """One page of tenants, by name."""

    tenants: list[Tenant]
    total: int
