"""The rows of policies and bindings."""

from __future__ import annotations

from typing import Any, Final

from scaivault.gate.transaction import Transaction
from scaivault.policies.model import Binding, Policy
from scaivault.storage.file import Connection

_COLUMNS: Final = (
    "owner_id, id, name, description, rules, is_active, created_at, updated_at, created_by"
)
_POLICY: Final = f"SELECT {_COLUMNS} FROM policy"  # noqa: S608 - no value is in it
_BINDING: Final = (
    "SELECT owner_id, policy_id, id, tenant_id, identity_type, identity_id, expires_at,"
    " created_at, created_by FROM binding"
)
_LIVE: Final = " AND (expires_at IS NULL OR expires_at > :now)"
# A reader of one tenant sees of a partner's policy what it gives in that tenant.
_SEEN: Final = " AND (:seen IS NULL OR tenant_id = :seen)"
_LISTED: Final = (
    f"SELECT {_COLUMNS}, (SELECT count(*) FROM binding"  # noqa: S608
    " WHERE binding.owner_id = policy.owner_id AND policy_id = policy.id" + _LIVE + _SEEN + ")"
    " FROM policy WHERE owner_id IN (:first, :second) AND (is_active = 1 OR :inactive)"
    " AND (name, id) > (:name, :id) ORDER BY name, id LIMIT :limit"
)


def _policy(row: Any) -> Policy | None:
    return None if row is None else Policy._make((*row[:5], bool(row[5]), *row[6:]))


# -- policies ----------------------------------------------------------------------------------


def all_policies(db: Connection) -> list[Policy]:
    return [policy for row in db.execute(_POLICY) if (policy := _policy(row)) is not None]


def policy(db: Connection, tenant: str, partner: str | None, policy_id: str) -> Policy | None:
    """A policy of the tenant or of its partner."""
    return _policy(
        db.execute(
            _POLICY + " WHERE id = :id AND owner_id IN (:tenant, :partner)",
            {"id": policy_id, "tenant": tenant, "partner": partner},
        ).fetchone()
    )


def name_taken(db: Connection, owner: str, name: str) -> bool:
    return (
        db.execute(
            "SELECT 1 FROM policy WHERE owner_id = :owner AND name = :name",
            {"owner": owner, "name": name},
        ).fetchone()
        is not None
    )


def page(
    db: Connection,
    owners: tuple[str | None, str | None],
    inactive: bool,
    after: list[str],
    seen: str | None,
    now: int,
    limit: int,
) -> list[tuple[Policy, int]]:
    """(policy, number of live bindings) by name, behind ``after`` (name and id)."""
    rows = db.execute(
        _LISTED,
        {
            "first": owners[0], "second": owners[1], "inactive": inactive, "name": after[0],
            "id": after[1], "seen": seen, "now": now, "limit": limit,
        },
    )  # fmt: skip
    found = [(_policy(row[:-1]), row[-1]) for row in rows]
    return [(policy, count) for policy, count in found if policy is not None]


def add_policy(tx: Transaction, policy: Policy) -> None:
    tx.execute(
        "INSERT INTO policy (owner_id, id, name, description, rules, is_active, created_at,"
        " updated_at, created_by) VALUES (:owner_id, :id, :name, :description, :rules,"
        " :is_active, :created_at, :updated_at, :created_by)",
        policy._asdict(),
    )


def change_policy(tx: Transaction, policy: Policy) -> None:
    tx.execute(
        "UPDATE policy SET name = :name, description = :description, rules = :rules,"
        " is_active = :is_active, updated_at = :updated_at WHERE owner_id = :owner_id"
        " AND id = :id",
        policy._asdict(),
    )


def drop_policy(tx: Transaction, policy: Policy) -> None:
    tx.execute(
        "DELETE FROM policy WHERE owner_id = :owner AND id = :id",
        {"owner": policy.owner_id, "id": policy.id},
    )


# -- bindings ----------------------------------------------------------------------------------


def all_bindings(db: Connection) -> list[Binding]:
    return [Binding._make(row) for row in db.execute(_BINDING)]


def bindings(db: Connection, policy: Policy) -> list[Binding]:
    """All of a policy, expired ones too, by creation."""
    rows = db.execute(
        _BINDING + " WHERE owner_id = :owner AND policy_id = :policy ORDER BY created_at, id",
        {"owner": policy.owner_id, "policy": policy.id},
    )
    return [Binding._make(row) for row in rows]


def live_bindings(
    db: Connection, policy: Policy, seen: str | None, now: int, after: list[Any], limit: int
) -> list[Binding]:
    """By creation, behind ``after`` (instant and id); of one tenant where ``seen`` names it."""
    rows = db.execute(
        _BINDING + " WHERE owner_id = :owner AND policy_id = :policy" + _LIVE + _SEEN +
        " AND (created_at, id) > (:at, :id) ORDER BY created_at, id LIMIT :limit",
        {
            "owner": policy.owner_id, "policy": policy.id, "seen": seen, "now": now,
            "at": after[0], "id": after[1], "limit": limit,
        },
    )  # fmt: skip
    return [Binding._make(row) for row in rows]


def bindings_in(db: Connection, tenant: str, now: int) -> list[Binding]:
    """The live ones of a tenant's identities, by creation."""
    rows = db.execute(
        _BINDING + " WHERE tenant_id = :tenant" + _LIVE + " ORDER BY created_at, id",
        {"tenant": tenant, "now": now},
    )
    return [Binding._make(row) for row in rows]


def bindings_of(db: Connection, tenant: str, identity: str) -> list[Binding]:
    """All of one identity, expired ones too."""
    rows = db.execute(
        _BINDING + " WHERE tenant_id = :tenant AND identity_id = :identity ORDER BY id",
        {"tenant": tenant, "identity": identity},
    )
    return [Binding._make(row) for row in rows]


def expired(db: Connection, now: int, limit: int) -> list[Binding]:
    rows = db.execute(
        _BINDING + " WHERE expires_at <= :now ORDER BY expires_at, id LIMIT :limit",
        {"now": now, "limit": limit},
    )
    return [Binding._make(row) for row in rows]


def binding(db: Connection, policy_id: str, binding_id: str) -> Binding | None:
    row = db.execute(
        _BINDING + " WHERE policy_id = :policy AND id = :id",
        {"policy": policy_id, "id": binding_id},
    ).fetchone()
    return None if row is None else Binding._make(row)


def binding_of(db: Connection, policy_id: str, tenant: str, identity: str) -> Binding | None:
    row = db.execute(
        _BINDING + " WHERE policy_id = :policy AND tenant_id = :tenant AND identity_id = :identity",
        {"policy": policy_id, "tenant": tenant, "identity": identity},
    ).fetchone()
    return None if row is None else Binding._make(row)


def policy_name(db: Connection, policy_id: str) -> str:
    """Of a policy that is there."""
    row = db.execute("SELECT name FROM policy WHERE id = :id", {"id": policy_id}).fetchone()
    return str(row[0])


def add_binding(tx: Transaction, binding: Binding) -> None:
    tx.execute(
        "INSERT INTO binding (owner_id, policy_id, id, tenant_id, identity_type, identity_id,"
        " expires_at, created_at, created_by) VALUES (:owner_id, :policy_id, :id, :tenant_id,"
        " :identity_type, :identity_id, :expires_at, :created_at, :created_by)",
        binding._asdict(),
    )


def drop_binding(tx: Transaction, binding: Binding) -> int:
    """How many rows there were: one or none."""
    return tx.execute(
        "DELETE FROM binding WHERE owner_id = :owner AND policy_id = :policy AND id = :id",
        {"owner": binding.owner_id, "policy": binding.policy_id, "id": binding.id},
    )
