"""The rows of users."""

from __future__ import annotations

from typing import Any, Final

from scaivault.gate.transaction import Transaction
from scaivault.identity.model import User, pack, unpack
from scaivault.storage.file import Connection

_COLUMNS: Final = ", ".join(User._fields)
_USER: Final = f"SELECT {_COLUMNS} FROM user"  # noqa: S608
_LISTED: Final = (
    " WHERE tenant_id = :tenant AND status = coalesce(:status, status)"
    " AND (:status IS NOT NULL OR status <> 'DELETED')"
    " AND (instr(folded(substr(identity_id, 6)), :q) > 0 OR instr(folded(display_name), :q) > 0)"
)
_PUT: Final = (
    f"INSERT INTO user ({_COLUMNS}) VALUES (:{', :'.join(User._fields)})"  # noqa: S608
    " ON CONFLICT (tenant_id, identity_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in User._fields[3:] if name != "created_at")
)


def _user(row: Any) -> User | None:
    return None if row is None else User._make((*row[:6], unpack(row[6]), *row[7:]))


def user_by_identity(db: Connection, tenant: str, identity: str) -> User | None:
    """Deleted ones too."""
    return _user(
        db.execute(
            _USER + " WHERE tenant_id = :tenant AND identity_id = :identity",
            {"tenant": tenant, "identity": identity},
        ).fetchone()
    )


def user_by_id(db: Connection, user_id: str) -> User | None:
    """Deleted ones too."""
    return _user(db.execute(_USER + " WHERE id = :id", {"id": user_id}).fetchone())


def users(
    db: Connection, tenant: str, status: str | None, q: str, size: int, skip: int
) -> tuple[list[User], int]:
    """(rows, total) of a tenant's users by name; without ``status`` all but deleted ones."""
    values = {"tenant": tenant, "status": status, "q": q, "size": size, "skip": skip}
    rows = db.execute(_USER + _LISTED + " ORDER BY identity_id LIMIT :size OFFSET :skip", values)
    found = [user for row in rows if (user := _user(row)) is not None]
    counted = db.execute("SELECT count(*) FROM user" + _LISTED, values)  # noqa: S608
    return found, counted.fetchone()[0]


def put_user(tx: Transaction, user: User) -> None:
    tx.execute(_PUT, {**user._asdict(), "roles": pack(user.roles)})
