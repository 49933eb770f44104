"""A place in memory for a value that an editor works on.

A directory of mode 0700 on tmpfs or ramfs, with one 0600 file. Whatever lies in it at the end, the
editor's own swap and backup files too, is overwritten and removed: after success, failure, Ctrl-C,
SIGTERM and a closed terminal alike. Only SIGKILL or a power cut leave it, and then it is in memory.
The kernel may still page tmpfs out to swap; `swapon --show` tells whether there is any.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from scaivault.cli.failure import Failure, usage

_IN_MEMORY: Final = frozenset(("tmpfs", "ramfs"))
_SHARED_MEMORY: Final = "/dev/shm"  # noqa: S108 - the RAM disk of Linux; the name below is random
_ENDING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextlib.contextmanager
def kept_in_memory(content: bytes, *, suffix: str, on_disk: bool = False) -> Iterator[Path]:
    """A file with this content. ``on_disk`` allows a temporary directory that is not in memory."""
    with _signals_raise():
        folder = Path(tempfile.mkdtemp(prefix="scaivault-edit-", dir=_place(on_disk)))
        try:
            yield _made(folder / f"secret{suffix}", content)
        finally:
            # A second Ctrl-C must not stop the removal half way.
            for each in (*_ENDING, signal.SIGINT):
                signal.signal(each, signal.SIG_IGN)
            wipe(folder)


def wipe(folder: Path) -> None:
    """Overwrite every plain file below ``folder`` with zeros and remove all of it."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                _zero(os.path.join(parent, name))
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise Failure("not_removed", f"{folder} could not be removed; it may hold the value")


def _zero(path: str) -> None:
    flags = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    descriptor = os.open(path, flags)
    try:
        left = os.fstat(descriptor).st_size
        while left > 0:
            left -= os.write(descriptor, bytes(min(left, 65536)))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _made(path: Path, content: bytes) -> Path:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(content)
    return path


def _place(on_disk: bool) -> str | None:
    for place in (os.environ.get("XDG_RUNTIME_DIR"), _SHARED_MEMORY):
        if place and os.access(place, os.W_OK) and file_system_of(place) in _IN_MEMORY:
            return place
    if on_disk:
        return None
    raise usage(
        "no place in memory (tmpfs) was found for the file that the editor opens; "
        "--on-disk uses the temporary directory, where what is deleted may be found again"
    )


def file_system_of(place: str) -> str | None:
    """``tmpfs``, ``ext4``, …; ``None`` where it cannot be known."""
    from scaivault.storage.mounts import file_system

    try:
        return file_system(Path(place))
    except OSError:
        return None


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Signals that would end the process at once end the block instead, so that it cleans up."""

    def ended(number: int, _: FrameType | None) -> None:
        raise Failure("aborted", f"ended by {signal.Signals(number).name}")

    before = {each: signal.signal(each, ended) for each in _ENDING}
    before[signal.SIGINT] = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
