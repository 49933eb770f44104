"""Folding the write-ahead log into the file, so that neither it nor a commit grows long.

Under load the engine does not sync what it folds: somebody has committed meanwhile, so that the log
is not folded to its end. All of it would be synced by the call that begins the log anew, in the
writer: 100 ms for 17,000 pages in which nothing commits. So it is synced before that, beside it.

A disk that refuses to sync may have lost what was folded, and says so only once: asked again, Linux
says yes (fsync(2)). The log still has all of it. So from then on it is kept: it is neither folded
nor begun anew until the file is opened again, which reads it from its beginning.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Final

from scaivault.storage.file import Connection, EngineError, FileDamaged, keep_log, sync

if TYPE_CHECKING:
    from scaivault.storage.database import Database

log = logging.getLogger("scaivault.storage")

# The log is folded into the file once it has this many 4 KiB pages. Under steady load it is never
# folded to its end, and so not begun anew: when it is far larger, the writer folds what came in
# meanwhile. Only that: 165 MiB that had waited for a reader were 400 ms in which nothing committed.
FOLD_PAGES: Final = 4_096
FOLD_FORCE: Final = 16_384
FOLD_LOOK: Final = 64  # commits between two looks at its length


def fold(connection: Connection, most: int) -> bool:
    """Fold what no reader needs. True: the log was longer than ``most`` pages, and but for what was
    committed meanwhile all of it is in the file, and synced."""
    _, pages, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    if pages <= most or done < pages:
        return False
    sync(connection)
    return True


def restart(connection: Connection) -> None:
    """Fold the rest, and begin the log anew, if nobody reads in it right now. Who reads long (a
    copy, a verification) is not waited for, as all commits would wait as well: the log goes on
    growing, and this is tried again soon."""
    (patience,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout=0")
    try:
        connection.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
    finally:
        connection.execute(f"PRAGMA busy_timeout={patience:d}")


class LogFolder:
    """Folds from a thread of its own: commits do not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._commits = 0
        self._folded = False  # all but what was written in the meantime
        self._kept = False
        self._wanted = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="vault-folder", daemon=True)
        self._thread.start()

    def after_commit(self, connection: Connection) -> bool:
        """Look at the log now and then; whether it should begin anew (``restart``)."""
        if self._kept:
            return False
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

    def restart(self, connection: Connection) -> None:
        """In the writer."""
        try:
            restart(connection)
        except EngineError as error:
            self._failed(error)

    def finish(self, connection: Connection) -> None:
        """Stop, and fold all that is left, before the writing connection is closed."""
        self._stopped = True
        self._wanted.set()
        self._thread.join()
        if not self._kept:
            try:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            except EngineError as error:
                self._failed(error)
        if self._kept:
            keep_log(connection)

    def _run(self) -> None:
        while self._wanted.wait() and not self._stopped:
            self._wanted.clear()
            try:
                with closing(self._database.connect()) as connection:
                    if fold(connection, FOLD_FORCE):
                        self._wanted.clear()  # what came in meanwhile is the writer's
                        self._folded = True
            except EngineError as error:
                self._failed(error)
            except FileDamaged:
                pass  # its key is being replaced

    def _failed(self, error: EngineError) -> None:
        """Whatever else failed (a full disk) is tried again, as long as the log grows."""
        if "FSYNC" in (getattr(error, "sqlite_errorname", None) or ""):
            self._kept = True
            log.error(
                "the disk refused to sync vault.db: the write-ahead log is kept, and grows;"
                " look at the disk, then seal and unseal"
            )
