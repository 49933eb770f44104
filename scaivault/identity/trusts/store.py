"""The rows of trusts, and which tokens were exchanged that count once."""

from __future__ import annotations

import json
from typing import Any, Final

from scaivault.clock import DAY
from scaivault.gate.transaction import Transaction
from scaivault.identity.foreign.key_sets import Source
from scaivault.identity.model import pack, unpack
from scaivault.identity.trusts.model import Review, Trust
from scaivault.storage.file import Connection

_TRUST: Final = (
    "SELECT tenant_id, id, name, issuer, jwks_url, jwks, algorithms, audience, subject,"
    " claims_equal, identity_id, max_scopes, max_ttl, allowed_paths, single_use, token_review,"
    " is_active, created_at, updated_at, last_used_at FROM trust"
)


def _trust(row: Any) -> Trust:
    return Trust._make(
        (
            *row[:6], unpack(row[6]), unpack(row[7]), row[8], json.loads(row[9]), row[10],
            unpack(row[11]), row[12], unpack(row[13]), row[14],
            None if row[15] is None else Review._make(json.loads(row[15])), *row[16:],
        )
    )  # fmt: skip


def trust(db: Connection, trust_id: str) -> Trust | None:
    row = db.execute(_TRUST + " WHERE id = :id", {"id": trust_id}).fetchone()
    return None if row is None else _trust(row)


def named(db: Connection, tenant: str, name: str) -> Trust | None:
    row = db.execute(
        _TRUST + " WHERE tenant_id = :tenant AND name = :name", {"tenant": tenant, "name": name}
    ).fetchone()
    return None if row is None else _trust(row)


def page(db: Connection, tenant: str, behind: list[Any], limit: int) -> list[Trust]:
    """A tenant's, newest first, behind an instant and an id."""
    rows = db.execute(
        _TRUST + " WHERE tenant_id = :tenant AND (created_at, id) < (:at, :id)"
        " ORDER BY created_at DESC, id DESC LIMIT :limit",
        {"tenant": tenant, "at": behind[0], "id": behind[1], "limit": limit},
    )
    return [_trust(row) for row in rows]


def active_of(
    db: Connection, issuer: str, tenant: str | None, identity: str | None, most: int
) -> list[Trust]:
    """Up to ``most`` that name an issuer, oldest first: of all tenants and accounts, or of one."""
    rows = db.execute(
        _TRUST + " WHERE issuer = :issuer AND is_active = 1"
        " AND tenant_id = coalesce(:tenant, tenant_id)"
        " AND identity_id = coalesce(:identity, identity_id) ORDER BY created_at, id LIMIT :most",
        {"issuer": issuer, "tenant": tenant, "identity": identity, "most": most},
    )
    return [_trust(row) for row in rows]


def active_for(db: Connection, tenant: str, identity: str) -> list[Trust]:
    """Those that give an identity."""
    rows = db.execute(
        _TRUST + " WHERE tenant_id = :tenant AND identity_id = :identity AND is_active = 1",
        {"tenant": tenant, "identity": identity},
    )
    return [_trust(row) for row in rows]


def is_named(db: Connection, source: Source) -> bool:
    """Whether keys of this source are those of an active trust."""
    found = db.execute(
        "SELECT 1 FROM trust WHERE issuer = :issuer AND jwks_url IS :jwks_url AND jwks IS NULL"
        " AND is_active = 1 LIMIT 1",
        {"issuer": source.issuer, "jwks_url": source.jwks_url},
    )
    return found.fetchone() is not None


def put(tx: Transaction, kept: Trust) -> None:
    tx.execute(
        "INSERT INTO trust (tenant_id, id, name, issuer, jwks_url, jwks, algorithms, audience,"
        " subject, claims_equal, identity_id, max_scopes, max_ttl, allowed_paths, single_use,"
        " token_review, is_active, created_at, updated_at, last_used_at) VALUES (:tenant_id, :id,"
        " :name, :issuer, :jwks_url, :jwks, :algorithms, :audience, :subject, :claims_equal,"
        " :identity_id, :max_scopes, :max_ttl, :allowed_paths, :single_use, :token_review,"
        " :is_active, :created_at, :updated_at, :last_used_at)"
        " ON CONFLICT (tenant_id, id) DO UPDATE SET name = excluded.name,"
        " issuer = excluded.issuer, jwks_url = excluded.jwks_url, jwks = excluded.jwks,"
        " algorithms = excluded.algorithms, audience = excluded.audience,"
        " subject = excluded.subject, claims_equal = excluded.claims_equal,"
        " identity_id = excluded.identity_id, max_scopes = excluded.max_scopes,"
        " max_ttl = excluded.max_ttl, allowed_paths = excluded.allowed_paths,"
        " single_use = excluded.single_use, token_review = excluded.token_review,"
        " is_active = excluded.is_active, updated_at = excluded.updated_at",
        {
            **kept._asdict(),
            "algorithms": pack(kept.algorithms),
            "audience": pack(kept.audience),
            "claims_equal": json.dumps(kept.claims_equal),
            "max_scopes": pack(kept.max_scopes),
            "allowed_paths": pack(kept.allowed_paths),
            "token_review": None if kept.token_review is None else json.dumps(kept.token_review),
        },
    )


def drop(tx: Transaction, trust_id: str) -> None:
    tx.execute("DELETE FROM trust WHERE id = :id", {"id": trust_id})


def used(tx: Transaction, trust_id: str) -> None:
    tx.execute(
        "UPDATE trust SET last_used_at = :now WHERE id = :id", {"now": tx.now, "id": trust_id}
    )


def disable_of(tx: Transaction, tenant: str, identity: str) -> None:
    """The active ones that give an identity."""
    tx.execute(
        "UPDATE trust SET is_active = 0, updated_at = :now WHERE tenant_id = :tenant"
        " AND identity_id = :identity AND is_active = 1",
        {"now": tx.now, "tenant": tenant, "identity": identity},
    )


# -- tokens that count once --------------------------------------------------------------------


def spend(tx: Transaction, tenant: str, token_id: str, until: int) -> bool:
    """Whether this is the first time; remembered until an instant at which the token is over."""
    done = tx.execute(
        "INSERT INTO trust_spent (tenant_id, id, expires_at) VALUES (:tenant, :id, :until)"
        " ON CONFLICT (tenant_id, id) DO NOTHING",
        {"tenant": tenant, "id": token_id, "until": until},
    )
    return done == 1


_OVER: Final = "SELECT tenant_id, id FROM trust_spent WHERE expires_at <= :day LIMIT :most"


def any_over(db: Connection, now: int) -> bool:
    """Whether a token that was exchanged is over for a day: a clock that is set back by less does
    not make it count again."""
    return db.execute(_OVER, {"day": now - DAY, "most": 1}).fetchone() is not None


def forget_over(db: Connection, now: int, most: int) -> int:
    """Drop up to ``most`` of them; how many."""
    return db.execute(
        f"DELETE FROM trust_spent WHERE (tenant_id, id) IN ({_OVER})",  # noqa: S608  (a literal)
        {"day": now - DAY, "most": most},
    ).rowcount
