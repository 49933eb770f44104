"""From the root key to an open vault file, and the making of a new one.

Numbered steps of opening; each must hold before the next is taken:

1. vault.seal's MAC, under the root key, before vault.db is touched.
2. The file key, and with it the first page of vault.db.
3. Migrations.
4. The vault id in the file is that of vault.seal, and its generation fits.
5. The keys that hang on the root key.
6. The clock is not far behind the newest audit row.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from typing import Final

import msgspec

from scaivault import __version__
from scaivault.clock import MINUTE, Clock, instant, parse_instant
from scaivault.crypto import aead, kdf
from scaivault.crypto.memory import Guarded, wipe
from scaivault.crypto.signing import CheckpointKey, base64url
from scaivault.gate.ledger import Ledger
from scaivault.seal.envelope import Envelope, Sealed, field
from scaivault.seal.file import SealFile, Slot, WrappedKey, dump, from_text, to_text
from scaivault.seal.keyring import ROOT, Keyring, wrap_top
from scaivault.storage import private
from scaivault.storage.file import Connection, FileDamaged, open_file
from scaivault.storage.folder import Folder
from scaivault.storage.migrations import migrate

CLOCK_MAY_LAG: Final = 5 * MINUTE
PAGE: Final = 4096  # bytes

log = logging.getLogger("scaivault.system")


class SealMismatch(Exception):
    """vault.seal and vault.db are not from the same moment, or vault.seal was edited."""


class ClockBehind(Exception):
    """The host's clock is more than five minutes behind the newest audit row."""


@dataclass(slots=True)
class Opened:
    """What opening gives: the keys and the end of the audit chain."""

    file: SealFile
    keyring: Keyring
    envelope: Envelope
    ledger: Ledger
    file_key: Guarded

    def wipe(self) -> None:
        """Drop every key."""
        self.keyring.wipe()
        self.file_key.wipe()
        self.ledger.forget()


@dataclass(frozen=True, slots=True)
class Leave:
    """What an operator may wave through once."""

    seal_mismatch: bool = False
    clock: bool = False


def seal_mac_key(root: Guarded) -> Guarded:
    """Authenticates vault.seal."""
    return kdf.derive(root, 2, ROOT)


def wrap_file_key(
    vault_id: str, root: Guarded, root_version: int, number: int, key: Guarded
) -> WrappedKey:
    """The file key under the root key, as it stands in vault.seal."""
    with kdf.derive(root, 1, ROOT) as parent:
        aad = aead.context("file-key", vault_id, "-", "vault.db", number, root_version)
        return WrappedKey(version=number, wrapped=to_text(aead.wrap(parent, key, aad)))


def unwrap_file_key(file: SealFile, root: Guarded, wrapped: WrappedKey) -> Guarded:
    """The file key of vault.seal."""
    with kdf.derive(root, 1, ROOT) as parent:
        aad = aead.context(
            "file-key", file.vault_id, "-", "vault.db", wrapped.version, file.root_key_version
        )
        return aead.unwrap(parent, from_text(wrapped.wrapped), aad)


# -- opening -----------------------------------------------------------------------------------


def open_vault(folder: Folder, file: SealFile, root: Guarded, clock: Clock, leave: Leave) -> Opened:
    """All steps; takes over ``root``, and wipes everything again when one fails. Blocking."""
    keyring = Keyring(file.vault_id)
    ledger = Ledger(file.vault_id, clock)
    opened = Opened(file, keyring, Envelope(keyring), ledger, Guarded())
    try:
        with seal_mac_key(root) as mac:
            if not file.verify(mac):
                raise SealMismatch("vault.seal was edited")
        connection = _open_file(folder, opened, root)
        try:
            _open_rows(connection, opened, root, clock, leave)
        finally:
            connection.close()
    except BaseException:
        opened.wipe()
        root.wipe()
        raise
    return opened


def _open_file(folder: Folder, opened: Opened, root: Guarded) -> Connection:
    """The connection, with the file key or, after a stop during its replacement, the next one."""
    file = opened.file
    if folder.database.stat().st_size < PAGE:
        # The engine would take it for a new database and write to it.
        raise FileDamaged("vault.db is empty or cut short: restore it from a backup")
    try:
        opened.file_key = unwrap_file_key(file, root, file.file_key)
        return open_file(folder.database, opened.file_key, cache_mib=8)
    except FileDamaged:
        if isinstance(file.file_key_next, msgspec.UnsetType):
            raise
        opened.file_key = unwrap_file_key(file, root, file.file_key_next)
        return open_file(folder.database, opened.file_key, cache_mib=8)


def _open_rows(
    connection: Connection, opened: Opened, root: Guarded, clock: Clock, leave: Leave
) -> None:
    migrate(connection)
    connection.execute("BEGIN IMMEDIATE")
    _check_generation(connection, opened.file, leave)
    opened.keyring.open(connection, root, opened.file.root_key_version)
    newest = opened.ledger.load(connection, _checkpoint_key(connection, opened.envelope, clock))
    connection.execute("COMMIT")
    if newest is not None and not leave.clock:
        behind = parse_instant(newest) - clock.now()
        if behind > CLOCK_MAY_LAG:
            raise ClockBehind(
                f"the clock is {behind // MINUTE} minutes behind the newest audit row"
            )


def _check_generation(connection: Connection, file: SealFile, leave: Leave) -> None:
    """vault.seal is written before the row that follows it, so it may be one ahead."""
    known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if known.get("vault_id") != file.vault_id:
        raise SealMismatch("vault.db belongs to another vault")
    row = int(known.get("seal_generation", "0"))
    if file.generation not in (row, row + 1) and not leave.seal_mismatch:
        raise SealMismatch(
            f"vault.seal is generation {file.generation}, vault.db expects {row}:"
            " one of them was put back from an older copy"
        )
    set_generation(connection, file.generation)
    # A stop during a root rotation left the wraps of the other root key behind.
    connection.execute(
        "DELETE FROM wrapped_key WHERE kind IN ('system', 'partner') AND parent_version <> ?",
        (file.root_key_version,),
    )


def set_generation(connection: Connection, generation: int) -> None:
    """The row that follows vault.seal."""
    connection.execute(
        "INSERT INTO meta (name, value) VALUES ('seal_generation', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (str(generation),),
    )


def _checkpoint_key(connection: Connection, envelope: Envelope, clock: Clock) -> CheckpointKey:
    """The key that signs audit checkpoints; made at the first opening."""
    row = connection.execute(
        "SELECT id, key_version, dek, private_key FROM signing_key WHERE purpose = 'checkpoint'"
        " AND retired_at IS NULL"
    ).fetchone()
    if row is not None:
        private_key = envelope.open(
            "-", field("signing_key", row[0], "private_key"), 0, Sealed(*row[1:])
        )
        key = CheckpointKey(private_key)
        wipe(private_key)
        return key
    key = CheckpointKey.generate()
    private_key = key.private()
    sealed = envelope.seal("-", field("signing_key", key.key_id, "private_key"), 0, private_key)
    wipe(private_key)
    connection.execute(
        "INSERT INTO signing_key (id, purpose, public_key, created_at, key_version, dek,"
        " private_key) VALUES (?, 'checkpoint', ?, ?, ?, ?, ?)",
        (key.key_id, base64url(key.public), clock.now(), *sealed),
    )
    return key


# -- making ------------------------------------------------------------------------------------


def make_vault(
    folder: Folder, vault_id: str, slots: list[Slot], root: Guarded, clock: Clock
) -> SealFile:
    """vault.db with its schema and system key, and vault.seal beside it. Blocking; call inside
    ``folder.initializing``. Generation 1; the slots hold ``root`` already."""
    with Guarded.random() as file_key, seal_mac_key(root) as mac:
        # SQLite would make the file open to others; its companions inherit the mode.
        os.close(private.create(folder.database))
        connection = open_file(folder.database, file_key, cache_mib=8)
        try:
            migrate(connection)
            _found(connection, vault_id, root, clock)
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        finally:
            connection.close()
        file = SealFile(
            format="scaivault-seal",
            version=1,
            vault_id=vault_id,
            created_at=instant(clock.now()),
            root_key_version=1,
            generation=1,
            min_program=__version__,
            slots=slots,
            file_key=wrap_file_key(vault_id, root, 1, 1, file_key),
            mac="",
        ).signed(mac)
    private.write_atomically(folder.seal, dump(file))
    return file


def _found(connection: Connection, vault_id: str, root: Guarded, clock: Clock) -> None:
    connection.execute("INSERT INTO meta (name, value) VALUES ('vault_id', ?)", (vault_id,))
    set_generation(connection, 1)
    with Guarded.random() as system:
        box = wrap_top(vault_id, root, 1, "system", "-", 1, system)
    connection.execute(
        "INSERT INTO wrapped_key (kind, owner_id, version, parent_version, box, created_at)"
        " VALUES ('system', '-', 1, 1, ?, ?)",
        (box, clock.now()),
    )
