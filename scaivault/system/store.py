"""The rows of the vault itself: what is known of its slots, and the last row taken down early."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection


class SlotState(NamedTuple):
    """A row of ``slot_state``, which a slot made with the vault has once it was used."""

    created_by: str | None = None
    last_used_at: int | None = None
    last_verified_at: int | None = None
    last_error: str | None = None

    @property
    def proven(self) -> bool:
        """Whether the slot opened once."""
        return self.last_used_at is not None or self.last_verified_at is not None


def slot_states(db: Connection) -> dict[str, SlotState]:
    """By the slot's id."""
    rows = db.execute(
        "SELECT id, created_by, last_used_at, last_verified_at, last_error FROM slot_state"
    )
    return {row[0]: SlotState(*row[1:]) for row in rows}


def slot_added(tx: Transaction, slot_id: str) -> None:
    """A slot is new; it was opened once with what it was made of."""
    tx.execute(
        "INSERT INTO slot_state (id, created_by, last_verified_at) VALUES (:id, :by, :now)",
        {"id": slot_id, "by": tx.caller.identity_id, "now": tx.now},
    )


def slots_removed(tx: Transaction, slot_ids: Iterable[str]) -> None:
    for slot_id in slot_ids:
        tx.execute("DELETE FROM slot_state WHERE id = :id", {"id": slot_id})


def slot_used(tx: Transaction, slot_id: str) -> None:
    """The slot opened the vault."""
    tx.execute(
        "INSERT INTO slot_state (id, last_used_at) VALUES (:id, :now)"
        " ON CONFLICT (id) DO UPDATE SET last_used_at = excluded.last_used_at, last_error = NULL",
        {"id": slot_id, "now": tx.now},
    )


def slot_verified(tx: Transaction, slot_id: str) -> None:
    """A credential was proven against the slot."""
    tx.execute(
        "INSERT INTO slot_state (id, last_verified_at) VALUES (:id, :now)"
        " ON CONFLICT (id) DO UPDATE SET last_verified_at = excluded.last_verified_at",
        {"id": slot_id, "now": tx.now},
    )


def slot_failed(tx: Transaction, slot_id: str, error: str) -> None:
    """The slot should have opened the vault by itself."""
    tx.execute(
        "INSERT INTO slot_state (id, last_error) VALUES (:id, :error)"
        " ON CONFLICT (id) DO UPDATE SET last_error = excluded.last_error",
        {"id": slot_id, "error": error},
    )


def early_row(db: Connection) -> str | None:
    """The id of the last audit row of a sealed vault that is in the ledger."""
    row = db.execute("SELECT value FROM meta WHERE name = 'early_row'").fetchone()
    return None if row is None else str(row[0])


def keep_early_row(tx: Transaction, row_id: str) -> None:
    tx.execute(
        "INSERT INTO meta (name, value) VALUES ('early_row', :id)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        {"id": row_id},
    )
