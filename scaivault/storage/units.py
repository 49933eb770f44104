"""What is handed to the writer, and what ends a group of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from scaivault.storage.file import Connection


class Unit:
    """Something to do in the writer's transaction. ``error`` is set when it was rolled back."""

    __slots__ = ("error", "future")

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] | None = None
        self.error: BaseException | None = None

    def run(self, connection: Connection) -> None:
        """Change the file; raising rolls this unit back, and only this one."""

    def undone(self) -> None:
        """In the writer: what ``run`` changed was rolled back."""

    def settle(self) -> None:
        """On the event loop, after the commit and before the answer."""

    def result(self) -> Any:
        """What the waiting coroutine gets."""
        return None


class Closer(Protocol):
    """Ends each group inside its transaction: the ledger."""

    def close_group(self, connection: Connection, units: Sequence[Unit]) -> None: ...

    def group_committed(self, units: Sequence[Unit]) -> None: ...

    def group_lost(self) -> None: ...
