"""Keys of partners and tenants: their rows, and their place in the ring.

A new key is in the ring as soon as its row is written, not only once that is committed: what the
writer does next may wrap with it. Should the commit fail, it is taken out again."""

from __future__ import annotations

from scaivault.crypto.memory import Guarded
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import Keyring


def keep_partner_key(
    tx: Transaction, keyring: Keyring, partner_id: str, version: int, key: Guarded
) -> None:
    """A partner key's rows, and its place in the ring."""
    for root_version, box in keyring.wrap_partner(partner_id, version, key):
        _add_key(tx, "partner", partner_id, version, root_version, box)
    tx.otherwise(lambda: keyring.destroy(partner_id, version))
    keyring.admit_partner(partner_id, version, key)


def admit_tenant_key(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: str,
    partner_id: str,
    version: int,
    parent_version: int,
    box: bytes,
) -> None:
    """A new tenant key's place in the ring; its row is ``keep_key``'s."""
    tx.otherwise(lambda: keyring.destroy(tenant_id, version))
    keyring.admit_tenant(tenant_id, partner_id, version, parent_version, box)


def keep_key(
    tx: Transaction, kind: str, owner: str, version: int, parent_version: int, box: bytes
) -> None:
    """A wrapped key's row; an older wrap of the same version goes."""
    tx.execute(
        "DELETE FROM wrapped_key WHERE kind = :kind AND owner_id = :owner AND version = :version",
        {"kind": kind, "owner": owner, "version": version},
    )
    _add_key(tx, kind, owner, version, parent_version, box)


def _add_key(
    tx: Transaction, kind: str, owner: str, version: int, parent_version: int, box: bytes
) -> None:
    tx.execute(
        "INSERT INTO wrapped_key (kind, owner_id, version, parent_version, box, created_at)"
        " VALUES (:kind, :owner, :version, :parent_version, :box, :now)",
        {
            "kind": kind,
            "owner": owner,
            "version": version,
            "parent_version": parent_version,
            "box": box,
            "now": tx.now,
        },
    )
