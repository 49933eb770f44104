"""Requests and answers about exports, and about how long rows are kept."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

Limit = Annotated[int, Meta(ge=1, le=200)]
Text = Annotated[str, Meta(min_length=1, max_length=512)]


class ExportFilters(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """The same names and meanings as the query of the logs."""

    action: Text | None = None
    identity_id: Text | None = None
    identity_type: Literal["user", "service_account", "group", "system"] | None = None
    path_prefix: Annotated[str, Meta(max_length=512)] | None = None
    success: bool | None = None
    source_ip: Text | None = None
    request_id: Text | None = None
    scope: Literal["tenant", "partner", "vault"] | None = None


class ExportDestination(Struct, forbid_unknown_fields=True, frozen=True, omit_defaults=True):
    """Where the files go. ``credentials_path``: a secret; credentials never stand here."""

    type: Literal["s3", "gcs", "azure_blob", "file"]
    bucket: Text | None = None
    prefix: Annotated[str, Meta(max_length=256)] = ""
    credentials_path: Text | None = None
    region: Text | None = None
    endpoint: Annotated[str, Meta(min_length=1, max_length=2048)] | None = None


class ExportBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Rows with ``from <= timestamp < to``."""

    from_: str = field(name="from")
    to: str
    destination: ExportDestination
    format: Literal["jsonl", "csv"] = "jsonl"
    filters: ExportFilters = ExportFilters()


class CreateExport(Struct, frozen=True):
    """POST /v1/audit/export"""

    body: ExportBody


class ExportStarted(Struct):
    """The job waits for its turn; the number is an estimate."""

    export_id: str
    status: str
    estimated_records: int


class ListExports(Struct, frozen=True):
    """GET /v1/audit/exports"""

    limit: Limit | None = None
    cursor: str | None = None


class ExportId(Struct, frozen=True):
    """GET /v1/audit/exports/{id}"""

    id: str


class ExportError(Struct):
    """Why a job failed."""

    code: str
    message: str
    reason: str | None = None


class ExportedFile(Struct):
    """One file; the numbers of its first and last row, null where it has none."""

    name: str
    size_bytes: int
    sha256: str
    records: int
    first_seq: int | None
    last_seq: int | None


class ExportedChain(Struct):
    """The stretch of the chain that the digests lead along."""

    first_seq: int
    last_seq: int
    first_prev_hash: str
    last_hash: str


class Manifest(Struct):
    """``manifest.json`` of an export: the last file to be written."""

    export_id: str
    vault_id: str
    tenant_id: str | None
    from_: str = field(name="from")
    to: str
    filters: dict[str, Any]
    format: str
    records: int
    files: list[ExportedFile]
    chain: ExportedChain
    checkpoint: dict[str, Any] | None
    public_key: str | None


class Export(Struct):
    """A job. ``manifest`` only where one job is asked for; null until it is completed."""

    export_id: str
    status: str
    format: str
    from_: str = field(name="from")
    to: str
    filters: dict[str, Any]
    destination: dict[str, Any]
    estimated_records: int
    records: int | None
    created_at: str
    created_by: str | None
    started_at: str | None
    completed_at: str | None
    error: ExportError | None
    manifest: Manifest | UnsetType | None = UNSET


class ExportPage(Struct):
    """One page, newest first."""

    exports: list[Export]
    cursor: str | None
    has_more: bool


class RetentionBody(Struct, forbid_unknown_fields=True, frozen=True):
    """30d to 36500d."""

    retention: str


class SetRetention(Struct, frozen=True):
    """PUT /v1/audit/retention"""

    body: RetentionBody


class Retention(Struct):
    """How long the tenant's rows are kept, and from when on it will be another time; ``archive``:
    whether rows are shipped before they go."""

    retention: str
    pending_retention: str | None
    pending_from: str | None
    archive: bool


class GetRetention(Struct, frozen=True):
    """GET /v1/audit/retention"""
