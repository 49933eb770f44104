"""An online copy of the file, made so that nobody who reads or writes meanwhile notices.

One snapshot for all of it: a copy whose source is read anew at each step begins again whenever
somebody has written in between, so that under steady load it never ended. The log cannot be begun
anew before the copy is done, and grows by what is written until then.

In small steps, each followed by a rest: a step decrypts and encrypts its pages, and of two cores
the copy should not hold one. What was copied is written out as it comes. At the end all of it
would go to the disk at once, and commits sync to that disk, too.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final

from scaivault.crypto.memory import Guarded
from scaivault.storage import private
from scaivault.storage.file import Connection, open_file
from scaivault.storage.pace import Pace

STEP: Final = 64  # pages, of 4 KiB: about 2 ms of work
SYNC: Final = 16  # steps between two syncs: 4 MiB

Connect = Callable[[], Connection]


def copy(connect: Connect, target: Path, key: Guarded, pace: Pace) -> None:
    """All that is committed now, into a new file under the same key; in the caller's own thread.

    ``FileExistsError`` when ``target`` is there."""
    # SQLite would make the file open to others; its companions inherit the mode.
    descriptor = private.create(target)
    try:
        with closing(connect()) as source, closing(open_file(target, key, cache_mib=2)) as made:
            # Nobody reads it before it is whole: a journal would write everything a second time.
            made.execute("PRAGMA journal_mode=OFF").fetchone()
            made.execute("PRAGMA synchronous=OFF")
            source.execute("BEGIN")
            source.execute("SELECT count(*) FROM sqlite_schema").fetchone()
            source.backup(made, pages=STEP, progress=_Steps(descriptor, pace).ended)
            source.execute("COMMIT")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Steps:
    """Called by the engine's interface behind each step."""

    def __init__(self, descriptor: int, pace: Pace) -> None:
        self._descriptor: Final = descriptor
        self._pace: Final = pace
        self._count = 0

    def ended(self, _status: int, _remaining: int, _total: int) -> None:
        self._count += 1
        if not self._count % SYNC:
            os.fdatasync(self._descriptor)
        self._pace.rest()
