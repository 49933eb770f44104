"""What the gate submits to the writer: ledger rows, alone or with the change that they tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from scaivault.errors import Refusal
from scaivault.gate import once
from scaivault.gate.caller import Caller
from scaivault.gate.ledger import LedgerUnit, Record
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection, EngineError
from scaivault.storage.units import TooLong

if TYPE_CHECKING:
    from scaivault.gate.gate import Gate


class Reading(LedgerUnit):
    """The ledger rows of what was looked at."""

    __slots__ = ("_after",)

    def __init__(
        self, started: int, records: list[Record], after: list[Callable[[], None]]
    ) -> None:
        super().__init__(started, records)
        self._after = after

    def settle(self) -> None:
        for function in self._after:
            function()


class Changing(LedgerUnit):
    """A change with its ledger rows."""

    __slots__ = (
        "_after", "_caller", "_function", "_gate", "_instead", "_once", "_placing", "_value",
        "records_refusal", "work",
    )  # fmt: skip

    def __init__(
        self,
        gate: Gate,
        caller: Caller,
        records: list[Record],
        function: Callable[[Transaction], Any],
        key: once.Once | None = None,
    ) -> None:
        super().__init__(caller.started, records)
        self._gate = gate
        self._caller = caller
        self._function = function
        self._once = key
        self._value: Any = None
        self._after: list[Callable[[], None]] = []
        self._instead: list[Callable[[], None]] = []
        self._placing: list[Callable[[Connection, int], None]] = []
        self.records_refusal = True
        self.work: int | None = None

    def run(self, connection: Connection) -> None:
        caller, gate = self._caller, self._gate
        tx = Transaction(gate, connection, caller, gate.clock.now(), self.records[0])
        self._instead = tx.instead
        try:
            if self._replays(tx):
                return
            self._value = self._function(tx)
        except Refusal as refused:
            connection.execute("ROLLBACK TO unit")
            self.undone()
            self.error = refused
            self.refused(refused.code)
            if not self.records_refusal:
                self.records.clear()
            self._keep(connection, tx.now, refused)
            return
        except TooLong:
            raise
        except EngineError:
            self.refused("service_unavailable")
            raise
        except Exception:
            self.refused("internal_error")
            raise
        self.records += tx.records
        self._after, self._placing = tx.after, tx.placing
        self._keep(connection, tx.now, self._value)

    def placed(self, connection: Connection, seq: int) -> None:
        for function in self._placing:
            function(connection, seq)

    def undone(self) -> None:
        while self._instead:
            self._instead.pop()()

    def _replays(self, tx: Transaction) -> bool:
        """Whether this was answered before; a key used for something else is refused."""
        if self._once is None:
            return False
        try:
            self._value = once.kept(tx.connection, self._gate.envelope, self._once, tx.now)
        except Refusal:
            self._once = None  # the answer that is kept stays
            raise
        if self._value is not None:
            tx.note(replayed=True)
            if self._value.code:
                self.refused(self._value.code)
        return self._value is not None

    def _keep(self, connection: Connection, now: int, outcome: Any) -> None:
        if self._once is not None:
            once.keep(connection, self._gate.envelope, self._once, now, outcome)

    def settle(self) -> None:
        for function in self._after:
            function()

    def result(self) -> Any:
        return self._value
