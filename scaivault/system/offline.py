"""The audit chain of a vault that is not running, from its files alone.

The files are copied first, so that not a byte of them changes: opening a database that has a
write-ahead log folds the log into it. The copy is as encrypted as the original and is made in
the directory for temporary files (``TMPDIR``), which needs as much room.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from scaivault.audit import archive_reading, chain, export_reading
from scaivault.audit.checkpoints import stored_keys
from scaivault.audit.findings import MOST
from scaivault.audit.reading import Directory, Unreadable, directory
from scaivault.clock import SystemClock
from scaivault.crypto import signing
from scaivault.crypto.aead import Damaged
from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, faults, invalid
from scaivault.seal import file as seal_file
from scaivault.seal.file import SealFile, SealFileInvalid
from scaivault.seal.slots import check_slots
from scaivault.seal.slots.contract import Host
from scaivault.seal.unsealing import Unsealing
from scaivault.storage.failures import translate
from scaivault.storage.file import (
    Connection,
    EngineError,
    FileDamaged,
    open_file,
    page_faults,
)
from scaivault.storage.folder import Folder, StartRefused
from scaivault.storage.migrations import steps
from scaivault.storage.private import UnsafeFile, read_bounded
from scaivault.system.opening import seal_mac_key, unwrap_file_key
from scaivault.system.slots import credential as read_credential
from scaivault.wire.audit import ChainReport, Problem
from scaivault.wire.system import CredentialBody

Ask = Callable[[list[dict[str, Any]]], dict[str, Any]]

_DAMAGED: Final = 7
_CACHE_MIB: Final = 16


def verify(
    folder: Path,
    *,
    credential: Ask,
    from_seq: int = 1,
    expect: str | None = None,
    public_key: str | None = None,
) -> dict[str, Any]:
    """The report of ``GET /v1/audit/verify`` over all rows, with the pages checked besides.

    ``folder``: a data directory, a directory with the vault.seal and vault.db of a backup, an
    export or an archive; of the last two, ``credential`` is not asked for.
    ``credential`` is shown the slots (``id type label auto``) and gives the body of an unseal
    call. ``public_key``: base64url of the key that must have signed, instead of the stored ones.

    ``Refusal`` for a wrong credential or argument, ``StartRefused`` when the vault is running
    (exit code 6) or the files do not open (7)."""
    wanted = chain.Request(from_seq, expect=_expected(expect), limit=None)
    keys = None if public_key is None else _key(public_key)
    source = Folder(folder)
    if not source.seal.exists() and (files := _files(folder, wanted, keys)) is not None:
        return files
    _check_present(source)
    with _copied(source) as copy:
        file = _seal_file(copy.seal)
        with _root(file, credential) as root, _opened(copy.database, file, root) as connection:
            report: dict[str, Any] = msgspec.to_builtins(_report(connection, file, keys, wanted))
    return report


def _expected(text: str | None) -> chain.Known | None:
    try:
        return None if text is None else chain.expected(text)
    except ValueError as fault:
        raise invalid(expect=str(fault)) from None


def _key(text: str) -> dict[str, bytes]:
    try:
        public = signing.from_base64url(text)
    except ValueError:
        public = b""
    if len(public) != 32:
        raise invalid(public_key="must be an Ed25519 public key: 43 characters of base64url")
    return {signing.checkpoint_key_id(public): public}


# -- files of exports and archives ---------------------------------------------------------------


def _files(
    folder: Path, wanted: chain.Request, keys: dict[str, bytes] | None
) -> dict[str, Any] | None:
    """The report of an export or an archive; None for a directory that is neither."""
    if not folder.is_dir():
        return None
    with directory(folder) as files:
        reader = _reader(files)
        if reader is None:
            return None
        if wanted.from_seq != 1:
            raise invalid(from_seq="is for vaults: an export or archive is checked as a whole")
        try:
            report = reader(files, next(iter((keys or {}).values()), None), wanted.expect)
        except Unreadable as fault:
            raise StartRefused(str(fault), _DAMAGED) from None
    told: dict[str, Any] = msgspec.to_builtins(report)
    return told


def _reader(
    files: Directory,
) -> Callable[[Directory, bytes | None, chain.Known | None], ChainReport] | None:
    names = files.names()
    if export_reading.is_export(names):
        return export_reading.verify
    return archive_reading.verify if archive_reading.parts(names) else None


# -- files -------------------------------------------------------------------------------------


def _check_present(source: Folder) -> None:
    if not source.path.is_dir():
        raise Refusal(
            "invalid_request",
            f"{source.path} is not a directory: give a data directory, one into which the"
            " vault.seal and vault.db of a backup were unpacked, an export or an archive",
        )
    if not source.initialized:
        raise Refusal(
            "not_initialized",
            f"{source.path} holds no vault.seal and vault.db of a vault, and no export",
        )


@contextmanager
def _copied(source: Folder) -> Iterator[Folder]:
    """A private copy of what is needed, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="scaivault-") as name:
        copy = Folder(Path(name))
        with _standing_still(source):
            shutil.copyfile(source.seal, copy.seal)
            shutil.copyfile(source.database, copy.database)
            log = source.database.with_name("vault.db-wal")
            if log.exists():
                shutil.copyfile(log, copy.path / log.name)
        yield copy


@contextmanager
def _standing_still(source: Folder) -> Iterator[None]:
    """No vault runs on the directory meanwhile; the lock file is not written to."""
    try:
        descriptor = os.open(source.lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:  # a backup: nothing ever ran here
        yield
        return
    try:
        _share(descriptor, source)
        yield
    finally:
        os.close(descriptor)


def _share(descriptor: int, source: Folder) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartRefused(
            f"the vault in {source.path} is running: leave out the directory to have it check"
            " itself, or stop it first"
        ) from None


def _seal_file(path: Path) -> SealFile:
    try:
        with path.open("rb") as opened:
            return seal_file.load(read_bounded(opened.fileno(), seal_file.LIMIT, path))
    except (SealFileInvalid, UnsafeFile) as fault:
        raise StartRefused(str(fault), _DAMAGED) from None


# -- keys --------------------------------------------------------------------------------------


@contextmanager
def _root(file: SealFile, ask: Ask) -> Iterator[Guarded]:
    """The root key, proven to be that of this vault.seal."""
    unsealing = Unsealing(Host(), SystemClock())
    try:
        check_slots(file, unsealing.kinds)
    except SealFileInvalid as fault:
        raise StartRefused(fault.message, _DAMAGED) from None
    body = _body(ask(_slots(file, unsealing)))
    root, _ = asyncio.run(unsealing.root(file, body.slot_id, read_credential(body)))
    with root, seal_mac_key(root) as mac:
        if not file.verify(mac):
            raise StartRefused("vault.seal was edited: restore it from a backup", _DAMAGED)
        yield root


def _slots(file: SealFile, unsealing: Unsealing) -> list[dict[str, Any]]:
    return [
        {
            "id": slot.id,
            "type": slot.type,
            "label": slot.label,
            "auto": unsealing.kinds[slot.type].auto(slot.params),
            **{name: slot.params[name] for name in ("threshold",) if name in slot.params},
        }
        for slot in file.slots
    ]


def _body(given: dict[str, Any]) -> CredentialBody:
    try:
        return msgspec.convert(given, CredentialBody)
    except msgspec.ValidationError as fault:
        # The message names fields and types, never a value.
        raise faults({"credential": str(fault)}) from None


@contextmanager
def _opened(path: Path, file: SealFile, root: Guarded) -> Iterator[Connection]:
    """The copy, its log folded in; written by this program or an older one."""
    try:
        with closing(_connection(path, file, root)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            yield connection
    except (FileDamaged, Damaged) as fault:
        raise StartRefused(str(fault) or "vault.seal does not open", _DAMAGED) from None
    except EngineError as error:
        raise StartRefused(f"vault.db cannot be read: {translate(error)}", _DAMAGED) from None


def _connection(path: Path, file: SealFile, root: Guarded) -> Connection:
    """With the file key or, after a stop during its replacement, the next one."""
    try:
        with unwrap_file_key(file, root, file.file_key) as key:
            return open_file(path, key, cache_mib=_CACHE_MIB)
    except FileDamaged:
        if isinstance(file.file_key_next, msgspec.UnsetType):
            raise
        with unwrap_file_key(file, root, file.file_key_next) as key:
            return open_file(path, key, cache_mib=_CACHE_MIB)


# -- rows --------------------------------------------------------------------------------------


def _report(
    connection: Connection,
    file: SealFile,
    keys: dict[str, bytes] | None,
    wanted: chain.Request,
) -> ChainReport:
    damaged = page_faults(connection)
    try:
        connection.execute("BEGIN")
        _check_origin(connection, file)
        known = stored_keys(connection) if keys is None else keys
        report = chain.verify(connection, file.vault_id, known, wanted)
    except EngineError:
        if not damaged:
            raise
        raise FileDamaged(f"vault.db cannot be read: {'; '.join(damaged[:3])}") from None
    if damaged:
        report.valid = False
        pages = [Problem("page_damaged", None, fault) for fault in damaged]
        report.problems = [*pages, *report.problems][:MOST]
    return report


def _check_origin(connection: Connection, file: SealFile) -> None:
    known = dict(connection.execute("SELECT name, value FROM meta").fetchall())
    if known.get("vault_id") != file.vault_id:
        raise FileDamaged("vault.db belongs to another vault than vault.seal")
    (schema,) = connection.execute("SELECT count(*) FROM migration").fetchone()
    if schema > len(steps()):
        raise StartRefused("vault.db was written by a newer program: verify it with that one")
