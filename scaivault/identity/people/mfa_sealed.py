"""Secrets of second factors under the key of their tenant, for when it is replaced."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.crypto.aead import Damaged
from scaivault.gate.sealed import Progress
from scaivault.gate.transaction import Transaction
from scaivault.identity.store.mfa import place
from scaivault.seal.keyring import KeyMissing
from scaivault.storage.file import Connection


class _Old(NamedTuple):
    id: str
    key_version: int
    dek: bytes


class SealedFactors:
    """``gate.sealed.SealedTable``."""

    name: Final = "totp"

    def progress(self, db: Connection, owner: str, newest: int) -> Progress:
        row = db.execute(
            "SELECT count(*), coalesce(sum(key_version < :newest), 0) FROM totp"
            " WHERE tenant_id = :owner AND quarantined_at IS NULL",
            {"owner": owner, "newest": newest},
        ).fetchone()
        return Progress(int(row[0]), int(row[1]))

    def old(self, db: Connection, owner: str, newest: int, most: int) -> list[_Old]:
        rows = db.execute(
            "SELECT id, key_version, dek FROM totp WHERE tenant_id = :owner"
            " AND key_version < :newest AND quarantined_at IS NULL LIMIT :most",
            {"owner": owner, "newest": newest, "most": most},
        )
        return [_Old(*row) for row in rows]

    def rewrap(self, tx: Transaction, owner: str, row: _Old) -> None:
        values = {"owner": owner, "id": row.id, "now": tx.now}
        try:
            newest, box = tx.rewrap(owner, place(row.id), 0, row.key_version, row.dek)
        except (Damaged, KeyMissing):
            tx.execute(
                "UPDATE totp SET quarantined_at = :now WHERE tenant_id = :owner AND id = :id",
                values,
            )
            tx.note(quarantined=True)
            return
        # The row may be gone since it was looked up; a new factor has a new id.
        tx.execute(
            "UPDATE totp SET key_version = :newest, dek = :box"
            " WHERE tenant_id = :owner AND id = :id",
            {**values, "newest": newest, "box": box},
        )
