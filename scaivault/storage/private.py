"""Files for the owner of this process alone: checked, read, created and replaced."""

from __future__ import annotations

import contextlib
import os
import shlex
import stat
from pathlib import Path


class UnsafeFile(Exception):
    """Somebody else could read, swap or own the file; the message names it and the remedy."""


def fault(path: Path, info: os.stat_result) -> str | None:
    """What is wrong with a file and how to put it right; ``None`` when it is private."""
    name = shlex.quote(str(path))
    if stat.S_ISLNK(info.st_mode):
        return f"{path} is a symbolic link: put the file itself in its place"
    if not stat.S_ISREG(info.st_mode):
        return f"{path} is not a regular file: move it away"
    if info.st_uid != os.geteuid():
        return f"{path} belongs to user {info.st_uid}: chown {os.geteuid()} {name}"
    if info.st_nlink > 1:
        return f"{path} has {info.st_nlink} hard links: remove the other names of the file"
    if info.st_mode & 0o077:
        return f"{path} is open to group or others: chmod 600 {name}"
    return None


def read(path: Path, limit: int) -> bytearray:
    """The whole content, which the caller may wipe; checked on the opened file itself.

    ``UnsafeFile`` when it is not private or longer than ``limit`` bytes, ``OSError`` when it
    cannot be read.
    """
    if path.is_symlink():
        raise UnsafeFile(f"{path} is a symbolic link: put the file itself in its place")
    # Without O_NONBLOCK a named pipe in the file's place would hold the start up for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb", buffering=0) as file:
        wrong = fault(path, os.fstat(descriptor))
        if wrong is not None:
            raise UnsafeFile(wrong)
        return read_bounded(file.fileno(), limit, path)


def read_bounded(descriptor: int, limit: int, path: Path) -> bytearray:
    """All of an open file, or ``UnsafeFile`` when it is longer than ``limit`` bytes."""
    content = bytearray(limit + 1)
    length = 0
    while length <= limit and (n := os.readv(descriptor, [memoryview(content)[length:]])):
        length += n
    if length > limit:
        raise UnsafeFile(f"{path} is longer than {limit} bytes: it is not what its name says")
    del content[length:]
    return content


def create(path: Path, mode: int = 0o600) -> int:
    """Make a file that is not there yet; returns the descriptor, open for writing.

    The mode is exact: an umask can take bits away, and inherited ACL entries can add some.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, mode)
    os.fchmod(descriptor, mode)
    return descriptor


def make_directory(path: Path) -> Path:
    """A directory with mode 0700, made unless it is there."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(mode=0o700, parents=True)
        path.chmod(0o700)
    return path


def draft_of(path: Path) -> Path:
    """Where the next content of a file is written before it takes the name."""
    return path.with_name(path.name + ".new")


def write_atomically(path: Path, data: bytes | bytearray, mode: int = 0o600) -> None:
    """Replace the whole file, on disk when this returns: old or new content, never a mixture.

    A draft that a crash left behind is replaced; one that could not be written is removed.
    """
    draft = draft_of(path)
    draft.unlink(missing_ok=True)
    write_new(draft, data, mode)
    try:
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_new(path: Path, data: bytes | bytearray, mode: int = 0o600) -> None:
    """Make a whole file, on disk when this returns. ``FileExistsError`` when it is there."""
    descriptor = create(path, mode)
    try:
        try:
            _write_all(descriptor, data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def remove(path: Path) -> None:
    """Delete a file, on disk when this returns; nothing happens when it is not there."""
    path.unlink(missing_ok=True)
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Names that were added, changed or removed are on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, data: bytes | bytearray) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
