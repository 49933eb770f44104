"""The rows of second factors."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from scaivault.gate.transaction import Transaction
from scaivault.identity.model import User
from scaivault.seal.envelope import Sealed, field
from scaivault.storage.file import Connection


class Totp(NamedTuple):
    """A row of ``totp``. ``used``: the last time steps whose code was taken."""

    id: str
    confirmed_at: int | None
    used: tuple[int, ...]
    sealed: Sealed


def place(totp_id: str) -> str:
    """Where the secret stands, for its seal."""
    return field("totp", totp_id, "secret")


def _of(user: User, **values: object) -> dict[str, Any]:
    return {"tenant": user.tenant_id, "user": user.id, **values}


def factors(db: Connection, user: User) -> list[Totp]:
    """Those of a user: the one that is not confirmed yet first."""
    rows = db.execute(
        "SELECT id, confirmed_at, used, key_version, dek, secret FROM totp"
        " WHERE tenant_id = :tenant AND user_id = :user AND quarantined_at IS NULL"
        " ORDER BY confirmed_at IS NOT NULL",
        _of(user),
    )
    return [Totp(row[0], row[1], tuple(json.loads(row[2])), Sealed(*row[3:])) for row in rows]


def is_confirmed(db: Connection, user: User) -> bool:
    """Whether the user has a factor, be it one that does not open any more."""
    found = db.execute(
        "SELECT 1 FROM totp"
        " WHERE tenant_id = :tenant AND user_id = :user AND confirmed_at IS NOT NULL",
        _of(user),
    )
    return found.fetchone() is not None


def add(tx: Transaction, user: User, totp_id: str, secret: bytes) -> None:
    """A factor to be confirmed, instead of any other that is not confirmed."""
    tx.execute(
        "DELETE FROM totp WHERE tenant_id = :tenant AND user_id = :user AND confirmed_at IS NULL",
        _of(user),
    )
    sealed = tx.seal(user.tenant_id, place(totp_id), 0, secret)
    tx.execute(
        "INSERT INTO totp (tenant_id, id, user_id, created_at, used, key_version, dek, secret)"
        " VALUES (:tenant, :id, :user, :now, '[]', :key_version, :dek, :value)",
        _of(user, id=totp_id, now=tx.now, **sealed._asdict()),
    )


def use(tx: Transaction, user: User, totp_id: str, used: tuple[int, ...]) -> None:
    """Codes of these steps were taken."""
    tx.execute(
        "UPDATE totp SET used = :used WHERE tenant_id = :tenant AND id = :id",
        _of(user, id=totp_id, used=json.dumps(used)),
    )


def confirm(tx: Transaction, user: User, totp_id: str) -> None:
    """This factor counts from now on, and no other."""
    tx.execute(
        "DELETE FROM totp WHERE tenant_id = :tenant AND user_id = :user AND id <> :id",
        _of(user, id=totp_id),
    )
    tx.execute(
        "UPDATE totp SET confirmed_at = :now WHERE tenant_id = :tenant AND id = :id",
        _of(user, id=totp_id, now=tx.now),
    )


def drop(tx: Transaction, user: User) -> None:
    """All of a user's factors. What was guessed wrong stays."""
    tx.execute("DELETE FROM totp WHERE tenant_id = :tenant AND user_id = :user", _of(user))


def wrong(db: Connection, user: User) -> list[int]:
    """When the user last gave wrong codes."""
    row = db.execute(
        "SELECT at FROM totp_wrong WHERE tenant_id = :tenant AND user_id = :user", _of(user)
    ).fetchone()
    return [] if row is None else list(json.loads(row[0]))


def put_wrong(tx: Transaction, user: User, at: list[int]) -> None:
    tx.execute(
        "INSERT INTO totp_wrong (tenant_id, user_id, at) VALUES (:tenant, :user, :at)"
        " ON CONFLICT (tenant_id, user_id) DO UPDATE SET at = excluded.at",
        _of(user, at=json.dumps(at)),
    )
