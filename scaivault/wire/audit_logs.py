"""Requests and answers about the rows of the audit ledger."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Limit = Annotated[int, Meta(ge=1, le=1000)]
Text = Annotated[str, Meta(max_length=512)]
IdentityType = Literal["user", "service_account", "group", "system"]


class ListLogs(Struct, frozen=True):
    """GET /v1/audit/logs. ``action``: one or several, by comma; ``identity_id``: any form, or
    ``none``."""

    from_: Text | None = field(default=None, name="from")
    to: Text | None = None
    action: Annotated[str, Meta(max_length=4096)] | None = None
    identity_id: Text | None = None
    identity_type: IdentityType | None = None
    path_prefix: str | None = None
    success: bool | None = None
    source_ip: Text | None = None
    request_id: Text | None = None
    order: Literal["desc", "asc"] | None = None
    scope: Literal["tenant", "partner", "vault"] | None = None
    limit: Limit | None = None
    cursor: str | None = None


class SecretTrail(Struct, frozen=True):
    """GET /v1/audit/secrets/{path}"""

    path: str
    from_: Text | None = field(default=None, name="from")
    to: Text | None = None
    action: Annotated[str, Meta(max_length=4096)] | None = None
    identity_id: Text | None = None
    success: bool | None = None
    limit: Limit | None = None
    cursor: str | None = None


class IdentityTrail(Struct, frozen=True):
    """GET /v1/audit/identities/{identity_id}"""

    identity_id: str
    from_: Text | None = field(default=None, name="from")
    to: Text | None = None
    action: Annotated[str, Meta(max_length=4096)] | None = None
    path_prefix: str | None = None
    success: bool | None = None
    limit: Limit | None = None
    cursor: str | None = None


class Summarize(Struct, frozen=True):
    """GET /v1/audit/summary: the last 30 days, unless told otherwise."""

    from_: Text | None = field(default=None, name="from")
    to: Text | None = None


class LogEntry(Struct):
    """A row of the ledger with its place in the chain."""

    id: str
    timestamp: str
    action: str
    identity_type: str | None
    identity_id: str | None
    secret_path: str | None
    source_ip: str | None
    user_agent: str | None
    success: bool
    duration_ms: int
    request_id: str
    extra_data: dict[str, Any]
    tenant_id: str | None
    partner_id: str | None
    actor_tenant_id: str | None
    seq: int
    prev_hash: str
    hash: str


class LogPage(Struct):
    """One page, by ``seq``."""

    logs: list[LogEntry]
    cursor: str | None
    has_more: bool


class SecretSummary(Struct):
    """The last ``period_days``. Reads, writes, rotations and deletes are those that succeeded;
    ``denied``: answered with 403."""

    period_days: int
    total_events: int
    reads: int
    writes: int
    rotations: int
    deletes: int
    denied: int
    unique_identities: int
    last_accessed_at: str | None
    last_accessed_by: str | None


class SecretTrailPage(Struct):
    """What became of one path, newest first."""

    path: str
    summary: SecretSummary
    logs: list[LogEntry]
    cursor: str | None
    has_more: bool


class IdentitySummary(Struct):
    """``resources_accessed``: paths with a read that succeeded; ``truncated``: there are more."""

    from_: str | None = field(name="from")
    to: str | None
    total_events: int
    successful_events: int
    failed_events: int
    first_seen: str | None
    last_seen: str | None
    actions: dict[str, int]
    source_ips: list[str]
    resources_accessed: list[str]
    truncated: bool


class IdentityTrailPage(Struct):
    """What one identity did, newest first."""

    identity_id: str
    identity_type: str
    summary: IdentitySummary
    logs: list[LogEntry]
    cursor: str | None
    has_more: bool


class IdentityEvents(Struct):
    identity_id: str
    events: int


class SecretEvents(Struct):
    path: str
    events: int


class Summary(Struct):
    """Events of a tenant; the tops hold ten each, by number and then by name."""

    total_events: int
    successful_events: int
    failed_events: int
    unique_identities: int
    unique_secrets: int
    from_: str = field(name="from")
    to: str
    by_action: dict[str, int]
    by_identity_type: dict[str, int]
    by_error_code: dict[str, int]
    top_identities: list[IdentityEvents]
    top_secrets: list[SecretEvents]
