"""Folding the write-ahead log into the file, so that neither it nor a commit grows long."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING, Final

from scaivault.storage.file import Connection, EngineError, FileDamaged

if TYPE_CHECKING:
    from scaivault.storage.database import Database

# The log is folded into the file once it has this many 4 KiB pages. Under steady load it is never
# folded to its end, and so not begun anew: when it is far larger, the writer folds what came in
# meanwhile. Only that: 165 MiB that had waited for a reader were 400 ms in which nothing committed.
FOLD_PAGES: Final = 4_096
FOLD_FORCE: Final = 16_384
FOLD_LOOK: Final = 64  # commits between two looks at its length


class LogFolder:
    """Folds the write-ahead log into the file from a thread of its own: commits do not wait.

    Under load the engine does not sync what it folds: somebody has committed meanwhile, so that the
    log is not folded to its end. All of it would be synced by the call that begins the log anew, in
    the writer: 100 ms for 17,000 pages. So it is synced here before that."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Open as long as the connections: to close it ends the locks of this process on the file.
        self._file = os.open(database.path, os.O_RDONLY | os.O_CLOEXEC)
        self._commits = 0
        self._folded = False  # all but what was written in the meantime
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="vault-folder", daemon=True)
        self._thread.start()

    def after_commit(self, connection: Connection) -> bool:
        """Look at the log now and then; whether it should begin anew (``restart``)."""
        if self._folded:
            self._folded = False
            return True
        self._commits += 1
        if not self._commits % FOLD_LOOK:
            with contextlib.suppress(EngineError):
                _, pages, _ = connection.execute("PRAGMA wal_checkpoint(NOOP)").fetchone()
                if pages > FOLD_PAGES:
                    self._wanted.set()
        return False

    @staticmethod
    def restart(connection: Connection) -> None:
        """Fold the rest, and begin the log anew, if nobody reads in it right now. Who reads long
        (a copy, a verification) is not waited for, as all commits would wait as well: the log
        goes on growing, and this is tried again soon."""
        with contextlib.suppress(EngineError):
            (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
            connection.execute("PRAGMA busy_timeout=0")
            try:
                connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            finally:
                connection.execute(f"PRAGMA busy_timeout={patience:d}")

    def stop(self) -> None:
        """Fold no more. ``close`` is for later, behind the last connection."""
        self._stopped = True
        self._wanted.set()
        self._thread.join()

    def close(self) -> None:
        os.close(self._file)

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopped:
            self._wanted.clear()
            with contextlib.suppress(EngineError, FileDamaged, OSError):
                connection = self._database.connect()
                try:
                    fold = connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                    _, pages, done = fold.fetchone()
                    if pages > FOLD_FORCE and done == pages:
                        os.fdatasync(self._file)
                        self._folded = True
                finally:
                    connection.close()
