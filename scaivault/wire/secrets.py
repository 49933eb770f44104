"""Requests and answers of the secrets room."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Version = Annotated[int, Meta(ge=1, le=2**53 - 1)]
MaxVersions = Annotated[int, Meta(ge=1, le=100)]
Limit = Annotated[int, Meta(ge=1, le=200)]


class WriteOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """Settings of a secret. What is left out keeps its stored value; null clears expiry and
    links, and is the same as left out elsewhere."""

    max_versions: MaxVersions = 0
    expires_in: str | None = None
    expires_at: str | UnsetType | None = UNSET
    rotation_policy_id: str | UnsetType | None = UNSET
    secret_policy_id: str | UnsetType | None = UNSET
    notify_before: Annotated[list[str], Meta(max_length=64)] | str | UnsetType | None = UNSET
    cas: Annotated[int, Meta(ge=0, le=2**53 - 1)] | UnsetType | None = UNSET


class WriteBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``data`` or ``generate_from``, exactly one of them."""

    data: Raw | UnsetType = UNSET
    generate_from: str | None = None
    secret_type: str | None = None
    metadata: Raw | UnsetType = UNSET
    options: WriteOptions = WriteOptions()


class WriteSecret(Struct, frozen=True):
    """PUT /v1/secrets/{path}"""

    path: str
    body: WriteBody
    if_match: str | None = None
    if_none_match: str | None = None


class PatchOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """Settings to change; what is left out stays. null clears expiry and links, and puts
    ``max_versions`` and ``notify_before`` back to their defaults."""

    max_versions: MaxVersions | UnsetType | None = UNSET
    expires_in: str | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    rotation_policy_id: str | UnsetType | None = UNSET
    secret_policy_id: str | UnsetType | None = UNSET
    notify_before: Annotated[list[str], Meta(max_length=64)] | str | UnsetType | None = UNSET
    cas: Annotated[int, Meta(ge=0, le=2**53 - 1)] | UnsetType = UNSET


class PatchBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``metadata`` is merged at its top level: null removes a key, or all of it."""

    metadata: Raw | UnsetType = UNSET
    options: PatchOptions | UnsetType = UNSET


class PatchSecret(Struct, frozen=True):
    """PATCH /v1/secrets/{path}"""

    path: str
    body: PatchBody
    if_match: str | None = None


class RotateBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``grace_period``: a duration, 48h when left out."""

    reason: Annotated[str, Meta(max_length=1024)] | None = None
    new_value: Raw | UnsetType = UNSET
    grace_period: str | None = None


class RotateSecret(Struct, frozen=True):
    """POST /v1/secrets/{path}/rotate"""

    path: str
    body: RotateBody
    if_match: str | None = None


class ReadSecret(Struct, frozen=True):
    """GET /v1/secrets/{path}"""

    path: str
    version: Version | None = None


class SecretPath(Struct, frozen=True):
    """A call that takes nothing but the path."""

    path: str


class DeleteSecret(Struct, frozen=True):
    """DELETE /v1/secrets/{path}"""

    path: str
    permanent: bool = False
    version: Version | None = None
    if_match: str | None = None


class SecretValue(Struct):
    """A secret with the value of one version."""

    path: str
    secret_type: str
    version: int
    data: Raw
    metadata: Raw
    created_at: str
    updated_at: str
    expires_at: str | None
    last_accessed_at: str | None
    rotation_policy_id: str | None
    secret_policy_id: str | None
    readable_until: str | None
    source: None
    scope: str | UnsetType = UNSET


class Created(Struct):
    """A first write."""

    path: str
    secret_type: str
    version: int
    created: bool
    created_at: str
    expires_at: str | None
    scope: str | UnsetType = UNSET


class Updated(Struct):
    """A further version."""

    path: str
    version: int
    created: bool
    previous_version: int
    updated_at: str
    scope: str | UnsetType = UNSET


class Rotated(Struct):
    """A further version that ends those before it."""

    path: str
    version: int
    created: bool
    previous_version: int
    updated_at: str
    grace_period_ends: str
    auto_generated: bool
    rotation_policy_id: str | None
    scope: str | UnsetType = UNSET


class Deleted(Struct):
    """What a delete did."""

    path: str
    deleted: bool
    permanent: bool
    version: int | UnsetType = UNSET
    recoverable_until: str | UnsetType = UNSET
    scope: str | UnsetType = UNSET


class StoredOptions(Struct):
    """Settings as kept."""

    max_versions: int
    notify_before: list[str]


class RotationState(Struct):
    """The attached schedule."""

    id: str
    next_rotation: str | None


class SecretInfo(Struct):
    """All about a secret but its value."""

    path: str
    secret_type: str
    current_version: int
    version_count: int
    metadata: Raw
    created_at: str
    updated_at: str
    expires_at: str | None
    last_accessed_at: str | None
    access_count_30d: int
    rotation_policy: RotationState | None
    secret_policy_id: str | None
    options: StoredOptions
    source: None
    scope: str | UnsetType = UNSET


class VersionItem(Struct):
    """One stored version."""

    version: int
    created_at: str
    is_current: bool
    created_by: str
    readable_until: str | None


class VersionList(Struct):
    """All stored versions, newest first."""

    path: str
    versions: list[VersionItem]
    scope: str | UnsetType = UNSET
