"""The rows of secrets. ``owner`` is the tenant, or the partner for a partner secret."""

from __future__ import annotations

from operator import attrgetter
from typing import Any, Final

from scaivault.gate.transaction import Transaction
from scaivault.seal.envelope import Sealed
from scaivault.secrets.model import Secret, Version, tags_of
from scaivault.storage.file import Connection
from scaivault.storage.units import TooLong

_SECRET: Final = (
    "SELECT path, current_version, last_version, metadata, max_versions, notify_before,"
    " created_at, updated_at, expires_at, deleted_at, rotation_policy_id, secret_policy_id,"
    " secret_type, notice_at FROM secret WHERE owner_id = :owner AND path = :path"
)
# What indexes are over; an update that names none of it leaves their pages alone.
_ENDS: Final = attrgetter("expires_at", "deleted_at", "notice_at")
_REST: Final = (
    "current_version", "last_version", "metadata", "max_versions", "notify_before", "updated_at",
    "rotation_policy_id", "secret_policy_id", "secret_type",
)  # fmt: skip
_REST_OF: Final = attrgetter(*_REST)
_UPDATE: Final = (
    f"UPDATE secret SET {', '.join(f'{name} = ?' for name in _REST)}"  # noqa: S608 - literals
    " WHERE owner_id = ? AND path = ?"
)
# Sealed values beyond so many bytes stand elsewhere: with one, a row might not fit its page.
_LARGE: Final = 512
_SMALL: Final = (
    "version, secret_type, created_at, created_by, readable_until, quarantined_at, key_version, dek"
)
_FIELDS: Final = (
    f"{_SMALL}, coalesce((SELECT l.value FROM secret_large l WHERE l.id = large), value)"  # noqa: S608
)
_THIS: Final = " WHERE owner_id = :owner AND path = :path AND version = :version"
_VERSION: Final = f"SELECT {_FIELDS} FROM secret_version{_THIS}"  # noqa: S608 - literals
_GLANCED: Final = f"SELECT {_SMALL}, value, large FROM secret_version{_THIS}"  # noqa: S608


def _version(row: Any) -> Version:
    return Version._make((*row[:6], Sealed._make(row[6:])))


# -- reading, in a reader ----------------------------------------------------------------------


def find(db: Connection, owner: str, path: str) -> Secret | None:
    row = db.execute(_SECRET, {"owner": owner, "path": path}).fetchone()
    return None if row is None else Secret(*row)


def find_version(db: Connection, owner: str, path: str, version: int) -> Version | None:
    key = {"owner": owner, "path": path, "version": version}
    row = db.execute(_VERSION, key).fetchone()
    return None if row is None else _version(row)


def glance_at_version(db: Connection, owner: str, path: str, version: int) -> Version | None:
    """``find_version`` of a small value; raises ``TooLong`` for a large one."""
    key = {"owner": owner, "path": path, "version": version}
    row = db.execute(_GLANCED, key).fetchone()
    if row is None:
        return None
    if row[-1] is not None:
        raise TooLong
    return _version(row[:-1])


def last_access(db: Connection, owner: str, path: str) -> int | None:
    row = db.execute(
        "SELECT max(last_at) FROM secret_access WHERE owner_id = :owner AND path = :path",
        {"owner": owner, "path": path},
    ).fetchone()
    at: int | None = row[0]
    return at


def reads_since(db: Connection, owner: str, path: str, day: int) -> int:
    row = db.execute(
        "SELECT coalesce(sum(reads), 0) FROM secret_access"
        " WHERE owner_id = :owner AND path = :path AND day >= :day",
        {"owner": owner, "path": path, "day": day},
    ).fetchone()
    return int(row[0])


def versions(db: Connection, owner: str, path: str) -> list[Any]:
    """(version, created_at, created_by, readable_until, secret_type), newest first."""
    return db.execute(
        "SELECT version, created_at, created_by, readable_until, secret_type FROM secret_version"
        " WHERE owner_id = :owner AND path = :path ORDER BY version DESC",
        {"owner": owner, "path": path},
    ).fetchall()


# -- changing, in a transaction ----------------------------------------------------------------


def get(tx: Transaction, owner: str, path: str) -> Secret | None:
    return find(tx.connection, owner, path)


def put(tx: Transaction, owner: str, secret: Secret, before: Secret | None) -> None:
    """Insert or replace the row of a secret, which is ``before`` by now, and its tags."""
    if before is None or before.metadata != secret.metadata:
        known = set() if before is None else set(tags_of(before.metadata))
        _retag(tx, owner, secret.path, known, set(tags_of(secret.metadata)))
    if before is not None and _ENDS(before) == _ENDS(secret):
        tx.connection.execute(_UPDATE, (*_REST_OF(secret), owner, secret.path))
        return
    tx.execute(
        "INSERT INTO secret (owner_id, path, current_version, last_version, metadata, max_versions,"
        " notify_before, created_at, updated_at, expires_at, deleted_at, rotation_policy_id,"
        " secret_policy_id, secret_type, notice_at) VALUES (:owner_id, :path, :current_version,"
        " :last_version, :metadata, :max_versions, :notify_before, :created_at, :updated_at,"
        " :expires_at, :deleted_at, :rotation_policy_id, :secret_policy_id, :secret_type,"
        " :notice_at)"
        " ON CONFLICT (owner_id, path) DO UPDATE SET current_version = excluded.current_version,"
        " last_version = excluded.last_version, metadata = excluded.metadata,"
        " max_versions = excluded.max_versions, notify_before = excluded.notify_before,"
        " updated_at = excluded.updated_at, expires_at = excluded.expires_at,"
        " deleted_at = excluded.deleted_at, rotation_policy_id = excluded.rotation_policy_id,"
        " secret_policy_id = excluded.secret_policy_id,"
        " secret_type = excluded.secret_type, notice_at = excluded.notice_at",
        {"owner_id": owner, **secret._asdict()},
    )


def _retag(tx: Transaction, owner: str, path: str, known: set[str], tags: set[str]) -> None:
    key = {"owner": owner, "path": path}
    for tag in known - tags:
        tx.execute(
            "DELETE FROM secret_tag WHERE owner_id = :owner AND tag = :tag AND path = :path",
            {**key, "tag": tag},
        )
    for tag in tags - known:
        tx.execute(
            "INSERT INTO secret_tag (owner_id, tag, path) VALUES (:owner, :tag, :path)",
            {**key, "tag": tag},
        )


def notice(tx: Transaction, owner: str, path: str, at: int | None) -> None:
    """When something of a secret's end is to be told next."""
    tx.execute(
        "UPDATE secret SET notice_at = :at WHERE owner_id = :owner AND path = :path",
        {"owner": owner, "path": path, "at": at},
    )


def add_version(tx: Transaction, owner: str, path: str, version: Version) -> None:
    value, large = version.sealed.value, None
    if len(value) > _LARGE:
        (large,) = tx.row(
            "INSERT INTO secret_large (value) VALUES (:value) RETURNING id", {"value": value}
        )
        value = b""
    tx.execute(
        "INSERT INTO secret_version (owner_id, path, version, secret_type, created_at, created_by,"
        " readable_until, key_version, dek, value, large) VALUES (:owner, :path, :version,"
        " :secret_type, :created_at, :created_by, :readable_until, :key_version, :dek, :value,"
        " :large)",
        {
            "owner": owner,
            "path": path,
            "version": version.version,
            "secret_type": version.secret_type,
            "created_at": version.created_at,
            "created_by": version.created_by,
            "readable_until": version.readable_until,
            "key_version": version.sealed.key_version,
            "dek": version.sealed.dek,
            "value": value,
            "large": large,
        },
    )


def stored(tx: Transaction, owner: str, path: str) -> list[tuple[int, int | None]]:
    """(version, readable_until) of all versions."""
    return tx.rows(
        "SELECT version, readable_until FROM secret_version"
        " WHERE owner_id = :owner AND path = :path",
        {"owner": owner, "path": path},
    )


def drop_version(tx: Transaction, owner: str, path: str, version: int) -> int:
    """Destroy one version with its data key (``secure_delete`` overwrites the page)."""
    return tx.execute(
        "DELETE FROM secret_version"
        " WHERE owner_id = :owner AND path = :path AND version = :version",
        {"owner": owner, "path": path, "version": version},
    )


def clear_grace(tx: Transaction, owner: str, path: str, version: int) -> None:
    tx.execute(
        "UPDATE secret_version SET readable_until = NULL"
        " WHERE owner_id = :owner AND path = :path AND version = :version",
        {"owner": owner, "path": path, "version": version},
    )


def end_older(tx: Transaction, owner: str, path: str, newest: int, until: int) -> None:
    """Every version but the newest that has no end yet gets one."""
    tx.execute(
        "UPDATE secret_version SET readable_until = :until WHERE owner_id = :owner"
        " AND path = :path AND version <> :newest AND readable_until IS NULL",
        {"owner": owner, "path": path, "newest": newest, "until": until},
    )


def newest_readable(tx: Transaction, owner: str, path: str, other: int) -> tuple[int, str] | None:
    """(version, secret_type) of the newest one that can be read, ``other`` left aside."""
    row: tuple[int, str] | None = tx.row(
        "SELECT version, secret_type FROM secret_version WHERE owner_id = :owner AND path = :path"
        " AND version <> :other AND (readable_until IS NULL OR readable_until > :now)"
        " AND quarantined_at IS NULL ORDER BY version DESC LIMIT 1",
        {"owner": owner, "path": path, "other": other, "now": tx.now},
    )
    return row


def destroy(tx: Transaction, owner: str, path: str) -> int:
    """Remove a secret, its versions, tags and counters for good; how many versions there were."""
    key = {"owner": owner, "path": path}
    secret = get(tx, owner, path)
    if secret is not None:
        _retag(tx, owner, path, set(tags_of(secret.metadata)), set())
    tx.execute("DELETE FROM secret_access WHERE owner_id = :owner AND path = :path", key)
    dropped = tx.execute("DELETE FROM secret_version WHERE owner_id = :owner AND path = :path", key)
    tx.execute("DELETE FROM secret WHERE owner_id = :owner AND path = :path", key)
    return dropped


def quarantine(tx: Transaction, owner: str, path: str, version: int) -> None:
    tx.execute(
        "UPDATE secret_version SET quarantined_at = coalesce(quarantined_at, :now)"
        " WHERE owner_id = :owner AND path = :path AND version = :version",
        {"now": tx.now, "owner": owner, "path": path, "version": version},
    )


def over_retention(db: Connection, before: int, limit: int) -> list[Any]:
    """(owner, path) of secrets that were soft-deleted before an instant."""
    return db.execute(
        "SELECT owner_id, path FROM secret WHERE deleted_at IS NOT NULL AND deleted_at <= :before"
        " ORDER BY deleted_at LIMIT :limit",
        {"before": before, "limit": limit},
    ).fetchall()


def to_tell(db: Connection, now: int, limit: int) -> list[Any]:
    """(owner, path) of live secrets of whose end something is to be told."""
    return db.execute(
        "SELECT owner_id, path FROM secret WHERE notice_at IS NOT NULL AND notice_at <= :now"
        " AND deleted_at IS NULL ORDER BY notice_at LIMIT :limit",
        {"now": now, "limit": limit},
    ).fetchall()


def any_of(db: Connection, owner: str) -> bool:
    """Whether an owner has secrets, deleted ones too."""
    row = db.execute("SELECT 1 FROM secret WHERE owner_id = :owner LIMIT 1", {"owner": owner})
    return row.fetchone() is not None


def some_of(tx: Transaction, owner: str, limit: int) -> list[str]:
    """Paths of an owner's secrets, deleted ones too."""
    rows = tx.rows(
        "SELECT path FROM secret WHERE owner_id = :owner LIMIT :limit",
        {"owner": owner, "limit": limit},
    )
    return [str(path) for (path,) in rows]


def some_versions(db: Connection, after: tuple[str, str, int], limit: int) -> list[Any]:
    """(owner, path, version) of sound versions behind one, in key order."""
    owner, path, version = after
    rows = db.execute(
        f"SELECT owner_id, path, {_FIELDS} FROM secret_version"  # noqa: S608 - literals
        " WHERE (owner_id, path, version) > (:owner, :path, :version)"
        " AND quarantined_at IS NULL ORDER BY owner_id, path, version LIMIT :limit",
        {"owner": owner, "path": path, "version": version, "limit": limit},
    )
    return [(row[0], row[1], _version(row[2:])) for row in rows]


def broken(db: Connection) -> int:
    """How many stored versions are set aside because they do not open."""
    row = db.execute("SELECT count(*) FROM secret_version WHERE quarantined_at IS NOT NULL")
    return int(row.fetchone()[0])
