"""The rows about tokens of outside issuers, and what such a token needs to know of others."""

from __future__ import annotations

import json
from typing import Final

from scaivault.clock import DAY
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection

# -- revoked tokens ----------------------------------------------------------------------------


def is_revoked(db: Connection, token_id: str) -> bool:
    found = db.execute("SELECT 1 FROM foreign_revoked WHERE id = :id", {"id": token_id})
    return found.fetchone() is not None


def revoke(tx: Transaction, token_id: str, until: int) -> None:
    """``until``: when the token is over by itself."""
    tx.execute(
        "INSERT INTO foreign_revoked (id, expires_at) VALUES (:id, :until)"
        " ON CONFLICT DO UPDATE SET expires_at = max(expires_at, excluded.expires_at)",
        {"id": token_id, "until": until},
    )


def any_over(db: Connection, now: int) -> bool:
    """Whether a token that was revoked is over for a day: a clock that is set back by less does
    not bring it back."""
    over = "SELECT 1 FROM foreign_revoked WHERE expires_at <= :day LIMIT 1"
    return db.execute(over, {"day": now - DAY}).fetchone() is not None


def forget_over(db: Connection, now: int, at_most: int) -> int:
    """Drop up to ``at_most`` of those; how many."""
    return db.execute(
        "DELETE FROM foreign_revoked WHERE id IN (SELECT id FROM foreign_revoked"
        " WHERE expires_at <= :day LIMIT :most)",
        {"day": now - DAY, "most": at_most},
    ).rowcount


# -- subjects ----------------------------------------------------------------------------------


def subject_meant(db: Connection, tenant: str, identity: str, iss: str) -> str | None:
    """Whose subject an issuer (its ``iss``) meant by an identity so far."""
    row = db.execute(
        "SELECT subject FROM foreign_subject"
        " WHERE tenant_id = :tenant AND identity_id = :identity AND iss = :iss",
        {"tenant": tenant, "identity": identity, "iss": iss},
    ).fetchone()
    return None if row is None else row[0]


def put_subject(tx: Transaction, tenant: str, identity: str, iss: str, subject: str) -> None:
    tx.execute(
        "INSERT INTO foreign_subject (tenant_id, identity_id, iss, subject)"
        " VALUES (:tenant, :identity, :iss, :subject)",
        {"tenant": tenant, "identity": identity, "iss": iss, "subject": subject},
    )


def forget_subjects(tx: Transaction, tenant: str, identity: str) -> None:
    tx.execute(
        "DELETE FROM foreign_subject WHERE tenant_id = :tenant AND identity_id = :identity",
        {"tenant": tenant, "identity": identity},
    )


# -- groups ------------------------------------------------------------------------------------

_CLAIMED: Final = (
    "WITH RECURSIVE claimed (identity_id) AS (SELECT value FROM json_each(:claimed)),"
    " above (identity_id, parent_id) AS ("
    "SELECT g.identity_id, g.parent_id FROM claimed c JOIN identity_group g"
    " ON g.tenant_id = :tenant AND g.identity_id = c.identity_id AND g.deleted_at IS NULL"
    " UNION SELECT g.identity_id, g.parent_id FROM above JOIN identity_group g"
    " ON g.id = above.parent_id)"
    " SELECT identity_id FROM above"
    " UNION SELECT c.identity_id FROM claimed c WHERE NOT EXISTS (SELECT 1 FROM identity_group g"
    " WHERE g.tenant_id = :tenant AND g.identity_id = c.identity_id)"
)


def with_parents(db: Connection, tenant: str, claimed: tuple[str, ...]) -> list[str]:
    """Groups by canonical id and all above them. One that was deleted here is none; one that is
    not known here yet is only itself."""
    rows = db.execute(_CLAIMED, {"tenant": tenant, "claimed": json.dumps(claimed)})
    return [identity_id for (identity_id,) in rows]
