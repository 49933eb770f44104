"""Rows that nobody asks about any more: dropped 200 of a kind at a time, in one change."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection

_STEP: Final = 200  # of seven kinds: all wait for the writer meanwhile


@dataclass(frozen=True, slots=True)
class Old:
    """One kind of rows. ``some``: whether there are any to drop at an instant (us); ``drop``: up to
    so many of them, and how many that was. Where there are some, at least one is dropped."""

    some: Callable[[Connection, int], bool]
    drop: Callable[[Connection, int, int], int]


class Forgetting:
    """One per open vault."""

    def __init__(self, gate: Gate, kinds: Iterable[Old]) -> None:
        self._gate: Final = gate
        self._kinds: Final = tuple(kinds)

    async def forget(self, caller: Caller) -> int:
        """One step; how many rows went. Without any there is no change, and no ledger row."""

        def some(db: Connection) -> bool:
            return any(kind.some(db, caller.now) for kind in self._kinds)

        def drop(tx: Transaction) -> int:
            return sum(kind.drop(tx.connection, caller.now, _STEP) for kind in self._kinds)

        if not await self._gate.ask(some):
            return 0
        act = Act("job_control")
        act.extra["job"] = "forget"
        return await self._gate.change(caller, act, drop)
