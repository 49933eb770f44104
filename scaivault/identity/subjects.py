"""Users and service accounts alike: who can hold a token and an admin role."""

from __future__ import annotations

from scaivault.gate.transaction import Transaction
from scaivault.identity import store, tokens_store, users_store
from scaivault.identity.model import Account, Subject, unpack
from scaivault.storage.file import Connection


def subject(db: Connection, tenant: str, identity: str) -> Subject | None:
    """By canonical id; deleted ones too."""
    if identity.startswith("user:"):
        return users_store.user_by_identity(db, tenant, identity)
    return store.account_by_identity(db, tenant, identity)


def subject_by_id(db: Connection, record_id: str) -> Subject | None:
    """By record id; deleted ones too."""
    if record_id.startswith("usr_"):
        return users_store.user_by_id(db, record_id)
    return store.account_by_id(db, record_id)


def put(tx: Transaction, changed: Subject) -> None:
    """Write the row."""
    if isinstance(changed, Account):
        store.put_account(tx, changed)
    else:
        users_store.put_user(tx, changed)


def super_admins(tx: Transaction) -> int:
    """How many active ones there are."""
    row = tx.row(
        "SELECT count(*) FROM (SELECT status, roles FROM service_account"
        " UNION ALL SELECT status, roles FROM user)"
        " WHERE status = 'ACTIVE' AND instr(roles, '\"super_admin\"') > 0"
    )
    return int(row[0])


def role_holders(db: Connection) -> list[tuple[str, tuple[str, ...], str, str]]:
    """(identity, roles, tenant, partner) of everybody with an admin role."""
    rows = db.execute(
        "SELECT a.identity_id, a.roles, a.tenant_id, t.partner_id FROM"
        " (SELECT identity_id, roles, tenant_id, status FROM service_account"
        " UNION ALL SELECT identity_id, roles, tenant_id, status FROM user) a"
        " JOIN tenant t ON t.id = a.tenant_id WHERE a.roles <> '[]' AND a.status <> 'DELETED'"
        " ORDER BY a.identity_id, a.tenant_id"
    )
    return [(identity, unpack(roles), tenant, partner) for identity, roles, tenant, partner in rows]


def end_access(tx: Transaction, who: Subject) -> tuple[int, int]:
    """No token and no client secret works any more; (tokens, client secrets) that were live."""
    tokens = tokens_store.revoke_all(tx, who.tenant_id, who.identity_id)
    secrets = store.drop_credentials(tx, who.id) if isinstance(who, Account) else 0
    return tokens, secrets


def seen(tx: Transaction, tenant: str, identity: str, at: int) -> None:
    """``at``: when it last called, to the minute."""
    table = "user" if identity.startswith("user:") else "service_account"
    tx.execute(
        f"UPDATE {table} SET last_seen_at = max(coalesce(last_seen_at, 0), :at)"  # noqa: S608
        " WHERE tenant_id = :tenant AND identity_id = :identity",
        {"at": at, "tenant": tenant, "identity": identity},
    )
