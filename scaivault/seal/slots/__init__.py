"""The slot kinds: a new one is one file here and one line in ``KINDS``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from scaivault.seal.file import SealFile, SealFileInvalid
from scaivault.seal.slots.contract import Host, Kind
from scaivault.seal.slots.keyfile import KeyFile
from scaivault.seal.slots.passphrase import Passphrase
from scaivault.seal.slots.shamir import Shamir
from scaivault.seal.slots.systemd_credential import SystemdCredential

KINDS: Final[tuple[type[Kind], ...]] = (
    Passphrase,
    Shamir,
    KeyFile,
    SystemdCredential,
)


def kinds(host: Host) -> dict[str, Kind]:
    """Each kind by its type, ready for use."""
    return {kind.type: kind(host) for kind in KINDS}


def check_slots(file: SealFile, known: Mapping[str, Kind]) -> list[Path]:
    """Refuse slots of unknown types or with parameters out of bounds (``SealFileInvalid``).

    Returns the files of this host that they need, for ``Folder.check``.
    """
    files: list[Path] = []
    for slot in file.slots:
        kind = known.get(slot.type)
        if kind is None:
            raise SealFileInvalid(f"vault.seal: {slot.id} has the unknown type {slot.type}")
        try:
            kind.check(slot.params)
        except ValueError as fault:
            raise SealFileInvalid(
                f"vault.seal was edited: params of {slot.id}: {fault}: restore it from a backup"
            ) from None
        files.extend(kind.files(slot.params))
    return files
