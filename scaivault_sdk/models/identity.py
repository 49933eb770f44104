"""Objects of the identity and token APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from scaivault_sdk.models.base import Model


@dataclass(frozen=True)
class WhoAmI(Model):
    """The caller, as the vault sees him."""

    identity_id: str
    identity_type: str
    tenant_id: str | None = None
    partner_id: str | None = None
    display_name: str | None = None
    scopes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    mfa_verified_at: datetime | None = None
    token_expires_at: datetime | None = None
    token_id: str | None = None
    token_kind: str | None = None
    issuer: str | None = None
    allowed_paths: list[str] | None = None
    ip_ranges: list[str] | None = None


@dataclass(frozen=True)
class AuthConfig(Model):
    """Where tokens come from."""

    issuer: str
    token_endpoint: str
    jwks_uri: str | None = None
    exchange_endpoint: str | None = None
    grant_types_supported: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class TokenInfo(Model):
    """A token, without its text."""

    id: str
    token_kind: str | None = None
    name: str | None = None
    identity_id: str | None = None
    tenant_id: str | None = None
    scopes: list[str] = field(default_factory=list)
    allowed_paths: list[str] | None = None
    ip_ranges: list[str] | None = None
    parent_id: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None
    mfa_verified_at: datetime | None = None
    revoked_at: datetime | None = None
    status: str | None = None


@dataclass(frozen=True)
class ServiceAccount(Model):
    """A program that calls the vault."""

    id: str
    identity_id: str
    name: str
    tenant_id: str | None = None
    display_name: str | None = None
    status: str | None = None
    scopes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    issuer: str | None = None
    credentials_active: int | None = None
    last_seen_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class ClientCredential(Model):
    """A client secret. ``client_secret`` is told once, when it is made, and not in a repr."""

    id: str
    client_id: str
    client_secret: str | None = field(default=None, repr=False)
    name: str | None = None
    created_at: datetime | None = None
    expires_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class Group(Model):
    """Identities under one name."""

    id: str
    identity_id: str
    name: str
    tenant_id: str | None = None
    display_name: str | None = None
    parent_id: str | None = None
    member_count: int | None = None
    issuer: str | None = None
    last_synced_at: datetime | None = None


@dataclass(frozen=True)
class GroupMember(Model):
    """An identity in a group, directly or through a group below it."""

    identity_id: str
    identity_type: str | None = None
    membership_type: str | None = None
    user_id: str | None = None
    email: str | None = None
    added_at: datetime | None = None


@dataclass(frozen=True)
class Identity(Model):
    """What an id of any form stands for."""

    id: str
    type: str
    identity_id: str | None = None
    display_name: str | None = None
    tenant_id: str | None = None
    partner_id: str | None = None
    status: str | None = None
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    issuer: str | None = None


@dataclass(frozen=True)
class AssignedRoles(Model):
    """The admin roles of one identity."""

    roles: list[str]
    service_account_id: str | None = None
    user_id: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None


@dataclass(frozen=True)
class AdminRole(Model):
    """An admin role, and whether the caller could give it to somebody."""

    name: str
    description: str = ""
    grantable: bool = False
