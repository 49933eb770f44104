"""Directories of files from elsewhere: nothing outside of the directory is opened, no link is
followed, and memory holds one line."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

LONGEST: Final = 1024 * 1024  # bytes of a line; a row has a tenth of that at the very most
_BLOCK: Final = 1024 * 1024


class Unreadable(Exception):
    """A file is not there, is no plain file, or is not what it should be."""


class Directory:
    """Plain files of one directory, by name."""

    def __init__(self, descriptor: int) -> None:
        self._at: Final = descriptor

    def names(self) -> list[str]:
        return os.listdir(self._at)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[BinaryIO]:
        """A file for reading; ``Unreadable`` when it is none."""
        if "/" in name or name in ("", ".", "..") or "\0" in name:
            raise Unreadable(f"{name[:100]!r} is no file of the directory")
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            descriptor = os.open(name, flags, dir_fd=self._at)
        except (OSError, ValueError) as fault:
            raise Unreadable(f"{name} cannot be opened") from fault
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise Unreadable(f"{name} is no plain file")
        with open(descriptor, "rb") as file:
            yield file

    def content(self, name: str, limit: int) -> bytes:
        """The whole of a small file."""
        with self.opened(name) as file:
            found = _read(file, name, limit + 1)
        if len(found) > limit:
            raise Unreadable(f"{name} is longer than {limit} bytes")
        return found

    def digest(self, name: str) -> tuple[int, str]:
        """(size, SHA-256 as hex) of a file."""
        sha256, size = hashlib.sha256(), 0
        with self.opened(name) as file:
            while block := _read(file, name, _BLOCK):
                sha256.update(block)
                size += len(block)
        return size, sha256.hexdigest()

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file without their ends; ``Unreadable`` for one that has none."""
        with self.opened(name) as file:
            while True:
                try:
                    found = file.readline(LONGEST)
                except OSError as fault:
                    raise Unreadable(f"{name} cannot be read") from fault
                if not found:
                    return
                if not found.endswith(b"\n"):
                    raise Unreadable(f"{name} has a line that is cut off or too long")
                yield found[:-1]


@contextlib.contextmanager
def directory(path: Path) -> Iterator[Directory]:
    """The directory that somebody names; he may name a link."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield Directory(descriptor)
    finally:
        os.close(descriptor)


def _read(file: BinaryIO, name: str, size: int) -> bytes:
    try:
        return file.read(size)
    except OSError as fault:
        raise Unreadable(f"{name} cannot be read") from fault
