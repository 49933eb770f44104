"""What is handed to the writer, and what ends a group of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

from scaivault.storage.file import Connection


class TooLong(Exception):
    """Raised in ``run`` while the loop runs it: this is going to take long, so let the writer do
    it. Nothing of it was done, and what it keeps in memory is as it was."""


class Unit:
    """Something to do in the writer's transaction. ``error`` is set when it was rolled back."""

    __slots__ = ("error", "future")

    def __init__(self) -> None:
        self.future: asyncio.Future[Any] | None = None
        self.error: BaseException | None = None

    # How long ``run`` takes, in rows of the closer that take as long; None: that is not known.
    work: int | None = None

    @property
    def rows(self) -> int:
        """How many rows the closer writes for it, as far as that is known before ``run``."""
        return 0

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

    def is_one_statement(self, units: Sequence[Unit]) -> bool:
        """Whether no unit changes anything and ``close_group`` is one statement: that is its own
        transaction, and saves a tenth of the commit."""
        ...

    def close_group(self, connection: Connection, units: Sequence[Unit]) -> None: ...

    def group_committed(self, units: Sequence[Unit]) -> None: ...

    def group_lost(self) -> None: ...
