"""The rows of export jobs."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import msgspec

from scaivault.audit.export_request import Wanted
from scaivault.clock import instant, instant_or_none
from scaivault.gate.caller import Principal
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection
from scaivault.wire.audit_jobs import Export, ExportError, Manifest

OPEN: Final = ("pending", "running")

_COLUMNS: Final = (
    "owner_id, id, status, request, creator, first_seq, last_seq, estimated, records, tries,"
    " next_at, created_at, started_at, completed_at, error, manifest"
)
_ADD: Final = (
    f"INSERT INTO export_job ({_COLUMNS}) VALUES (:owner_id, :id, :status, :request, :creator,"  # noqa: S608 - column names
    " :first_seq, :last_seq, :estimated, :records, :tries, :next_at, :created_at, :started_at,"
    " :completed_at, :error, :manifest)"
)
# What goes beyond its tenant is shown only to those who could have asked for it: its manifest
# counts rows that others may not see.
_SHOWN: Final = (
    f"SELECT {_COLUMNS} FROM export_job WHERE owner_id = :owner"  # noqa: S608
    " AND coalesce(json_extract(request, '$.body.filters.scope'), 'tenant')"
    " IN (SELECT value FROM json_each(:scopes))"
)
_ONE: Final = _SHOWN + " AND id = :id"
_PAGE: Final = _SHOWN + " AND id < :before ORDER BY id DESC LIMIT :limit"
_DUE: Final = (
    f"SELECT {_COLUMNS} FROM export_job WHERE status IN ('pending', 'running')"  # noqa: S608
    " AND next_at <= :now ORDER BY created_at, id LIMIT :limit"
)


class Creator(msgspec.Struct, frozen=True):
    """Who asked, as he stood then."""

    principal: Principal
    source_ip: str | None
    tenant_id: str | None
    partner_id: str | None


class Job(NamedTuple):
    """A row of ``export_job``; instants; the texts are JSON."""

    owner_id: str
    id: str
    status: str
    request: str
    creator: str
    first_seq: int
    last_seq: int
    estimated: int
    records: int | None
    tries: int
    next_at: int
    created_at: int
    started_at: int | None
    completed_at: int | None
    error: str | None
    manifest: str | None

    @property
    def wanted(self) -> Wanted:
        return msgspec.json.decode(self.request, type=Wanted)

    @property
    def made_by(self) -> Creator:
        return msgspec.json.decode(self.creator, type=Creator)


def add(tx: Transaction, job: Job) -> None:
    tx.execute(_ADD, job._asdict())


def find(db: Connection, owner: str, scopes: list[str], job_id: str) -> Job | None:
    """The job, if its scope is one of ``scopes``."""
    values = {"owner": owner, "scopes": json.dumps(scopes), "id": job_id}
    row = db.execute(_ONE, values).fetchone()
    return None if row is None else Job(*row)


def page(db: Connection, owner: str, scopes: list[str], before: str, limit: int) -> list[Job]:
    """Those of ``scopes``, newest first, behind ``before``."""
    values = {
        "owner": owner, "scopes": json.dumps(scopes), "before": before, "limit": limit,
    }  # fmt: skip
    return [Job(*row) for row in db.execute(_PAGE, values)]


def due(db: Connection, now: int, limit: int) -> list[Job]:
    """Unfinished jobs whose turn it is, oldest first."""
    return [Job(*row) for row in db.execute(_DUE, {"now": now, "limit": limit})]


def begin(tx: Transaction, job: Job) -> None:
    tx.execute(
        "UPDATE export_job SET status = 'running', started_at = :now"
        " WHERE owner_id = :owner AND id = :id",
        {"now": tx.now, "owner": job.owner_id, "id": job.id},
    )


def again(tx: Transaction, job: Job, next_at: int) -> None:
    """A try failed; the next one is later."""
    tx.execute(
        "UPDATE export_job SET status = 'pending', tries = tries + 1, next_at = :next"
        " WHERE owner_id = :owner AND id = :id",
        {"next": next_at, "owner": job.owner_id, "id": job.id},
    )


def end(
    tx: Transaction, job: Job, status: str, records: int | None, error: str | None, made: str | None
) -> None:
    tx.execute(
        "UPDATE export_job SET status = :status, records = :records, error = :error,"
        " manifest = :manifest, completed_at = :now WHERE owner_id = :owner AND id = :id",
        {
            "status": status, "records": records, "error": error, "manifest": made,
            "now": tx.now, "owner": job.owner_id, "id": job.id,
        },
    )  # fmt: skip


def shown(job: Job) -> Export:
    """As callers see it, without its manifest."""
    wanted = job.wanted
    body = wanted.body
    return Export(
        export_id=job.id,
        status=job.status,
        format=body.format,
        from_=wanted.since,
        to=wanted.until,
        filters=_plain(body.filters),
        destination=_plain(body.destination),
        estimated_records=job.estimated,
        records=job.records,
        created_at=instant(job.created_at),
        created_by=job.made_by.principal.identity_id,
        started_at=instant_or_none(job.started_at),
        completed_at=instant_or_none(job.completed_at),
        error=None if job.error is None else msgspec.json.decode(job.error, type=ExportError),
    )


def with_manifest(job: Job) -> Export:
    """As callers see it, whole."""
    told = shown(job)
    told.manifest = (
        None if job.manifest is None else msgspec.json.decode(job.manifest, type=Manifest)
    )
    return told


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
