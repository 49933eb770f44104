"""The rows of service accounts and of their credentials."""

from __future__ import annotations

from typing import Any, Final

from scaivault.gate.transaction import Transaction
from scaivault.identity.model import ACTIVE, Account, Credential, pack, unpack
from scaivault.identity.notices import next_notice
from scaivault.storage.file import Connection

_ACCOUNT: Final = (
    "SELECT tenant_id, id, identity_id, display_name, status, scopes, roles, created_at, issuer,"
    " revoked_before, last_seen_at FROM service_account"
)
_CREDENTIAL: Final = "SELECT id, name, created_at, expires_at, last_used_at FROM credential"


def _account(row: Any) -> Account | None:
    if row is None:
        return None
    return Account._make((*row[:5], unpack(row[5]), unpack(row[6]), *row[7:]))


_LISTED: Final = (
    " WHERE tenant_id = :tenant AND status = coalesce(:status, status)"
    " AND (:status IS NOT NULL OR status <> 'DELETED')"
    " AND (instr(substr(identity_id, 4), :q) > 0 OR instr(folded(display_name), :q) > 0)"
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
        " roles, created_at, issuer, revoked_before, last_seen_at) VALUES (:tenant_id, :id,"
        " :identity_id, :display_name, :status, :scopes, :roles, :created_at, :issuer,"
        " :revoked_before, :last_seen_at) ON CONFLICT (tenant_id, identity_id) DO UPDATE SET"
        " display_name = excluded.display_name, status = excluded.status,"
        " scopes = excluded.scopes, roles = excluded.roles,"
        " revoked_before = excluded.revoked_before, last_seen_at = excluded.last_seen_at",
        {**account._asdict(), "scopes": pack(account.scopes), "roles": pack(account.roles)},
    )


# -- credentials -------------------------------------------------------------------------------


def credentials(db: Connection, account_id: str) -> list[Credential]:
    rows = db.execute(
        _CREDENTIAL + " WHERE account_id = :account ORDER BY created_at, id",
        {"account": account_id},
    )
    return [Credential(*row) for row in rows]


def live_credentials(db: Connection, account_id: str, now: int) -> list[Credential]:
    """Those that are not over."""
    found = credentials(db, account_id)
    return [one for one in found if one.expires_at is None or one.expires_at > now]


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
        "INSERT INTO credential (tenant_id, id, account_id, name, hash, created_at, expires_at,"
        " notice_at) VALUES (:tenant, :id, :account, :name, :hash, :created_at, :expires_at,"
        " :notice_at)",
        {
            **credential._asdict(),
            "tenant": tenant,
            "account": account_id,
            "hash": hashed,
            "notice_at": next_notice(credential.expires_at, tx.now),
        },
    )


def drop_credential(tx: Transaction, account_id: str, credential_id: str) -> int:
    return tx.execute(
        "DELETE FROM credential WHERE account_id = :account AND id = :id",
        {"account": account_id, "id": credential_id},
    )


def credential_used(tx: Transaction, credential_id: str) -> None:
    tx.execute(
        "UPDATE credential SET last_used_at = :now WHERE id = :id",
        {"now": tx.now, "id": credential_id},
    )


def drop_credentials(tx: Transaction, account_id: str) -> int:
    """All client secrets of an account; how many there were."""
    return tx.execute("DELETE FROM credential WHERE account_id = :account", {"account": account_id})
