"""Rows about what outside directories told."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from scaivault.clock import DAY
from scaivault.gate.transaction import Transaction
from scaivault.identity.sync.facts import Counters, Origin
from scaivault.storage.file import Connection

EVENTS_KEPT: Final = 7 * DAY
_NEWS_KEPT: Final = 30 * DAY
_RUNS_KEPT: Final = 365 * DAY

# -- links -------------------------------------------------------------------------------------


def linked(db: Connection, origin: Origin, kind: str, external_id: str) -> str | None:
    """The record that stands for what the directory calls so."""
    row = db.execute(
        "SELECT record_id FROM outside_link WHERE issuer = :issuer AND tenant_id = :tenant"
        " AND kind = :kind AND external_id = :id",
        {"issuer": origin.issuer, "tenant": origin.tenant_id, "kind": kind, "id": external_id},
    ).fetchone()
    return None if row is None else str(row[0])


def is_linked(db: Connection, record_id: str) -> bool:
    found = db.execute("SELECT 1 FROM outside_link WHERE record_id = :id", {"id": record_id})
    return found.fetchone() is not None


def link(tx: Transaction, origin: Origin, kind: str, external_id: str, record_id: str) -> None:
    tx.execute(
        "INSERT INTO outside_link (issuer, tenant_id, kind, external_id, record_id)"
        " VALUES (:issuer, :tenant, :kind, :id, :record)",
        {
            "issuer": origin.issuer, "tenant": origin.tenant_id, "kind": kind, "id": external_id,
            "record": record_id,
        },
    )  # fmt: skip


def links(db: Connection, issuer: str, tenant: str, kind: str) -> dict[str, str]:
    """External id -> record, of all of a tenant."""
    rows = db.execute(
        "SELECT external_id, record_id FROM outside_link"
        " WHERE issuer = :issuer AND tenant_id = :tenant AND kind = :kind",
        {"issuer": issuer, "tenant": tenant, "kind": kind},
    )
    return dict(rows.fetchall())


def tenants_of(db: Connection, issuer: str) -> list[str]:
    """Where the issuer has users or groups."""
    rows = db.execute(
        "SELECT tenant_id FROM user WHERE issuer = :issuer"
        " UNION SELECT tenant_id FROM identity_group WHERE issuer = :issuer ORDER BY 1",
        {"issuer": issuer},
    )
    return [tenant for (tenant,) in rows]


# -- users and groups of an issuer -------------------------------------------------------------


def users_called(db: Connection, origin: Origin, external_id: str) -> list[str]:
    """Users whom the issuer calls so in its tokens, and whom no directory claimed yet."""
    rows = db.execute(
        "SELECT u.id FROM user u WHERE u.issuer = :issuer AND u.external_id = :id"
        " AND u.tenant_id = :tenant"
        " AND NOT EXISTS (SELECT 1 FROM outside_link l WHERE l.record_id = u.id) ORDER BY u.id",
        {"issuer": origin.issuer, "id": external_id, "tenant": origin.tenant_id},
    )
    return [user for (user,) in rows]


class Standing(NamedTuple):
    """A user of an issuer: ``external_id`` of the directory, ``missed`` in the last run."""

    id: str
    identity_id: str
    status: str
    as_of: int
    external_id: str | None
    missed: int


def users_of(db: Connection, issuer: str, tenant: str) -> list[Standing]:
    """All but deleted ones."""
    rows = db.execute(
        "SELECT u.id, u.identity_id, u.status, coalesce(u.as_of, 0), l.external_id,"
        " m.record_id IS NOT NULL FROM user u"
        " LEFT JOIN outside_link l ON l.record_id = u.id"
        " LEFT JOIN outside_missing m ON m.record_id = u.id"
        " WHERE u.tenant_id = :tenant AND u.issuer = :issuer AND u.status <> 'DELETED'",
        {"issuer": issuer, "tenant": tenant},
    )
    return [Standing._make(row) for row in rows]


def identities(db: Connection, origin: Origin) -> dict[str, str]:
    """External id -> canonical id, of all users whom the directory claimed and who are there."""
    rows = db.execute(
        "SELECT l.external_id, u.identity_id FROM outside_link l JOIN user u ON u.id = l.record_id"
        " WHERE l.issuer = :issuer AND l.tenant_id = :tenant AND l.kind = 'user'"
        " AND u.status <> 'DELETED'",
        {"issuer": origin.issuer, "tenant": origin.tenant_id},
    )
    return dict(rows.fetchall())


def missing_groups(db: Connection, issuer: str, tenant: str) -> set[str]:
    """Records of groups that were missing in the last run."""
    rows = db.execute(
        "SELECT m.record_id FROM outside_missing m JOIN outside_link l"
        " ON l.record_id = m.record_id WHERE l.issuer = :issuer AND l.tenant_id = :tenant"
        " AND l.kind = 'group'",
        {"issuer": issuer, "tenant": tenant},
    )
    return {record for (record,) in rows}


def missed(tx: Transaction, record_id: str) -> None:
    tx.execute(
        "INSERT INTO outside_missing (record_id, missed_at) VALUES (:id, :now)"
        " ON CONFLICT DO NOTHING",
        {"id": record_id, "now": tx.now},
    )


def found_again(tx: Transaction, record_id: str) -> None:
    tx.execute("DELETE FROM outside_missing WHERE record_id = :id", {"id": record_id})


def subjects_meant(db: Connection, tenant: str, identity: str) -> list[tuple[str, str]]:
    """(iss, subject): whom the tokens of issuers mean by an identity."""
    rows = db.execute(
        "SELECT iss, subject FROM foreign_subject"
        " WHERE tenant_id = :tenant AND identity_id = :identity",
        {"tenant": tenant, "identity": identity},
    )
    return [(iss, subject) for iss, subject in rows]


def revoke_issued_until(tx: Transaction, tenant: str, identity: str, until: int) -> int:
    """Every token of an identity that was issued up to an instant; how many were live."""
    return tx.execute(
        "WITH RECURSIVE gone (id) AS (SELECT id FROM token WHERE tenant_id = :tenant"
        " AND identity_id = :identity AND created_at <= :until"
        " UNION SELECT t.id FROM gone JOIN token t ON t.parent_id = gone.id)"
        " UPDATE token SET revoked_at = :now WHERE id IN gone"
        " AND revoked_at IS NULL AND expires_at > :now",
        {"tenant": tenant, "identity": identity, "until": until, "now": tx.now},
    )


# -- members -----------------------------------------------------------------------------------


def own_members(db: Connection, group_id: str) -> list[str]:
    """Canonical ids of a group's own members."""
    rows = db.execute(
        "SELECT identity_id FROM group_member WHERE group_id = :group", {"group": group_id}
    )
    return [identity for (identity,) in rows]


def members_as_of(db: Connection, group_id: str) -> int:
    """The instant of the newest whole list of a group's members; 0: there was none."""
    row = db.execute(
        "SELECT members_as_of FROM outside_link WHERE record_id = :id", {"id": group_id}
    ).fetchone()
    return 0 if row is None else int(row[0])


def members_told(tx: Transaction, group_id: str, as_of: int) -> None:
    tx.execute(
        "UPDATE outside_link SET members_as_of = :as_of WHERE record_id = :id",
        {"id": group_id, "as_of": as_of},
    )


def member_as_of(db: Connection, group_id: str, identity: str) -> int:
    """The instant of the newest news about one membership; 0: there was none."""
    row = db.execute(
        "SELECT as_of FROM outside_member WHERE group_id = :group AND identity_id = :identity",
        {"group": group_id, "identity": identity},
    ).fetchone()
    return 0 if row is None else int(row[0])


def member_told(tx: Transaction, group_id: str, identity: str, as_of: int) -> None:
    tx.execute(
        "INSERT INTO outside_member (group_id, identity_id, as_of)"
        " VALUES (:group, :identity, :as_of) ON CONFLICT DO UPDATE SET as_of = excluded.as_of",
        {"group": group_id, "identity": identity, "as_of": as_of},
    )


# -- what ended before it was known ------------------------------------------------------------


def ended_early(tx: Transaction, origin: Origin, kind: str, external_id: str) -> None:
    tx.execute(
        "INSERT INTO outside_early (issuer, tenant_id, kind, external_id, as_of)"
        " VALUES (:issuer, :tenant, :kind, :id, :as_of)"
        " ON CONFLICT DO UPDATE SET as_of = max(as_of, excluded.as_of)",
        {
            "issuer": origin.issuer, "tenant": origin.tenant_id, "kind": kind, "id": external_id,
            "as_of": origin.as_of,
        },
    )  # fmt: skip


def has_ended(db: Connection, origin: Origin, kind: str, external_id: str) -> bool:
    """Whether it ended, as far as news go that are not older than these."""
    row = db.execute(
        "SELECT as_of FROM outside_early WHERE issuer = :issuer AND tenant_id = :tenant"
        " AND kind = :kind AND external_id = :id",
        {"issuer": origin.issuer, "tenant": origin.tenant_id, "kind": kind, "id": external_id},
    ).fetchone()
    return row is not None and row[0] >= origin.as_of


# -- events ------------------------------------------------------------------------------------


def was_taken(tx: Transaction, event_id: str) -> bool:
    """Whether an event was taken within seven days; from now on it was."""
    row = tx.row("SELECT seen_at FROM outside_event WHERE id = :id", {"id": event_id})
    if row is not None and row[0] > tx.now - EVENTS_KEPT:
        return True
    tx.execute(
        "INSERT INTO outside_event (id, seen_at) VALUES (:id, :now)"
        " ON CONFLICT DO UPDATE SET seen_at = excluded.seen_at",
        {"id": event_id, "now": tx.now},
    )
    return False


# -- runs --------------------------------------------------------------------------------------


class Run(NamedTuple):
    """A row of ``sync_run``. ``cause``: manual or scheduled; ``error``: code and message."""

    id: str
    cause: str
    issuer: str | None
    partner_id: str | None
    tenant_id: str | None
    status: str
    started_at: int
    completed_at: int | None = None
    created: int = 0
    updated: int = 0
    suspended: int = 0
    skipped: tuple[str, ...] = ()
    error: tuple[str, str] | None = None


RUNNING: Final = "running"
COMPLETED: Final = "completed"
FAILED: Final = "failed"
_RUN: Final = f"SELECT {', '.join(Run._fields)} FROM sync_run"  # noqa: S608


def _run(row: Any) -> Run:
    error = None if row[12] is None else tuple(json.loads(row[12]))
    return Run._make((*row[:11], tuple(json.loads(row[11])), error))


def running(db: Connection) -> list[Run]:
    """Oldest first."""
    rows = db.execute(_RUN + " WHERE status = 'running' ORDER BY started_at, id")
    return [_run(row) for row in rows]


def add_run(tx: Transaction, run: Run) -> None:
    values = run._asdict() | {"skipped": json.dumps(run.skipped), "error": None}
    tx.execute(
        f"INSERT INTO sync_run ({', '.join(Run._fields)})"  # noqa: S608
        f" VALUES (:{', :'.join(Run._fields)})",
        values,
    )


def end_run(
    tx: Transaction, run_id: str, done: Counters, skipped: list[str], error: tuple[str, str] | None
) -> None:
    tx.execute(
        "UPDATE sync_run SET status = :status, completed_at = :now, created = :created,"
        " updated = :updated, suspended = :suspended, skipped = :skipped, error = :error"
        " WHERE id = :id",
        {
            "status": COMPLETED if error is None else FAILED,
            "now": tx.now,
            "skipped": json.dumps(skipped),
            "error": None if error is None else json.dumps(error),
            "id": run_id,
            **done._asdict(),
        },
    )


def last_start(db: Connection, issuer: str) -> int:
    """When the newest run over all that an issuer has began; 0: never."""
    row = db.execute(
        "SELECT coalesce(max(started_at), 0) FROM sync_run"
        " WHERE issuer = :issuer"
        " OR (issuer IS NULL AND partner_id IS NULL AND tenant_id IS NULL)",
        {"issuer": issuer},
    ).fetchone()
    return int(row[0])


_SEEN: Final = (
    " WHERE (:all OR (:partner IS NOT NULL AND partner_id = :partner) OR tenant_id = :tenant)"
)


def history(
    db: Connection, tenant: str | None, partner: str | None, size: int, skip: int
) -> tuple[list[Run], int]:
    """(runs, total), newest first, over a tenant, or over a partner and what is its; without
    either all."""
    values = {
        "tenant": tenant, "partner": partner, "all": tenant is None and partner is None,
        "size": size, "skip": skip,
    }  # fmt: skip
    newest = " ORDER BY started_at DESC, id DESC LIMIT :size OFFSET :skip"
    rows = [_run(row) for row in db.execute(_RUN + _SEEN + newest, values)]
    counted = db.execute("SELECT count(*) FROM sync_run" + _SEEN, values)  # noqa: S608
    return rows, int(counted.fetchone()[0])


# -- forgetting --------------------------------------------------------------------------------

_OLD: Final = (
    ("outside_event", "id", "seen_at <= :now - :kept", EVENTS_KEPT),
    (
        "outside_early", "issuer, tenant_id, kind, external_id", "as_of <= :now - :kept",
        _NEWS_KEPT,
    ),
    ("outside_member", "group_id, identity_id", "as_of <= :now - :kept", _NEWS_KEPT),
    ("sync_run", "id", "started_at <= :now - :kept AND status <> 'running'", _RUNS_KEPT),
)  # fmt: skip


def any_old(db: Connection, now: int) -> bool:
    return any(
        db.execute(
            f"SELECT 1 FROM {table} WHERE {old} LIMIT 1",  # noqa: S608  (literals)
            {"now": now, "kept": kept},
        ).fetchone()
        for table, _, old, kept in _OLD
    )


def forget(db: Connection, now: int, at_most: int) -> int:
    """Drop up to ``at_most`` rows of each kind that are too old to matter; how many."""
    return sum(
        db.execute(
            f"DELETE FROM {table} WHERE ({key}) IN"  # noqa: S608  (literals)
            f" (SELECT {key} FROM {table} WHERE {old} LIMIT :most)",
            {"now": now, "kept": kept, "most": at_most},
        ).rowcount
        for table, key, old, kept in _OLD
    )
