"""What the file can fail with, in words of our own."""

from __future__ import annotations

import contextlib
from typing import Final

from scaivault.storage.file import Connection, EngineError, IntegrityError, ProgrammingError


class StorageFailed(Exception):
    """Nothing was changed: the file could not be written, synced or read.

    ``reason``: ``disk_full``, ``read_only``, ``damaged``, ``busy``, ``closed`` or ``io``."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason: Final = reason


def translate(error: EngineError) -> Exception:
    """The engine's error as ours; a broken constraint is a defect and stays what it is."""
    if isinstance(error, IntegrityError | ProgrammingError):
        return error
    name = getattr(error, "sqlite_errorname", "") or ""
    for prefix, reason in (
        ("SQLITE_FULL", "disk_full"),
        ("SQLITE_READONLY", "read_only"),
        ("SQLITE_CANTOPEN", "read_only"),
        ("SQLITE_CORRUPT", "damaged"),
        ("SQLITE_NOTADB", "damaged"),
        ("SQLITE_BUSY", "busy"),
    ):
        if name.startswith(prefix):
            return StorageFailed(reason)
    return StorageFailed("io")


def undo(connection: Connection) -> None:
    """Leave no transaction open: the next one could not begin."""
    with contextlib.suppress(EngineError):
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def failure(error: BaseException) -> StorageFailed:
    """Why a whole group did not commit."""
    if isinstance(error, EngineError):
        error = translate(error)
    return error if isinstance(error, StorageFailed) else StorageFailed("io")
