"""The rows of tokens."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from scaivault.clock import DAY
from scaivault.gate.transaction import Transaction
from scaivault.identity.issuer import SKEW
from scaivault.identity.model import PAT, Token, pack, unpack
from scaivault.identity.notices import next_notice
from scaivault.storage.file import Connection

_TOKEN: Final = (
    "SELECT id, kind, tenant_id, identity_id, name, scopes, credential_id, created_at,"
    " expires_at, last_used_at, revoked_at, allowed_paths, ip_ranges, parent_id, trust_id,"
    " mfa_verified_at FROM token"
)


class Wanted(NamedTuple):
    """Filters of a list; None: any."""

    identity_id: str | None
    token_kind: str | None
    status: str


_LISTED: Final = (
    " AND kind = coalesce(:token_kind, kind)"
    " AND :status = CASE WHEN revoked_at IS NOT NULL THEN 'revoked'"
    " WHEN expires_at <= :now THEN 'expired' ELSE 'active' END"
    " AND (created_at, id) < (:at, :id) ORDER BY created_at DESC, id DESC LIMIT :most"
)
_OF_ALL: Final = "token_newest WHERE tenant_id = :tenant" + _LISTED
_OF_ONE: Final = (
    "token_newest_of WHERE tenant_id = :tenant AND identity_id = :identity_id" + _LISTED
)


def _token(row: Any) -> Token | None:
    if row is None:
        return None
    paths = tuple(tuple(globs) for globs in json.loads(row[11]))
    return Token._make((*row[:5], unpack(row[5]), *row[6:11], paths, unpack(row[12]), *row[13:]))


def token_by_hash(db: Connection, hashed: bytes) -> Token | None:
    return _token(db.execute(_TOKEN + " WHERE hash = :hash", {"hash": hashed}).fetchone())


def token_by_id(db: Connection, token_id: str) -> Token | None:
    return _token(db.execute(_TOKEN + " WHERE id = :id", {"id": token_id}).fetchone())


def add_token(tx: Transaction, token: Token, hashed: bytes | None) -> None:
    tx.execute(
        "INSERT INTO token (id, kind, tenant_id, identity_id, name, hash, scopes, credential_id,"
        " created_at, expires_at, allowed_paths, ip_ranges, parent_id, trust_id, mfa_verified_at,"
        " notice_at) VALUES (:id, :kind, :tenant_id, :identity_id, :name, :hash, :scopes,"
        " :credential_id, :created_at, :expires_at, :allowed_paths, :ip_ranges, :parent_id,"
        " :trust_id, :mfa_verified_at, :notice_at)",
        {
            **token._asdict(),
            "hash": hashed,
            "scopes": pack(token.scopes),
            "allowed_paths": json.dumps(token.allowed_paths),
            "ip_ranges": pack(token.ip_ranges),
            "notice_at": next_notice(token.expires_at, tx.now) if token.kind == PAT else None,
        },
    )


# Whose tokens end: ``gone``, and whatever was made from one of them. An issued one is taken for
# the length of the clock skew behind its end, and may have to end before that.
_END: Final = (
    "WITH RECURSIVE gone (id) AS (SELECT id FROM token WHERE {whose}"
    " UNION SELECT t.id FROM gone JOIN token t ON t.parent_id = gone.id)"
    " UPDATE token SET revoked_at = :now WHERE id IN gone AND revoked_at IS NULL"
    " AND :now < expires_at + CASE kind WHEN 'personal_access_token' THEN 0 ELSE :skew END"
)


def _end(tx: Transaction, whose: str, **values: str) -> int:
    """``whose``: a condition (a literal) with ``values``; how many were live."""
    return tx.execute(_END.format(whose=whose), {"now": tx.now, "skew": SKEW, **values})


def revoke_token(tx: Transaction, token_id: str) -> int:
    """A token, which may have no row, and those made from it; how many were live."""
    return _end(tx, "id = :id OR parent_id = :id", id=token_id)


def revoke_all(tx: Transaction, tenant: str, identity: str) -> int:
    """Every token of an identity and those made from them; how many were live."""
    whose = "tenant_id = :tenant AND identity_id = :identity"
    return _end(tx, whose, tenant=tenant, identity=identity)


def revoke_of_credential(tx: Transaction, tenant: str, identity: str, credential_id: str) -> int:
    """Every token that a client secret gave and those made from them; how many were live."""
    whose = "tenant_id = :tenant AND identity_id = :identity AND credential_id = :credential"
    return _end(tx, whose, tenant=tenant, identity=identity, credential=credential_id)


def verified(tx: Transaction, token_id: str) -> None:
    """Its holder proved a second factor with it, now."""
    tx.execute(
        "UPDATE token SET mfa_verified_at = :now WHERE id = :id", {"now": tx.now, "id": token_id}
    )


def unverify(tx: Transaction, tenant: str, identity: str) -> None:
    """What was proven to any token of an identity counts no more."""
    tx.execute(
        "UPDATE token SET mfa_verified_at = NULL WHERE tenant_id = :tenant"
        " AND identity_id = :identity AND mfa_verified_at IS NOT NULL",
        {"tenant": tenant, "identity": identity},
    )


def page(
    db: Connection, tenant: str, wanted: Wanted, now: int, behind: tuple[int, str], most: int
) -> list[Token]:
    """The first ``most`` of a tenant's tokens behind (created_at, id), newest first."""
    by_identity = wanted.identity_id is not None
    sql = "".join((_TOKEN, " INDEXED BY ", _OF_ONE if by_identity else _OF_ALL))
    values = {"tenant": tenant, "now": now, "at": behind[0], "id": behind[1], "most": most}
    rows = db.execute(sql, {**wanted._asdict(), **values})
    return [token for row in rows if (token := _token(row)) is not None]


def revoke_of_trust(tx: Transaction, tenant: str, trust_id: str) -> int:
    """Every token that was issued under a trust and those made from them; how many were live."""
    return _end(tx, "tenant_id = :tenant AND trust_id = :trust", tenant=tenant, trust=trust_id)


def used(tx: Transaction, token_id: str, at: int) -> None:
    """``at``: when it was last used, to the minute."""
    tx.execute(
        "UPDATE token SET last_used_at = max(coalesce(last_used_at, 0), :at) WHERE id = :id",
        {"at": at, "id": token_id},
    )


# A personal access token stays in the list of its owner.
_ENDED: Final = (
    "SELECT id FROM token WHERE expires_at <= :day AND kind <> 'personal_access_token' LIMIT :most"
)


def any_ended(db: Connection, now: int) -> bool:
    """Whether an issued token ended a day ago."""
    return db.execute(_ENDED, {"day": now - DAY, "most": 1}).fetchone() is not None


def forget_ended(db: Connection, now: int, most: int) -> int:
    """Drop up to ``most`` issued tokens that ended a day ago; how many."""
    return db.execute(
        f"DELETE FROM token WHERE id IN ({_ENDED})",  # noqa: S608  (a literal)
        {"day": now - DAY, "most": most},
    ).rowcount
