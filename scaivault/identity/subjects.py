"""Users and service accounts alike: who can hold a token and an admin role."""

from __future__ import annotations

from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.caller import SUPER_ADMIN
from scaivault.gate.transaction import Transaction
from scaivault.identity import names
from scaivault.identity.model import ACTIVE, LOCAL, Account, Subject, User, unpack
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.store import users as users_store
from scaivault.ids import random_id
from scaivault.storage.file import Connection

KINDS: Final = (names.USER, names.SERVICE_ACCOUNT)


def subject(db: Connection, tenant: str, identity: str) -> Subject | None:
    """By canonical id; deleted ones too."""
    if identity.startswith("user:"):
        return users_store.user_by_identity(db, tenant, identity)
    return accounts_store.account_by_identity(db, tenant, identity)


def subject_by_id(db: Connection, record_id: str) -> Subject | None:
    """By record id; deleted ones too."""
    if record_id.startswith("usr_"):
        return users_store.user_by_id(db, record_id)
    return accounts_store.account_by_id(db, record_id)


def put(tx: Transaction, changed: Subject) -> None:
    """Write the row."""
    if isinstance(changed, Account):
        accounts_store.put_account(tx, changed)
    else:
        users_store.put_user(tx, changed)


def add_user(
    tx: Transaction,
    tenant: str,
    identity: str,
    display_name: str,
    *,
    issuer: str = LOCAL,
    external_id: str | None = None,
    as_of: int | None = None,
) -> User:
    """A new user of a tenant, by canonical id. ``external_id`` and ``as_of`` (an instant): what an
    outside issuer calls him, and when it said so. ``already_exists``, also for the id of one who
    was deleted."""
    if users_store.user_by_identity(tx.connection, tenant, identity) is not None:
        raise Refusal(
            "already_exists", "a user has, or had, this address; it is given once", field="email"
        )
    name = identity.partition(":")[2]
    user = User(
        tenant, random_id("usr_"), identity, name if "@" in name else None, display_name, ACTIVE,
        roles=(), created_at=tx.now, issuer=issuer, external_id=external_id, as_of=as_of,
        last_synced_at=None if issuer == LOCAL else tx.now,
    )  # fmt: skip
    users_store.put_user(tx, user)
    return user


def check_last(tx: Transaction, after: Subject) -> None:
    """``invalid_state`` when the vault would have no active super_admin any more."""
    still = SUPER_ADMIN in after.roles and after.status == ACTIVE
    if not still and [who for _, who in super_admins(tx)] == [after.id]:
        raise Refusal(
            "invalid_state",
            "this is the last super_admin; make another one first",
            reason="last_super_admin",
        )


def super_admins(tx: Transaction) -> list[tuple[str, str]]:
    """(tenant, record id) of the active ones whose tenant is not deleted."""
    rows = tx.rows(
        "SELECT a.tenant_id, a.id FROM (SELECT tenant_id, id, status, roles FROM service_account"
        " UNION ALL SELECT tenant_id, id, status, roles FROM user) a"
        " JOIN tenant t ON t.id = a.tenant_id JOIN partner p ON p.id = t.partner_id"
        " WHERE a.status = 'ACTIVE' AND instr(a.roles, '\"super_admin\"') > 0"
        " AND t.status <> 'DELETED' AND p.status <> 'DELETED'"
    )
    return [(tenant, who) for tenant, who in rows]


def role_holders(db: Connection) -> list[tuple[str, tuple[str, ...], str, str]]:
    """(identity, roles, tenant, partner) of everybody with an admin role, but for those of deleted
    tenants."""
    rows = db.execute(
        "SELECT a.identity_id, a.roles, a.tenant_id, t.partner_id FROM"
        " (SELECT identity_id, roles, tenant_id, status FROM service_account"
        " UNION ALL SELECT identity_id, roles, tenant_id, status FROM user) a"
        " JOIN tenant t ON t.id = a.tenant_id WHERE a.roles <> '[]' AND a.status <> 'DELETED'"
        " AND t.status <> 'DELETED'"
        " ORDER BY a.identity_id, a.tenant_id"
    )
    return [(identity, unpack(roles), tenant, partner) for identity, roles, tenant, partner in rows]


def ended_by(tx: Transaction, who: Subject) -> int:
    """Up to when tokens were issued that end now. Never earlier than it was: the clock may have
    been set back, and what was revoked stays so."""
    return max(tx.now, who.revoked_before or 0)


def end_access(tx: Transaction, who: Subject) -> tuple[int, int]:
    """No token of today and no client secret works any more; (tokens, client secrets) that were
    live. Outside issuers' tokens end by the instant that is noted."""
    table = "user" if isinstance(who, User) else "service_account"
    tx.execute(
        f"UPDATE {table} SET revoked_before = :until WHERE id = :id",  # noqa: S608
        {"until": ended_by(tx, who), "id": who.id},
    )
    tokens = tokens_store.revoke_all(tx, who.tenant_id, who.identity_id)
    secrets = accounts_store.drop_credentials(tx, who.id) if isinstance(who, Account) else 0
    return tokens, secrets


def seen(tx: Transaction, tenant: str, identity: str, at: int) -> None:
    """``at``: when it last called, to the minute."""
    table = "user" if identity.startswith("user:") else "service_account"
    tx.execute(
        f"UPDATE {table} SET last_seen_at = max(coalesce(last_seen_at, 0), :at)"  # noqa: S608
        " WHERE tenant_id = :tenant AND identity_id = :identity",
        {"at": at, "tenant": tenant, "identity": identity},
    )
