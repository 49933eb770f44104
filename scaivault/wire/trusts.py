"""Requests and answers about trusts in foreign issuers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from scaivault.wire.identity import Reference

Limit = Annotated[int, Meta(ge=1, le=200)]
Url = Annotated[str, Meta(min_length=1, max_length=2048)]
Algorithm = Literal["RS256", "ES256", "EdDSA"]
Algorithms = Annotated[list[Algorithm], Meta(min_length=1, max_length=3)]
Audience = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=1024)]], Meta(min_length=1, max_length=20)
]
Subject = Annotated[str, Meta(min_length=1, max_length=1024)]
Claims = Annotated[dict[str, Any], Meta(max_length=20)]
Scopes = Annotated[list[str], Meta(min_length=1, max_length=64)]
Path = Annotated[str, Meta(max_length=512)]
Globs = Annotated[list[Path], Meta(min_length=1, max_length=50)]


class TokenReview(Struct, forbid_unknown_fields=True, frozen=True):
    """The API server of a Kubernetes cluster, which is asked about each token. Paths of secrets in
    the trust's tenant: ``cert_pem`` of the first are the roots for its certificate (the host's
    without one), ``token`` of the second is what the vault shows it."""

    url: Url
    credentials_path: Path
    ca_cert_path: Path | None = None


class TrustBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new trust. ``max_ttl`` is a duration, 1m to 12h. ``claims_equal``: claim -> a text, number
    or truth value, or a list of those that are allowed."""

    name: str
    issuer: Url
    subject: Subject
    identity: Reference
    max_scopes: Scopes
    jwks_url: Url | None = None
    jwks: dict[str, Any] | None = None
    algorithms: Algorithms = field(default_factory=lambda: ["RS256", "ES256"])
    audience: Audience = field(default_factory=lambda: ["scaivault"])
    claims_equal: Claims = {}
    max_ttl: str = "1h"
    allowed_paths: Globs | None = None
    single_use: bool | None = None
    token_review: TokenReview | None = None
    is_active: bool = True
    tenant_id: str | None = None


class NewTrust(Struct, frozen=True):
    """POST /v1/identity/trusts"""

    body: TrustBody


class TrustPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a trust; its tokens end with any change. ``jwks_url`` and ``jwks``
    null: as the issuer's discovery document says."""

    name: str | UnsetType = UNSET
    issuer: Url | UnsetType = UNSET
    subject: Subject | UnsetType = UNSET
    identity: Reference | UnsetType = UNSET
    max_scopes: Scopes | UnsetType = UNSET
    jwks_url: Url | UnsetType | None = UNSET
    jwks: dict[str, Any] | UnsetType | None = UNSET
    algorithms: Algorithms | UnsetType = UNSET
    audience: Audience | UnsetType = UNSET
    claims_equal: Claims | UnsetType | None = UNSET
    max_ttl: str | UnsetType = UNSET
    allowed_paths: Globs | UnsetType | None = UNSET
    single_use: bool | UnsetType | None = UNSET
    token_review: TokenReview | UnsetType | None = UNSET
    is_active: bool | UnsetType = UNSET


class ChangeTrust(Struct, frozen=True):
    """PATCH /v1/identity/trusts/{id}"""

    id: str
    body: TrustPatch


class TrustId(Struct, frozen=True):
    """One trust."""

    id: str


class ListTrusts(Struct, frozen=True):
    """GET /v1/identity/trusts"""

    limit: Limit | None = None
    cursor: str | None = None


class Trust(Struct):
    """Whose tokens are exchanged, and what they give. ``identity`` is a canonical id."""

    id: str
    name: str
    issuer: str
    jwks_url: str | None
    jwks: dict[str, Any] | None
    algorithms: list[str]
    audience: list[str]
    subject: str
    claims_equal: dict[str, Any]
    identity: str
    max_scopes: list[str]
    max_ttl: str
    allowed_paths: list[str] | None
    single_use: bool | None
    token_review: TokenReview | None
    is_active: bool
    created_at: str
    updated_at: str
    last_used_at: str | None


class TrustPage(Struct):
    """One page of trusts, newest first."""

    trusts: list[Trust]
    cursor: str | None
    has_more: bool
