"""Sealed fields: a data key of its own for each, wrapped by the key of its owner.

``owner`` is a tenant (``tnt_``), a partner (``ptn_``) or ``-`` for the vault itself. ``place``
says where the field stands: ``secret:<path>`` or ``<table>:<id>:<column>``. Both, with the
version, are bound into the ciphertext, so that it opens nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from scaivault.crypto import aead
from scaivault.seal.keyring import KeyMissing, Keyring


def field(table: str, row: str, column: str) -> str:
    """The place of a sealed column."""
    return f"{table}:{row}:{column}"


class Sealed(NamedTuple):
    """What is stored: the version of the wrapping key, the wrapped data key, the ciphertext."""

    key_version: int
    dek: bytes
    value: bytes


class Place(NamedTuple):
    """The contexts of a sealed field: of its data key and of its value."""

    dek: bytes
    value: bytes


Boxes = tuple[bytes, bytes, bytes, bytes]
"""Wrapped data key and ciphertext of a sealed field, and the context of each."""


def boxes(sealed: Sealed, place: Place) -> Boxes:
    """What is opened, and where it stands."""
    return sealed[1:] + place


class Envelope:
    """Seals and opens fields with the keys of an open keyring."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring: Final = keyring
        self._vault_id: Final = keyring.vault_id

    def seal(self, owner: str, place: str, version: int, plaintext: bytes) -> Sealed:
        """Under the newest key of ``owner``."""
        with self._keyring.lock:
            key_version, key = self._keyring.data_key(owner)
            dek, value = aead.seal_value(
                key,
                plaintext,
                aead.context("dek", self._vault_id, owner, place, version, key_version),
                aead.context("value", self._vault_id, owner, place, version, 0),
            )
        return Sealed(key_version, dek, value)

    def open(self, owner: str, place: str, version: int, sealed: Sealed) -> bytes:
        """The plaintext; ``aead.Damaged`` when anything about the field is not as it was sealed."""
        return self.open_in(self.place(owner, place, version, sealed.key_version), owner, sealed)

    def place(self, owner: str, place: str, version: int, key_version: int) -> Place:
        """What a field is bound to, for who opens it often."""
        return Place(
            aead.context("dek", self._vault_id, owner, place, version, key_version),
            aead.context("value", self._vault_id, owner, place, version, 0),
        )

    def open_in(self, place: Place, owner: str, sealed: Sealed) -> bytes:
        """``open``, where the place is at hand."""
        with self._keyring.lock:
            _, key = self._keyring.data_key(owner, sealed.key_version)
            return aead.open_value(key, sealed.dek, sealed.value, place.dek, place.value)

    def open_all(self, owner: str, key_version: int, boxes: Sequence[Boxes]) -> list[bytes | None]:
        """``open_in`` of many fields of one owner under one version of its key; None for what does
        not open."""
        with self._keyring.lock:
            try:
                _, key = self._keyring.data_key(owner, key_version)
            except KeyMissing:
                return [None] * len(boxes)
            return aead.open_values(key, boxes)

    def has_key(self, owner: str) -> bool:
        """Whether there is a key of ``owner`` at all, or it was destroyed."""
        return bool(self._keyring.versions(owner))

    def rewrap(
        self, owner: str, place: str, version: int, key_version: int, dek: bytes
    ) -> tuple[int, bytes]:
        """The data key under the newest key of ``owner``: (its version, the box)."""
        with self._keyring.lock:
            _, old = self._keyring.data_key(owner, key_version)
            newest, new = self._keyring.data_key(owner)
            box = aead.rewrap(
                old,
                new,
                dek,
                aead.context("dek", self._vault_id, owner, place, version, key_version),
                aead.context("dek", self._vault_id, owner, place, version, newest),
            )
        return newest, box
