"""The data directory: where each file is, who may touch it, and that one process has it.

    vault.db  vault.db-wal  vault.db-shm    the encrypted database
    vault.seal                              slots and wrapped keys; names, no secrets
    seal.hold                               present: nobody but a person unseals
    sealed.audit                            audit rows that wait for the next unseal
    LOCK                                    held by the running process; its number inside
    unfinished.init                         present: what init made so far does not count
    backups/ exports/ archive/ quarantine/  tmp/ (emptied at start)

Nothing is opened before the checks here passed. Only the first user of a directory may act in
it: all that changes something needs ``acquire``.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scaivault.storage import private
from scaivault.storage.mounts import file_system, is_network
from scaivault.storage.private import write_atomically

__all__ = ["Folder", "StartRefused", "refuse_open_to_others", "write_atomically"]


class StartRefused(Exception):
    """The program must not start; the message names the file or setting and the remedy."""

    def __init__(self, message: str, exit_code: int = 6) -> None:
        super().__init__(message)
        self.message: Final = message
        self.exit_code: Final = exit_code


class Folder:
    """One data directory. ``StartRefused`` from any method that finds it unfit."""

    def __init__(self, path: Path, *, allow_network_fs: bool = False) -> None:
        self.path: Final = path.absolute()
        self._allow_network_fs: Final = allow_network_fs
        self._descriptor: int | None = None
        self.database: Final = self.path / "vault.db"
        self.seal: Final = self.path / "vault.seal"
        self.hold: Final = self.path / "seal.hold"
        self.sealed_audit: Final = self.path / "sealed.audit"
        self.lock: Final = self.path / "LOCK"
        self.backups: Final = self.path / "backups"
        self.exports: Final = self.path / "exports"
        self.archive: Final = self.path / "archive"
        self.quarantine: Final = self.path / "quarantine"
        self.tmp: Final = self.path / "tmp"
        self._unfinished: Final = self.path / "unfinished.init"

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file whose name is fixed; each may be missing."""
        return (*self._vault_files(), self.hold, self.sealed_audit, self.lock, self._unfinished)

    @property
    def initialized(self) -> bool:
        """A vault was made here, and whoever asked for it could be told so."""
        return self.database.exists() and self.seal.exists() and not self._unfinished.exists()

    # -- inspection ---------------------------------------------------------------------------

    def check(self, key_files: Iterable[Path] = ()) -> None:
        """Refuse when anything is unfit; names all of it. Changes nothing.

        ``key_files``: those of the slots, anywhere on the host; missing ones are no fault here.
        """
        _refuse([*self.directory_faults(), *self.file_faults(key_files)])

    def directory_faults(self) -> list[str]:
        """What is wrong with the directory itself, one sentence with its remedy each."""
        name = shlex.quote(str(self.path))
        try:
            info = self.path.stat()
        except OSError as error:
            return [f"{self.path}: {error.strerror}: mkdir -m 700 {name}, or set data_dir"]
        if not stat.S_ISDIR(info.st_mode):
            return [f"{self.path} is not a directory: set data_dir to one"]
        faults = []
        if info.st_uid != os.geteuid():
            faults.append(f"{self.path} belongs to user {info.st_uid}: chown {os.geteuid()} {name}")
        if info.st_mode & 0o777 != 0o700:
            faults.append(f"{self.path} has mode {info.st_mode & 0o777:03o}: chmod 700 {name}")
        if not faults:
            faults.extend(self._mount_faults())
        return faults

    def file_faults(self, key_files: Iterable[Path] = ()) -> list[str]:
        """What is wrong with the files, one sentence with its remedy each."""
        faults = [wrong for path in (*self.files, *key_files) if (wrong := _file_fault(path))]
        present = {path for path in (self.database, self.seal) if os.path.lexists(path)}
        if len(present) == 1 and not self._unfinished.exists():
            missing = self.database if self.seal in present else self.seal
            faults.append(
                f"{missing} is missing beside {present.pop()}: restore both from one backup"
            )
        return faults

    def _mount_faults(self) -> list[str]:
        kind = file_system(self.path)
        if kind is None or self._allow_network_fs or not is_network(kind):
            return []
        return [
            f"{self.path} is on a network file system ({kind}), where neither locks nor syncs can"
            " be relied upon: use a local disk, or set storage.allow_network_fs"
        ]

    # -- possession ---------------------------------------------------------------------------

    def acquire(self) -> None:
        """Take the directory for the life of this process, made when missing, checked, and
        cleaned of what a crash left: drafts, an unfinished init, ``tmp/``."""
        try:
            private.make_directory(self.path)
        except OSError as error:
            raise StartRefused(f"{self.path} cannot be made: {error.strerror}") from error
        _refuse(self.directory_faults())
        self._descriptor = self._take_lock()
        try:
            self._discard_leftovers()
            self.check()
            self.empty_tmp()
        except BaseException:
            self.release()
            raise

    def release(self) -> None:
        """Let the next process have it. The file stays: deleting it would let two in at once."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @contextmanager
    def initializing(self) -> Iterator[None]:
        """Inside, vault.db and vault.seal come into being: both or neither, whenever it stops.

        ``FileExistsError`` when one is there already.
        """
        for path in self._vault_files():
            if os.path.lexists(path):
                raise FileExistsError(str(path))
        write_atomically(self._unfinished, b"")
        try:
            yield
        except BaseException:
            self._discard_vault()
            raise
        private.remove(self._unfinished)

    def empty_tmp(self) -> None:
        """``tmp/`` is there and empty."""
        private.make_directory(self.tmp)
        if self.tmp.is_symlink():
            raise StartRefused(f"{self.tmp} is a symbolic link: remove it")
        for entry in os.scandir(self.tmp):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)

    def fix_modes(self) -> list[Path]:
        """Close everything in the directory to group and others; returns what was changed.

        Files of other users and links are left for ``check`` to report.
        """
        top = self.path.resolve()
        changed = [top] if _close(top, os.O_DIRECTORY, 0o700) else []
        for parent, directories, files in os.walk(top, followlinks=False):
            inner = [Path(parent, name) for name in directories]
            changed += [path for path in inner if _close(path, os.O_DIRECTORY, 0o700)]
            leaves = [Path(parent, name) for name in files]
            changed += [path for path in leaves if _close(path, 0, 0o600)]
        return changed

    def _vault_files(self) -> tuple[Path, ...]:
        companions = (self.path / f"vault.db{suffix}" for suffix in ("-wal", "-shm"))
        return (self.database, *companions, self.seal)

    def _take_lock(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            descriptor = os.open(self.lock, flags, 0o600)
        except OSError as error:
            raise StartRefused(f"{self.lock} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except OSError as error:
            holder = _holder(descriptor)
            os.close(descriptor)
            raise StartRefused(_lock_message(self.lock, holder, error)) from error
        return descriptor

    def _discard_leftovers(self) -> None:
        for path in self.files:
            private.draft_of(path).unlink(missing_ok=True)
        if self._unfinished.exists():
            self._discard_vault()

    def _discard_vault(self) -> None:
        for path in self._vault_files():
            path.unlink(missing_ok=True)
        private.sync_directory(self.path)
        private.remove(self._unfinished)


def refuse_open_to_others(path: Path) -> None:
    """For private keys of the configuration, which a group may share (TLS)."""
    try:
        info = path.stat()
    except OSError as error:
        raise StartRefused(f"{path} cannot be read: {error.strerror}") from error
    if info.st_mode & 0o007:
        raise StartRefused(f"{path} is open to others: chmod o= {shlex.quote(str(path))}")


def _refuse(faults: list[str]) -> None:
    if faults:
        raise StartRefused("; ".join(faults))


def _file_fault(path: Path) -> str | None:
    try:
        return private.fault(path, path.lstat())
    except FileNotFoundError:
        return None
    except OSError as error:
        return f"{path} cannot be examined: {error.strerror}"


def _holder(descriptor: int) -> str:
    text = os.pread(descriptor, 20, 0).strip()
    return f" by process {int(text)}" if text.isdigit() else ""


def _lock_message(lock: Path, holder: str, error: OSError) -> str:
    if isinstance(error, BlockingIOError):
        return f"{lock} is held{holder}: stop that process, or choose another data_dir"
    return f"{lock} cannot be locked: {error.strerror}: use a local disk"


def _close(path: Path, kind: int, mode: int) -> bool:
    """Set the mode of one's own directory or file (``kind``: open flags); True when changed."""
    info = path.lstat()
    if kind == os.O_DIRECTORY:
        open_to_others = stat.S_ISDIR(info.st_mode) and info.st_mode & 0o777 != mode
    else:
        alone = stat.S_ISREG(info.st_mode) and info.st_nlink == 1
        open_to_others = alone and bool(info.st_mode & 0o077)
    if not open_to_others or info.st_uid != os.geteuid():
        return False
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | kind)
    try:
        os.fchmod(descriptor, mode)
    finally:
        os.close(descriptor)
    return True
