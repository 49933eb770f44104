"""``~/.scaivault``: what the program keeps of its user between two runs.

The directory is 0700, its files are 0600, both one's own and no links; anything wider is refused
and never repaired in silence, as somebody may have read or planted it. A file is replaced as a
whole: written beside, synced, renamed. Readers see the old one or the new one.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from scaivault.cli.failure import Failure, usage

_LIMIT: Final = 1 << 20


def directory() -> Path:
    """Where it is, by ``$HOME``."""
    home = os.path.expanduser("~")
    if not os.path.isabs(home):
        raise usage("there is no home directory; set HOME")
    return Path(home) / ".scaivault"


def read(name: str) -> bytes | None:
    """A file's content, ``None`` when there is none. ``Failure`` when it is not private."""
    path = directory()
    try:
        folder = _opened(path)
    except FileNotFoundError:
        return None
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise usage(f"{path / name} cannot be opened: {error.strerror}; is it a link?") from None
    finally:
        os.close(folder)
    with os.fdopen(descriptor, "rb") as file:
        _private(path / name, os.fstat(descriptor), stat.S_IFREG, "chmod 600")
        content = file.read(_LIMIT + 1)
    if len(content) > _LIMIT:
        raise usage(f"{path / name} is longer than {_LIMIT} bytes")
    return content


def write(name: str, content: bytes) -> None:
    """Replace a file, at once or not at all; the directory is made when it is missing."""
    path = directory()
    try:
        path.mkdir(0o700, exist_ok=True)
        folder = _opened(path)
    except OSError as error:
        raise usage(f"{path} cannot be made: {error.strerror}") from None
    try:
        _replace(folder, name, content)
    except OSError as error:
        raise Failure("not_written", f"{path / name}: {error.strerror}") from None
    finally:
        os.close(folder)


def _replace(folder: int, name: str, content: bytes) -> None:
    beside = f".{name}.{os.urandom(8).hex()}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(beside, flags, 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.rename(beside, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        os.unlink(beside, dir_fd=folder)
        raise
    os.fsync(folder)


def _opened(path: Path) -> int:
    """A descriptor of the directory. ``FileNotFoundError`` when there is none."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(path, flags)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise usage(f"{path} is not a directory of one's own: {error.strerror}") from None
    try:
        _private(path, os.fstat(folder), stat.S_IFDIR, "chmod 700")
    except Failure:
        os.close(folder)
        raise
    return folder


def _private(path: Path, info: os.stat_result, kind: int, remedy: str) -> None:
    if stat.S_IFMT(info.st_mode) != kind:
        raise usage(f"{path} is not what it should be: a plain file in a directory")
    if info.st_uid != os.geteuid():
        raise usage(f"{path} belongs to another user; nothing of it is used")
    if stat.S_IMODE(info.st_mode) & 0o077:
        raise usage(f"{path} is open to others; look who could have read it, then {remedy} {path}")
