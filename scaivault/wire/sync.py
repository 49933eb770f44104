"""Requests and answers about what outside directories tell."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Raw, Struct

Told = Annotated[str, Meta(min_length=1, max_length=256)]


class ScaiKeyCall(Struct, frozen=True):
    """POST /v1/identity/webhooks/scaikey. The body is handed on as it came: whether it is read at
    all depends on its signature."""

    body: Raw
    x_scaikey_signature: str | None = None


class Resource(Struct, frozen=True):
    """What an event is about."""

    type: Told
    id: Told


class Actor(Struct, frozen=True):
    """Who did it."""

    id: str | None = None
    type: str | None = None


class ScaiKeyEvent(Struct, frozen=True):
    """What ScaiKey sends."""

    event_id: Told
    event_type: Told
    timestamp: str
    resource: Resource
    actor: Actor | None
    data: dict[str, Any] | None
    tenant_id: Told | None
    partner_id: Told | None


class Received(Struct):
    """What became of an event."""

    status: str


class StartSync(Struct, frozen=True):
    """POST /v1/identity/sync"""

    partner_id: str | None = None
    tenant_id: str | None = None


class SyncStarted(Struct):
    """A run that began, or one over the same range that is under way."""

    sync_id: str
    status: str
    started_at: str


class ListSyncs(Struct, frozen=True):
    """GET /v1/identity/sync/history"""

    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


class SyncError(Struct):
    """Why a run failed."""

    code: str
    message: str


class SyncItem(Struct):
    """A run over the directories of issuers; ``skipped``: issuers that have none or lie outside
    its range. ``created`` and ``updated`` count users and groups, ``suspended`` users."""

    sync_id: str
    status: str
    trigger: str
    partner_id: str | None
    tenant_id: str | None
    started_at: str
    completed_at: str | None
    created: int
    updated: int
    suspended: int
    skipped: list[str]
    error: SyncError | None


class SyncPage(Struct):
    """One page of runs, newest first."""

    history: list[SyncItem]
    total: int
