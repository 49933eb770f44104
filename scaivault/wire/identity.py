"""Requests and answers about who is calling, the local issuer, and client secrets."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType, structs

Name = Annotated[str, Meta(min_length=1, max_length=128)]
Reference = Annotated[str, Meta(min_length=1, max_length=400)]
References = Annotated[list[Reference], Meta(max_length=100)]


class Nothing(Struct, frozen=True):
    """A call without parameters."""


class WhoAmI(Struct):
    """The caller, as the vault sees him."""

    identity_id: str
    identity_type: str
    display_name: str
    tenant_id: str
    partner_id: str
    scopes: list[str]
    groups: list[str]
    roles: list[str]
    mfa_verified_at: str | None
    token_expires_at: str
    token_id: str
    token_kind: str
    issuer: str
    allowed_paths: list[str] | None
    ip_ranges: list[str] | None


class IssuerConfig(Struct):
    """Where tokens come from."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    exchange_endpoint: str
    grant_types_supported: list[str]


class OpenIdConfiguration(Struct):
    """OpenID Connect Discovery 1.0, section 3."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    grant_types_supported: list[str]
    token_endpoint_auth_methods_supported: list[str]
    scopes_supported: list[str]
    id_token_signing_alg_values_supported: list[str]
    response_types_supported: list[str]
    subject_types_supported: list[str]


class KeySet(Struct):
    """RFC 7517 section 5."""

    keys: list[dict[str, str]]


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
