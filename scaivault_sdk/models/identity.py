"""Objects of the identity and token APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

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
class NewToken(TokenInfo):
    """A token that was just made. ``token`` is told once, and not in a repr; None when the answer
    to the first attempt was lost: revoke it and make another."""

    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class AccessToken(Model):
    """What an exchange gave: a token for ``expires_in`` seconds, not in a repr."""

    access_token: str = field(repr=False)
    expires_in: int
    scope: str = ""
    token_type: str = "Bearer"
    issued_token_type: str | None = None


@dataclass(frozen=True)
class Introspection(Model):
    """What somebody else's token is worth; of one that is worth nothing only ``active`` is
    told."""

    active: bool
    identity_id: str | None = None
    identity_type: str | None = None
    tenant_id: str | None = None
    scopes: list[str] = field(default_factory=list)
    expires_at: datetime | None = None
    issued_at: datetime | None = None


@dataclass(frozen=True)
class TotpEnrolment(Model):
    """A second factor to be: ``secret`` (base32) and ``otpauth_uri`` (for a QR code) are told
    once, and not in a repr. None when the answer to the first attempt was lost: enrol again."""

    confirmed: bool
    secret: str | None = field(default=None, repr=False)
    otpauth_uri: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class MfaVerification(Model):
    """When the token in use got its second factor."""

    mfa_verified_at: datetime


@dataclass(frozen=True)
class Partner(Model):
    """An organisation with tenants of its own."""

    id: str
    name: str
    slug: str | None = None
    region: str | None = None
    status: str | None = None
    last_synced_at: datetime | None = None
    issuer: str | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class Tenant(Model):
    """What has its own identities, secrets and key."""

    id: str
    name: str
    partner_id: str | None = None
    slug: str | None = None
    status: str | None = None
    issuer: str | None = None
    last_synced_at: datetime | None = None
    created_at: datetime | None = None


@dataclass(frozen=True)
class User(Model):
    """A person. ``groups`` are record ids; ``email`` is None where an issuer tells none."""

    id: str
    identity_id: str
    email: str | None = None
    tenant_id: str | None = None
    display_name: str | None = None
    status: str | None = None
    mfa_enabled: bool | None = None
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    issuer: str | None = None
    last_seen_at: datetime | None = None
    last_synced_at: datetime | None = None


@dataclass(frozen=True)
class Trust(Model):
    """Whose tokens of another issuer are exchanged for a service account's, and for what."""

    id: str
    name: str
    issuer: str
    subject: str
    identity: str
    max_scopes: list[str] = field(default_factory=list)
    max_ttl: str | None = None
    jwks_url: str | None = None
    jwks: dict[str, Any] | None = None
    algorithms: list[str] = field(default_factory=list)
    audience: list[str] = field(default_factory=list)
    claims_equal: dict[str, Any] = field(default_factory=dict)
    allowed_paths: list[str] | None = None
    single_use: bool | None = None
    token_review: dict[str, Any] | None = None
    is_active: bool = True
    tenant_id: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    last_used_at: datetime | None = None


@dataclass(frozen=True)
class SyncRun(Model):
    """A run that fetches identities from where they are kept."""

    sync_id: str
    status: str
    started_at: datetime
    trigger: str | None = None
    partner_id: str | None = None
    tenant_id: str | None = None
    completed_at: datetime | None = None
    created: int | None = None
    updated: int | None = None
    suspended: int | None = None
    skipped: list[Any] = field(default_factory=list)
    error: dict[str, Any] | None = None


@dataclass(frozen=True)
class AccessRevocation(Model):
    """What an identity lost at one blow. Whatever was issued to it before ``revoked_before`` is
    worth nothing any more."""

    identity_id: str
    revoked_before: datetime
    tokens_revoked: int = 0
    credentials_revoked: int = 0
    trusts_disabled: int = 0
    subscriptions_disabled: int = 0
    leases_revoked: int = 0
    leases_pending: int = 0


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
    """The admin roles of one identity. ``user_id``: its record id, also of a service account."""

    roles: list[str]
    user_id: str | None = None
    updated_at: datetime | None = None
    updated_by: str | None = None


@dataclass(frozen=True)
class AdminRole(Model):
    """An admin role, and whether the caller could give it to somebody."""

    name: str
    description: str = ""
    grantable: bool = False
