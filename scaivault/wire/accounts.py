"""Requests and answers about service accounts."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from scaivault.wire.identity import Name, References


class AccountBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new service account."""

    name: str
    scopes: Annotated[list[str], Meta(min_length=1, max_length=64)]
    display_name: Name | None = None
    groups: References = []
    tenant_id: str | None = None


class NewAccount(Struct, frozen=True):
    """POST /v1/identity/service-accounts"""

    body: AccountBody


class AccountPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a service account; ``groups`` is the whole list."""

    scopes: Annotated[list[str], Meta(min_length=1, max_length=64)] | UnsetType = UNSET
    display_name: Name | UnsetType = UNSET
    status: Literal["ACTIVE", "SUSPENDED"] | UnsetType = UNSET
    groups: References | UnsetType | None = UNSET


class ChangeAccount(Struct, frozen=True):
    """PATCH /v1/identity/service-accounts/{id}"""

    id: str
    body: AccountPatch


class AccountId(Struct, frozen=True):
    """A service account by record id or canonical id."""

    id: str


class ListAccounts(Struct, frozen=True):
    """GET /v1/identity/tenants/{tenant_id}/service-accounts"""

    tenant_id: str
    status: Literal["ACTIVE", "SUSPENDED", "DELETED"] | None = None
    q: Annotated[str, Meta(max_length=400)] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


class Account(Struct):
    """A service account; ``groups`` are those it is itself a member of, by record id."""

    id: str
    identity_id: str
    tenant_id: str
    name: str
    display_name: str
    status: str
    scopes: list[str]
    groups: list[str]
    roles: list[str]
    issuer: str
    credentials_active: int
    last_seen_at: str | None
    created_at: str


class AccountPage(Struct):
    """One page of service accounts."""

    service_accounts: list[Account]
    total: int
