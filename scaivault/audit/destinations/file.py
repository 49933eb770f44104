"""Directories of this host: written under another name, and in its place when it is whole.

Every step down goes by descriptor and follows no link: whoever may write below ``exports/`` must
not be able to send the vault's writes elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

from scaivault.audit.destinations.contract import DestinationFailed, Place

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class _Whole:
    """A new directory ``name`` below ``parent`` (a descriptor): there when it is finished.
    With ``again`` one that is there was finished by a try that was cut off before that was kept."""

    def __init__(self, parent: int, name: str, place: Place) -> None:
        self._parent: Final = parent
        self._name: Final = name
        self._again: Final = place.again
        self._leave: Final = place.leave
        self._draft: Final = f"{name}.new"
        self._at = -1

    def start(self) -> None:
        with _told():
            there = _is_there(self._parent, self._name)
            if there and not self._again:
                raise FileExistsError(errno.EEXIST, "it is there already")
            # What an earlier try left; removed by descriptor, which follows no link.
            _discard(self._parent, self._draft)
            if there:
                _rename(self._parent, self._name, self._draft)
                _discard(self._parent, self._draft)
            self._at = _make(self._parent, self._draft)

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        await _write_file(self._at, name, pieces, self._leave)

    async def finish(self) -> None:
        await asyncio.to_thread(self._settle)

    def _settle(self) -> None:
        with _told():
            os.fsync(self._at)
            _rename(self._parent, self._draft, self._name)

    def close(self) -> None:
        if self._at >= 0:
            os.close(self._at)
            with contextlib.suppress(OSError):
                _discard(self._parent, self._draft)


class _Loose:
    """Files in the directory ``parent`` (a descriptor), each there when it is whole. One of the
    same name is replaced: it has the same content."""

    def __init__(self, parent: int, prefix: str, place: Place) -> None:
        self._parent: Final = parent
        self._prefix: Final = prefix
        self._leave: Final = place.leave

    def start(self) -> None:
        """Nothing to prepare."""

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        name = self._prefix + name
        draft = f"{name}.new"
        with contextlib.suppress(FileNotFoundError), _told(FileNotFoundError):
            os.unlink(draft, dir_fd=self._parent)
        await _write_file(self._parent, draft, pieces, self._leave)
        with _told():
            await asyncio.to_thread(_rename, self._parent, draft, name)

    async def finish(self) -> None:
        """Each file is in its place already."""

    def close(self) -> None:
        """Nothing is left behind but a draft, which the next try replaces."""


@contextlib.asynccontextmanager
async def opened(place: Place) -> AsyncIterator[_Whole | _Loose]:
    """Below ``place.root``, with the directories that ``place.prefix`` names made as needed."""
    if place.root is None:
        raise LookupError("a file destination needs a root")
    prefix = place.prefix.removesuffix("/") if place.whole else place.prefix
    *directories, name = prefix.split("/")
    with _descended(place.root, directories) as parent:
        made = (_Whole if place.whole else _Loose)(parent, name, place)
        try:
            await asyncio.to_thread(made.start)
            yield made
        finally:
            await asyncio.to_thread(made.close)


@contextlib.contextmanager
def _descended(root: Path, names: list[str]) -> Iterator[int]:
    """A descriptor of the directory ``names`` below ``root``; what is missing is made, 0700."""
    with _told():
        with contextlib.suppress(FileExistsError):
            root.mkdir(0o700)
        at = os.open(root, _DIRECTORY)
    try:
        for name in names:
            with _told():
                below = _make(at, name)
            os.close(at)
            at = below
        yield at
    finally:
        os.close(at)


def _make(at: int, name: str) -> int:
    with contextlib.suppress(FileExistsError):
        os.mkdir(name, 0o700, dir_fd=at)
        os.fsync(at)
    return os.open(name, _DIRECTORY, dir_fd=at)


def _is_there(at: int, name: str) -> bool:
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _discard(at: int, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(name, dir_fd=at)


def _rename(at: int, old: str, new: str) -> None:
    os.rename(old, new, src_dir_fd=at, dst_dir_fd=at)
    os.fsync(at)


async def _write_file(at: int, name: str, pieces: AsyncIterator[bytes], leave: int) -> None:
    with _told():
        descriptor = os.open(name, _NEW, 0o600, dir_fd=at)
    try:
        async for piece in pieces:
            await asyncio.to_thread(_write, descriptor, piece, leave)
        await asyncio.to_thread(_sync, descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, piece: bytes, leave: int) -> None:
    rest = memoryview(piece)
    with _told():
        _check_room(descriptor, len(piece) + leave)
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _check_room(descriptor: int, needed: int) -> None:
    """The vault's own file is on the same disk: it could not even write that this one failed."""
    disk = os.fstatvfs(descriptor)
    if disk.f_bavail * disk.f_frsize < needed:
        raise OSError(errno.ENOSPC, "less than storage.min_free of its disk would stay free")


def _sync(descriptor: int) -> None:
    with _told():
        os.fsync(descriptor)


@contextlib.contextmanager
def _told(but: type[OSError] | None = None) -> Iterator[None]:
    """Faults of the file system in the contract's words."""
    try:
        yield
    except OSError as error:
        if but is not None and isinstance(error, but):
            raise
        raise DestinationFailed(
            "storage", f"the directory cannot be written: {error.strerror}"
        ) from error
