"""The root key under a slot's secret: ``wrapped_root`` of vault.seal."""

from __future__ import annotations

from typing import Final

from scaivault.crypto import aead, digest, kdf
from scaivault.crypto.memory import Guarded
from scaivault.seal.file import Slot, from_text, to_text
from scaivault.seal.slots.contract import refused

_CONTEXT: Final = b"svslot01"


def wrap_root(secret: Guarded, root: Guarded, slot: Slot, vault_id: str, root_version: int) -> str:
    """The text to store. Bound to vault, slot id, type and params: edited ones open nothing."""
    with kdf.derive(secret, 1, _CONTEXT) as key:
        return to_text(aead.wrap(key, root, _aad(slot, vault_id, root_version)))


def unwrap_root(secret: Guarded, slot: Slot, vault_id: str, root_version: int) -> Guarded:
    """The root key; ``unseal_failed`` when the secret is not this slot's, or the slot edited."""
    try:
        box = from_text(slot.wrapped_root)
        with kdf.derive(secret, 1, _CONTEXT) as key:
            return aead.unwrap(key, box, _aad(slot, vault_id, root_version))
    except (ValueError, aead.Damaged):
        raise refused() from None


def _aad(slot: Slot, vault_id: str, root_version: int) -> bytes:
    described = digest.plain(digest.jcs({"type": slot.type, "params": slot.params})).hex()
    return aead.context("root-key", vault_id, slot.id, described, root_version, 0)
