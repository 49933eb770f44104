"""The rows of identities."""

from __future__ import annotations

from typing import Any, Final, cast

from scaivault.clock import DAY
from scaivault.gate.transaction import Transaction
from scaivault.identity.model import ACTIVE, Account, Credential, Token, pack, unpack
from scaivault.storage.file import Connection

_ACCOUNT: Final = (
    "SELECT tenant_id, id, identity_id, display_name, status, scopes, roles, created_at"
    " FROM service_account"
)
_TOKEN: Final = (
    "SELECT id, kind, tenant_id, identity_id, name, scopes, credential_id, created_at,"
    " expires_at, last_used_at, revoked_at FROM token"
)
_CREDENTIAL: Final = "SELECT id, name, created_at, expires_at, last_used_at FROM credential"


def _account(row: Any) -> Account | None:
    if row is None:
        return None
    return Account._make((*row[:5], unpack(row[5]), unpack(row[6]), row[7]))


def _token(row: Any) -> Token | None:
    return None if row is None else Token._make((*row[:5], unpack(row[5]), *row[6:]))


_LISTED: Final = (
    " WHERE tenant_id = :tenant AND status = coalesce(:status, status)"
    " AND (:status IS NOT NULL OR status <> 'DELETED')"
    " AND (instr(lower(identity_id), :q) > 0 OR instr(lower(display_name), :q) > 0)"
)


# -- service accounts --------------------------------------------------------------------------


def account_by_identity(db: Connection, tenant: str, identity: str) -> Account | None:
    return _account(
        db.execute(
            _ACCOUNT + " WHERE tenant_id = :tenant AND identity_id = :identity",
            {"tenant": tenant, "identity": identity},
        ).fetchone()
    )


def account_by_id(db: Connection, account_id: str) -> Account | None:
    return _account(db.execute(_ACCOUNT + " WHERE id = :id", {"id": account_id}).fetchone())


def oldest_account(db: Connection, identity: str) -> Account | None:
    """Of all tenants' accounts with this canonical id."""
    return _account(
        db.execute(
            _ACCOUNT + " WHERE identity_id = :identity ORDER BY created_at LIMIT 1",
            {"identity": identity},
        ).fetchone()
    )


def accounts(db: Connection, tenant: str, status: str | None, q: str, size: int, skip: int) -> Any:
    """(rows, total) of a tenant's accounts by name; without ``status`` all but deleted ones."""
    values = {"tenant": tenant, "status": status, "q": q, "size": size, "skip": skip}
    rows = db.execute(_ACCOUNT + _LISTED + " ORDER BY identity_id LIMIT :size OFFSET :skip", values)
    found = [account for row in rows if (account := _account(row)) is not None]
    counted = db.execute("SELECT count(*) FROM service_account" + _LISTED, values)  # noqa: S608
    return found, counted.fetchone()[0]


def put_account(tx: Transaction, account: Account) -> None:
    tx.execute(
        "INSERT INTO service_account (tenant_id, id, identity_id, display_name, status, scopes,"
        " roles, created_at) VALUES (:tenant_id, :id, :identity_id, :display_name, :status,"
        " :scopes, :roles, :created_at) ON CONFLICT (tenant_id, identity_id) DO UPDATE SET"
        " display_name = excluded.display_name, status = excluded.status,"
        " scopes = excluded.scopes, roles = excluded.roles",
        {**account._asdict(), "scopes": pack(account.scopes), "roles": pack(account.roles)},
    )


def super_admins(tx: Transaction) -> int:
    row = tx.row(
        "SELECT count(*) FROM service_account WHERE status = 'ACTIVE'"
        " AND instr(roles, '\"super_admin\"') > 0"
    )
    return int(row[0])


def role_holders(db: Connection) -> list[tuple[str, tuple[str, ...], str, str]]:
    """(identity, roles, tenant, partner) of every account with an admin role."""
    rows = db.execute(
        "SELECT a.identity_id, a.roles, a.tenant_id, t.partner_id FROM service_account a"
        " JOIN tenant t ON t.id = a.tenant_id WHERE a.roles <> '[]' AND a.status <> 'DELETED'"
        " ORDER BY a.identity_id, a.tenant_id"
    )
    return [(identity, unpack(roles), tenant, partner) for identity, roles, tenant, partner in rows]


# -- credentials -------------------------------------------------------------------------------


def credentials(db: Connection, account_id: str) -> list[Credential]:
    rows = db.execute(
        _CREDENTIAL + " WHERE account_id = :account ORDER BY created_at, id",
        {"account": account_id},
    )
    return [Credential(*row) for row in rows]


def credential_hashes(db: Connection, account_id: str) -> list[tuple[str, bytes, int | None]]:
    """(id, hash, expires_at)"""
    return db.execute(
        "SELECT id, hash, expires_at FROM credential WHERE account_id = :account",
        {"account": account_id},
    ).fetchall()


def still_lets_in(tx: Transaction, account: Account, credential_id: str) -> bool:
    """Whether the account is active and the credential one of its live ones."""
    return (
        tx.row(
            "SELECT 1 FROM credential c JOIN service_account a ON a.id = c.account_id"
            " WHERE c.id = :id AND a.id = :account AND a.status = :active"
            " AND (c.expires_at IS NULL OR c.expires_at > :now)",
            {"id": credential_id, "account": account.id, "active": ACTIVE, "now": tx.now},
        )
        is not None
    )


def add_credential(
    tx: Transaction, tenant: str, account_id: str, credential: Credential, hashed: bytes
) -> None:
    tx.execute(
        "INSERT INTO credential (tenant_id, id, account_id, name, hash, created_at, expires_at)"
        " VALUES (:tenant, :id, :account, :name, :hash, :created_at, :expires_at)",
        {
            **credential._asdict(),
            "tenant": tenant,
            "account": account_id,
            "hash": hashed,
        },
    )


def drop_credential(tx: Transaction, account_id: str, credential_id: str) -> int:
    return tx.execute(
        "DELETE FROM credential WHERE account_id = :account AND id = :id",
        {"account": account_id, "id": credential_id},
    )


# -- tokens ------------------------------------------------------------------------------------


def token_by_hash(db: Connection, hashed: bytes) -> Token | None:
    return _token(db.execute(_TOKEN + " WHERE hash = :hash", {"hash": hashed}).fetchone())


def token_by_id(db: Connection, token_id: str) -> Token | None:
    return _token(db.execute(_TOKEN + " WHERE id = :id", {"id": token_id}).fetchone())


def add_token(tx: Transaction, token: Token, hashed: bytes | None) -> None:
    tx.execute(
        "INSERT INTO token (id, kind, tenant_id, identity_id, name, hash, scopes, credential_id,"
        " created_at, expires_at) VALUES (:id, :kind, :tenant_id, :identity_id, :name, :hash,"
        " :scopes, :credential_id, :created_at, :expires_at)",
        {**token._asdict(), "scopes": pack(token.scopes), "hash": hashed},
    )


def revoke_token(tx: Transaction, token_id: str) -> None:
    tx.execute(
        "UPDATE token SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
        {"now": tx.now, "id": token_id},
    )


def revoke_all(tx: Transaction, tenant: str, identity: str) -> int:
    """Every token of an identity; how many were live."""
    return tx.execute(
        "UPDATE token SET revoked_at = :now WHERE tenant_id = :tenant"
        " AND identity_id = :identity AND revoked_at IS NULL AND expires_at > :now",
        {"now": tx.now, "tenant": tenant, "identity": identity},
    )


def end_access(tx: Transaction, account: Account) -> None:
    """No token and no client secret of the account works any more."""
    revoke_all(tx, account.tenant_id, account.identity_id)
    tx.execute("DELETE FROM credential WHERE account_id = :account", {"account": account.id})


def revoke_of_credential(tx: Transaction, tenant: str, identity: str, credential_id: str) -> int:
    return tx.execute(
        "UPDATE token SET revoked_at = :now WHERE tenant_id = :tenant"
        " AND identity_id = :identity AND credential_id = :credential AND revoked_at IS NULL",
        {"now": tx.now, "tenant": tenant, "identity": identity, "credential": credential_id},
    )


def last_seen(db: Connection, tenant: str, identity: str) -> int | None:
    row = db.execute(
        "SELECT last_seen_at FROM service_account"
        " WHERE tenant_id = :tenant AND identity_id = :identity",
        {"tenant": tenant, "identity": identity},
    ).fetchone()
    return None if row is None else cast("int | None", row[0])


def used(tx: Transaction, token_id: str, at: int) -> None:
    """The token was used, and so its account was seen."""
    values = {"at": at, "id": token_id}
    tx.execute(
        "UPDATE token SET last_used_at = max(coalesce(last_used_at, 0), :at) WHERE id = :id",
        values,
    )
    tx.execute(
        "UPDATE service_account SET last_seen_at = max(coalesce(last_seen_at, 0), :at)"
        " WHERE (tenant_id, identity_id) IN"
        " (SELECT tenant_id, identity_id FROM token WHERE id = :id)",
        values,
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


def credential_used(tx: Transaction, credential_id: str) -> None:
    tx.execute(
        "UPDATE credential SET last_used_at = :now WHERE id = :id",
        {"now": tx.now, "id": credential_id},
    )
