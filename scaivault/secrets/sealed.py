"""Stored values under the key of their owner, for when it is replaced."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.crypto.aead import Damaged
from scaivault.gate.sealed import Progress
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import KeyMissing
from scaivault.secrets import store
from scaivault.secrets.model import place
from scaivault.secrets.shelf import Shelf
from scaivault.storage.file import Connection


class _Old(NamedTuple):
    path: str
    version: int
    key_version: int
    dek: bytes


class SealedValues:
    """``gate.sealed.SealedTable``."""

    name: Final = "secret_version"

    def __init__(self, shelf: Shelf) -> None:
        self._shelf: Final = shelf

    def progress(self, db: Connection, owner: str, newest: int) -> Progress:
        row = db.execute(
            "SELECT count(*), coalesce(sum(key_version < :newest), 0) FROM secret_version"
            " WHERE owner_id = :owner AND quarantined_at IS NULL",
            {"owner": owner, "newest": newest},
        ).fetchone()
        return Progress(int(row[0]), int(row[1]))

    def old(self, db: Connection, owner: str, newest: int, most: int) -> list[_Old]:
        rows = db.execute(
            "SELECT path, version, key_version, dek FROM secret_version WHERE owner_id = :owner"
            " AND key_version < :newest AND quarantined_at IS NULL LIMIT :most",
            {"owner": owner, "newest": newest, "most": most},
        )
        return [_Old(*row) for row in rows]

    def rewrap(self, tx: Transaction, owner: str, row: _Old) -> None:
        tx.then(lambda: self._shelf.drop((owner, row.path)))
        try:
            newest, box = tx.rewrap(owner, place(row.path), row.version, row.key_version, row.dek)
        except (Damaged, KeyMissing):
            store.quarantine(tx, owner, row.path, row.version)
            tx.note(quarantined=True)
            return
        # The row may be gone or written anew since it was looked up: then its key is not this one.
        tx.execute(
            "UPDATE secret_version SET key_version = :newest, dek = :box WHERE owner_id = :owner"
            " AND path = :path AND version = :version AND key_version = :key_version"
            " AND dek = :dek",
            {"newest": newest, "box": box, "owner": owner, **row._asdict()},
        )
