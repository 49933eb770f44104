"""What ``doctor`` looks at in the data directory: owner, modes, file system, free space."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from scaivault.storage.folder import Folder
from scaivault.storage.mounts import file_system, is_network
from scaivault.system.finding import Finding, worst

# Enough to show a pattern; a directory of ten thousand backups would fill the screen.
_SHOWN: Final = 5
_IN_MEMORY: Final = ("tmpfs", "ramfs")


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """Root examines, and mends, with the rights of the directory's owner and no others.

    A service that was taken over could plant a link for root's ``chmod`` to follow.
    """
    try:
        info = path.stat()
    except OSError:
        info = None
    if info is None or os.geteuid() != 0 or info.st_uid == 0:
        yield
        return
    group = os.getegid()
    os.setegid(info.st_gid)
    os.seteuid(info.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)


def owner(folder: Folder) -> Finding:
    """The directory and all in it belong to the user who runs the service."""
    me, info = os.geteuid(), folder.path.stat()
    if info.st_uid != me:
        return Finding(
            "owner",
            "FAIL",
            f"{folder.path} belongs to {_user(info.st_uid)}, not {_user(me)}: examine it as its "
            "owner or as root",
        )
    foreign = [path for path, found in _contents(folder) if found.st_uid != me]
    if foreign:
        name = shlex.quote(str(folder.path))
        return Finding(
            "owner", "FAIL", f"not of {_user(me)}: {_some(foreign)}; as root: chown -R {me} {name}"
        )
    if me == 0:
        return Finding(
            "owner",
            "WARN",
            "all of root; run the service as a user of its own (serve refuses root)",
        )
    return Finding("owner", "OK", f"all of {_user(me)}")


def modes(folder: Folder, key_files: Iterable[Path], *, fix: bool) -> Finding:
    """Nothing is open to group or others, linked, or of the wrong kind; with ``fix`` what can
    be closed is closed first."""
    fixed = folder.fix_modes() if fix and _holds_vault(folder) else []
    faults = []
    mode = stat.S_IMODE(folder.path.stat().st_mode)
    if mode != 0o700:
        faults.append(f"{folder.path} has mode {mode:03o} instead of 700")
    faults.extend(folder.file_faults(key_files))
    named = set(folder.files)
    open_ones = [
        path
        for path, info in _contents(folder)
        if path not in named and not stat.S_ISLNK(info.st_mode) and info.st_mode & 0o077
    ]
    if open_ones:
        faults.append(f"open to group or others: {_some(open_ones)}; see --fix-modes")
    return worst(
        "modes", faults, f"closed {_some(fixed)}" if fixed else "nothing is open to others"
    )


def medium(folder: Folder, *, allow_network_fs: bool) -> Finding:
    """A local disk that keeps what it was given."""
    kind = file_system(folder.path)
    if kind is None:
        return Finding("file system", "WARN", "this system does not say which one it is")
    if is_network(kind):
        why = f"{kind} is a network file system, without dependable locks and syncs"
        if allow_network_fs:
            return Finding("file system", "WARN", f"{why}; storage.allow_network_fs accepts that")
        return Finding("file system", "FAIL", f"{why}: use a local disk")
    if kind in _IN_MEMORY:
        return Finding("file system", "WARN", f"{kind}: the vault is gone after a restart")
    return Finding("file system", "OK", kind)


def space(folder: Folder, *, min_free: int) -> Finding:
    """Below ``min_free`` bytes the server refuses writes; twice that is the time to act."""
    free = shutil.disk_usage(folder.path).free
    text = f"{free >> 20} MiB free, storage.min_free is {min_free >> 20} MiB"
    if free < min_free:
        return Finding("disk", "FAIL", f"{text}: nothing can be written; make room")
    if free < 2 * min_free:
        return Finding("disk", "WARN", f"{text}: make room soon")
    return Finding("disk", "OK", text)


def _holds_vault(folder: Folder) -> bool:
    """Whether what lies here is a vault's. With a mistyped directory nothing else may be
    touched, nor listed as if it were."""
    return any(os.path.lexists(path) for path in (folder.seal, folder.database))


def _contents(folder: Folder) -> Iterator[tuple[Path, os.stat_result]]:
    return _entries(folder.path) if _holds_vault(folder) else iter(())


def _entries(path: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a directory, links not followed."""
    with os.scandir(path) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            try:
                info = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                # Removed meanwhile by the running server.
                continue
            yield Path(entry.path), info
            if stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid():
                yield from _entries(Path(entry.path))


def _some(paths: list[Path]) -> str:
    shown = ", ".join(str(path) for path in paths[:_SHOWN])
    return shown + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")


def _user(number: int) -> str:
    try:
        return f"user {pwd.getpwuid(number).pw_name}"
    except KeyError:
        return f"user {number}"
