"""Requests and answers about many secrets at once.

What an answer has hundreds of is left out of Python's garbage collection (``gc=False``): none of
it can be part of a cycle."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from scaivault.wire.secrets import Limit, RotationState, StoredOptions, Version

Tag = Annotated[str, Meta(min_length=1, max_length=128)]
Paths = Annotated[list[str], Meta(min_length=1, max_length=100)]
Days = Annotated[int, Meta(ge=1, le=3650)]


class ListSecrets(Struct, frozen=True):
    """GET /v1/secrets. Of the tags all must be there; times are compared strictly."""

    prefix: str | None = None
    tag: Annotated[tuple[Tag, ...], Meta(max_length=64)] = ()
    secret_type: str | None = None
    expires_before: str | None = None
    updated_after: str | None = None
    include_expired: bool | None = None
    include_metadata: bool | None = None
    include_deleted: bool | None = None
    limit: Limit | None = None
    cursor: str | None = None


class SecretItem(Struct, gc=False):
    """One line of a list. What stands behind ``tags`` is there only when it was asked for."""

    path: str
    secret_type: str
    version: int
    updated_at: str
    expires_at: str | None
    tags: list[Any]
    deleted_at: str | UnsetType = UNSET
    recoverable_until: str | UnsetType = UNSET
    current_version: int | UnsetType = UNSET
    version_count: int | UnsetType = UNSET
    metadata: Raw | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    last_accessed_at: str | UnsetType | None = UNSET
    access_count_30d: int | UnsetType = UNSET
    rotation_policy: RotationState | UnsetType | None = UNSET
    secret_policy_id: str | UnsetType | None = UNSET
    options: StoredOptions | UnsetType = UNSET
    source: UnsetType | None = UNSET


class SecretPage(Struct):
    """One page of a list; ``total_count``: of all pages, as the caller's rights allow."""

    secrets: list[SecretItem]
    cursor: str | None
    has_more: bool
    total_count: int
    scope: str | UnsetType = UNSET


class ListExpiring(Struct, frozen=True):
    """GET /v1/secrets/expiring. ``days`` is 30 when left out."""

    days: Days | None = None
    prefix: str | None = None
    limit: Limit | None = None
    cursor: str | None = None


class ExpiringItem(Struct, gc=False):
    """A secret that ends soon; ``days_remaining`` is rounded up."""

    path: str
    expires_at: str
    days_remaining: int


class ExpiringPage(Struct):
    """One page, soonest first."""

    secrets: list[ExpiringItem]
    cursor: str | None
    has_more: bool
    scope: str | UnsetType = UNSET


class BatchOptions(Struct, forbid_unknown_fields=True, frozen=True):
    """``version``: of every path, instead of the current one."""

    include_metadata: bool = False
    fail_fast: bool = False
    version: Version | None = None


class BatchBody(Struct, forbid_unknown_fields=True, frozen=True):
    """1 to 100 paths; one that stands there twice counts once."""

    paths: Paths
    options: BatchOptions = BatchOptions()


class ReadBatch(Struct, frozen=True):
    """POST /v1/secrets/batch"""

    body: BatchBody


class BatchValue(Struct, gc=False):
    """A value of a batch; the last three only with ``include_metadata``."""

    data: Raw
    version: int
    secret_type: str
    metadata: Raw | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET
    expires_at: str | UnsetType | None = UNSET


class BatchFault(Struct):
    """Why a path of a batch has no result: the code and message that it would have alone."""

    code: str
    message: str


class BatchValues(Struct):
    """Results and faults by path."""

    secrets: dict[str, BatchValue]
    errors: dict[str, BatchFault]
    retrieved: int
    failed: int


class BatchMetadataBody(Struct, forbid_unknown_fields=True, frozen=True):
    """1 to 100 paths, or also patterns with ``expand_wildcards``."""

    paths: Paths
    expand_wildcards: bool = False


class ReadBatchMetadata(Struct, frozen=True):
    """POST /v1/secrets/batch/metadata"""

    body: BatchMetadataBody


class BatchFacts(Struct, gc=False):
    """What a batch tells of a secret without its value; no ``tags`` where there are none."""

    version: int
    updated_at: str
    tags: list[str] | UnsetType = UNSET


class BatchMetadata(Struct):
    """Facts by path, and faults of the paths that were named literally. ``truncated``: patterns
    fit more than 1000 secrets."""

    metadata: dict[str, BatchFacts]
    errors: dict[str, BatchFault]
    truncated: bool
