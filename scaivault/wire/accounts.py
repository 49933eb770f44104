"""Requests and answers about service accounts and their client secrets."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

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


class CredentialBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new client secret."""

    name: Name | None = None
    expires_in: str | None = None


class NewCredential(Struct, frozen=True):
    """POST /v1/identity/service-accounts/{id}/credentials"""

    id: str
    body: CredentialBody


class CredentialId(Struct, frozen=True):
    """One credential of one account."""

    id: str
    credential_id: str


class NewSecret(Struct, kw_only=True):
    """A client secret, told once."""

    id: str
    client_id: str
    client_secret: str | UnsetType = UNSET
    name: str
    created_at: str
    expires_at: str | None

    def without_secrets(self) -> NewSecret:
        """As an idempotency key keeps it."""
        return structs.replace(self, client_secret=UNSET)


class CredentialItem(Struct):
    """A client secret, without it."""

    id: str
    client_id: str
    name: str
    created_at: str
    expires_at: str | None
    last_used_at: str | None


class CredentialList(Struct):
    """All credentials of an account."""

    credentials: list[CredentialItem]
