"""Requests and answers about tokens and second factors."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from scaivault.wire.identity import Name, Reference

Globs = Annotated[list[str], Meta(min_length=1, max_length=50)]
Ranges = Annotated[list[str], Meta(min_length=1, max_length=50)]


class TokenId(Struct, frozen=True):
    """A token by its id, or ``self``."""

    id: str


class TokenInfo(Struct):
    """A token, without its text."""

    id: str
    token_kind: str
    name: str
    identity_id: str
    tenant_id: str
    scopes: list[str]
    allowed_paths: list[str] | None
    ip_ranges: list[str] | None
    parent_id: str | None
    created_at: str
    expires_at: str
    last_used_at: str | None
    mfa_verified_at: str | None
    revoked_at: str | None
    status: str


class TokenBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new personal access token; ``expires_in`` or ``expires_at``, not both."""

    name: Name
    scopes: Annotated[list[str], Meta(min_length=1, max_length=64)]
    expires_in: str | None = None
    expires_at: str | None = None
    identity_id: Reference | None = None
    allowed_paths: Globs | None = None
    ip_ranges: Ranges | None = None


class NewToken(Struct, frozen=True):
    """POST /v1/auth/tokens"""

    body: TokenBody


class MadeToken(TokenInfo, kw_only=True):
    """A personal access token with its text, told once."""

    token: str | UnsetType = UNSET

    def without_secrets(self) -> MadeToken:
        """As an idempotency key keeps it."""
        return structs.replace(self, token=UNSET)


class ListTokens(Struct, frozen=True):
    """GET /v1/auth/tokens"""

    identity_id: Reference | None = None
    token_kind: (
        Literal["personal_access_token", "client_credentials", "user_session", "exchanged"] | None
    ) = None
    status: Literal["active", "expired", "revoked"] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    cursor: str | None = None


class TokenPage(Struct):
    """One page of tokens, newest first."""

    tokens: list[TokenInfo]
    cursor: str | None
    has_more: bool


class IntrospectBody(Struct, forbid_unknown_fields=True, frozen=True):
    """RFC 7662 section 2.1."""

    token: Annotated[str, Meta(min_length=1, max_length=16_384)]


class Introspect(Struct, frozen=True):
    """POST /v1/auth/introspect"""

    body: IntrospectBody


class Introspected(Struct):
    """Whom a live token stands for. Of any other nothing is told but that it is not live."""

    active: bool
    identity_id: str | UnsetType = UNSET
    identity_type: str | UnsetType = UNSET
    tenant_id: str | UnsetType = UNSET
    scopes: list[str] | UnsetType = UNSET
    expires_at: str | UnsetType = UNSET
    issued_at: str | UnsetType = UNSET


class Enrolled(Struct, kw_only=True):
    """An authenticator to be confirmed with its first code; the secret is told once."""

    secret: str | UnsetType = UNSET
    otpauth_uri: str | UnsetType = UNSET
    confirmed: bool

    def without_secrets(self) -> Enrolled:
        """As an idempotency key keeps it."""
        return Enrolled(confirmed=self.confirmed)


class CodeBody(Struct, forbid_unknown_fields=True, frozen=True):
    """What the authenticator shows."""

    code: Annotated[str, Meta(pattern=r"^[0-9]{6}\Z", description="six digits")]


class VerifyCode(Struct, frozen=True):
    """POST /v1/auth/mfa/verify"""

    body: CodeBody


class Verified(Struct):
    """Since when the calling token counts as verified."""

    mfa_verified_at: str
