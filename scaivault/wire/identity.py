"""Requests and answers about who is calling."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

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
