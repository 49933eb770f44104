"""Objects of the audit API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scaivault_sdk.models.base import Model


@dataclass(frozen=True)
class AuditRecord(Model):
    """One row of the audit log: who did what, when, from where, and whether it was allowed."""

    id: str
    timestamp: datetime
    action: str
    success: bool
    identity_type: str | None = None
    identity_id: str | None = None
    secret_path: str | None = None
    source_ip: str | None = None
    user_agent: str | None = None
    duration_ms: int | None = None
    request_id: str | None = None
    extra_data: dict[str, Any] = field(default_factory=dict)
    tenant_id: str | None = None
    partner_id: str | None = None
    actor_tenant_id: str | None = None
    seq: int | None = None
    prev_hash: str | None = None
    hash: str | None = None


@dataclass(frozen=True)
class SecretActivity(Model):
    """A secret's last 30 days."""

    period_days: int
    total_events: int
    reads: int = 0
    writes: int = 0
    rotations: int = 0
    deletes: int = 0
    denied: int = 0
    unique_identities: int = 0
    last_accessed_at: datetime | None = None
    last_accessed_by: str | None = None


@dataclass(frozen=True)
class IdentityActivity(Model):
    """What an identity did in a range of time. ``resources_accessed``: the paths that it read;
    ``truncated`` when there were more than are told."""

    total_events: int
    successful_events: int = 0
    failed_events: int = 0
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    actions: dict[str, int] = field(default_factory=dict)
    source_ips: list[str] = field(default_factory=list)
    resources_accessed: list[str] = field(default_factory=list)
    truncated: bool = False


@dataclass(frozen=True)
class AuditSummary(Model):
    """Counts over a range of time. ``from`` and ``to`` of the answer are in ``extra``."""

    total_events: int
    successful_events: int = 0
    failed_events: int = 0
    unique_identities: int = 0
    unique_secrets: int = 0
    by_action: dict[str, int] = field(default_factory=dict)
    by_identity_type: dict[str, int] = field(default_factory=dict)
    by_error_code: dict[str, int] = field(default_factory=dict)
    top_identities: list[dict[str, Any]] = field(default_factory=list)
    top_secrets: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class AuditExport(Model):
    """An export job. ``from`` and ``to`` of the answer are in ``extra``."""

    export_id: str
    status: str
    estimated_records: int | None = None
    format: str | None = None
    filters: dict[str, Any] | None = None
    destination: dict[str, Any] | None = None
    records: int | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: dict[str, Any] | None = None
    manifest: dict[str, Any] | None = None


@dataclass(frozen=True)
class ChainProblem(Model):
    """A finding: what is wrong with the chain, and at which row."""

    kind: str
    seq: int | None = None
    detail: str = ""


@dataclass(frozen=True)
class ChainReport(Model):
    """What a verification of the chain found. ``complete`` False: go on at ``next_seq``."""

    valid: bool
    complete: bool = True
    next_seq: int | None = None
    vault_id: str | None = None
    first_seq: int | None = None
    last_seq: int | None = None
    rows_checked: int = 0
    rows_pruned: int = 0
    checkpoints_checked: int = 0
    unsigned_tail: int = 0
    head: dict[str, Any] | None = None
    last_checkpoint: dict[str, Any] | None = None
    problems: list[ChainProblem] = field(default_factory=list)


@dataclass(frozen=True)
class Checkpoint(Model):
    """A signed head of the chain."""

    vault_id: str
    seq: int
    hash: str
    timestamp: datetime
    prev_seq: int
    key_id: str
    signature: str


@dataclass(frozen=True)
class CheckpointKey(Model):
    """What checkpoints are verified with: 32 bytes, base64url."""

    key_id: str
    algorithm: str
    public_key: str
    created_at: datetime | None = None


@dataclass(frozen=True)
class Retention(Model):
    """How long rows are kept; ``pending_*``: a shorter time, and from when it holds. ``archive``:
    whether rows are shipped elsewhere before they go."""

    retention: str
    pending_retention: str | None = None
    pending_from: datetime | None = None
    archive: bool = False
