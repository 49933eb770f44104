"""The gate.

``read``: decide from the compiled rules, look, append the ledger row, commit, and only then hand
over what was seen. ``change``: decide, run one synchronous function of the transaction in the
writer, with its ledger rows and events, commit, and only then answer. A refusal is ledgered the
same way, before it is told. There is no other way to rows or keys for a room.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final, TypeVar

from scaivault.clock import MINUTE, Clock
from scaivault.crypto.aead import Damaged
from scaivault.crypto.memory import Wiped
from scaivault.errors import Refusal
from scaivault.gate import once
from scaivault.gate.caller import Caller
from scaivault.gate.ledger import LedgerUnit, Record, record
from scaivault.gate.outbox import Outbox
from scaivault.gate.rules import BY_POLICY, Compiled, Context, Decision, decide, refusal
from scaivault.gate.transaction import Transaction
from scaivault.seal.envelope import Envelope
from scaivault.storage.database import Database, StorageFailed
from scaivault.storage.file import Connection, EngineError

T = TypeVar("T")

log = logging.getLogger("scaivault.gate")

NO_RULES: Final = Compiled(())


class Act:
    """What a request is about to do: the ledger action, the permission it takes on the path, and
    what the ledger row will say besides."""

    __slots__ = ("action", "after", "extra", "path", "permission")

    def __init__(self, action: str, permission: str | None = None, path: str | None = None) -> None:
        self.action: Final = action
        self.permission: Final = permission
        self.path: Final = path
        self.extra: dict[str, object] = {}
        self.after: list[Callable[[], None]] = []


class _Reading(LedgerUnit):
    """The ledger row of something that was looked at."""

    __slots__ = ("_after",)

    def __init__(
        self, started: int, records: list[Record], after: list[Callable[[], None]]
    ) -> None:
        super().__init__(started, records)
        self._after = after

    def settle(self) -> None:
        for function in self._after:
            function()


class _Changing(LedgerUnit):
    """A change with its ledger rows."""

    __slots__ = ("_after", "_caller", "_function", "_gate", "_instead", "_once", "_value")

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
            self._keep(connection, tx.now, refused)
            return
        except EngineError:
            self.refused("service_unavailable")
            raise
        except Exception:
            self.refused("internal_error")
            raise
        self.records += tx.records
        self._after = tx.after
        self._keep(connection, tx.now, self._value)

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


class Gate:
    """One per open vault."""

    def __init__(
        self, database: Database, envelope: Envelope, outbox: Outbox, clock: Clock
    ) -> None:
        self.database: Final = database
        self.envelope: Final = envelope
        self.outbox: Final = outbox
        self.clock: Final = clock
        self.rules_of: Callable[[Caller], Compiled] = lambda _caller: NO_RULES
        self._told: dict[tuple[str | None, ...], list[int]] = {}

    # -- decide --------------------------------------------------------------------------------

    def decide(self, caller: Caller, permission: str, path: str) -> Decision:
        """May ``caller`` do ``permission`` to ``path``? The only place that answers."""
        principal = caller.principal
        if principal is None:
            raise Refusal("authentication_required", "this call needs a token")
        return decide(
            allowed_paths=principal.allowed_paths,
            covered_by_role=caller.by_role,
            rules=NO_RULES if caller.by_role else self.rules_of(caller),
            permission=permission,
            path=path,
            context=Context(caller.source_ip, principal.mfa_verified_at, caller.now),
        )

    def permit(self, caller: Caller, permission: str, path: str) -> None:
        """Raise the refusal that the decision names, if it is one."""
        decision = self.decide(caller, permission, path)
        if not decision.allowed:
            raise refusal(decision, permission, path)

    # -- read ----------------------------------------------------------------------------------

    async def read(self, caller: Caller, act: Act, look: Callable[[], Awaitable[T]]) -> T:
        """What ``look`` saw, once the ledger says that it was seen."""
        try:
            if act.permission is not None and act.path is not None:
                self.permit(caller, act.permission, act.path)
            seen = await look()
        except Refusal as refused:
            await self.refuse(caller, act, refused)
            raise
        except StorageFailed as failed:
            raise unavailable(failed) from failed
        except Wiped:
            raise  # sealed meanwhile: there is no ledger any more
        except Exception as error:
            defect = _defect(error)
            await self.refuse(caller, act, defect)
            raise defect from error
        entry = record(caller, act.action, act.path, caller.now)
        if act.extra:
            entry.extra_data.update(act.extra)
        await self._submit(_Reading(caller.started, [entry], act.after))
        return seen

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Rows for a ``look``, from a reader; discloses nothing by itself."""
        return await self.database.read(question)

    # -- change --------------------------------------------------------------------------------

    async def change(self, caller: Caller, act: Act, function: Callable[[Transaction], T]) -> T:
        """The result of ``function``, committed together with its ledger rows and events."""
        try:
            if act.permission is not None and act.path is not None:
                self.permit(caller, act.permission, act.path)
        except Refusal as refused:
            await self.refuse(caller, act, refused)
            raise
        entry = record(caller, act.action, act.path, caller.now)
        entry.extra_data.update(act.extra)
        try:
            unit = _Changing(self, caller, [entry], function, caller.once)
            result: T = await self._submit(unit)
        except Refusal as refused:
            refused.recorded = True
            raise
        return result

    async def replayed(self, caller: Caller, act: Act) -> once.Replay | None:
        """The kept answer of a request whose change takes several steps; ask before the first,
        and do all but the last of them as ``steps(caller)``."""
        key = caller.once
        if key is None:
            return None
        try:
            found = await self.ask(lambda db: once.kept(db, self.envelope, key, caller.now))
        except Refusal as refused:
            await self.refuse(caller, act, refused)
            raise
        if found is not None:
            entry = record(caller, act.action, act.path, caller.now)
            entry.extra_data["replayed"] = True
            if found.code:
                entry.success, entry.extra_data["error_code"] = False, found.code
            await self._submit(_Reading(caller.started, [entry], []))
        return found

    async def chain(
        self, caller: Caller, records: list[Record], function: Callable[[Transaction], None]
    ) -> None:
        """Rows that were taken down elsewhere, into the ledger, together with a change."""
        await self._submit(_Changing(self, caller, records, function))

    # -- refuse --------------------------------------------------------------------------------

    async def refuse(self, caller: Caller, act: Act, refused: Refusal) -> None:
        """Ledger a refusal; afterwards the caller may be told."""
        entry = record(caller, act.action, act.path, caller.now)
        extra = entry.extra_data
        extra.update(act.extra)
        extra["error_code"] = refused.code
        entry.success = False
        if refused.code in BY_POLICY and act.permission is not None:
            extra["permission"] = act.permission
            for name in ("policy_id", "failed_condition"):
                if name in refused.details:
                    extra[name] = refused.details[name]
            await self._submit(
                _Changing(self, caller, [entry], self._violation(caller, act, refused))
            )
        else:
            await self._submit(_Reading(caller.started, [entry], []))
        refused.recorded = True

    def _violation(
        self, caller: Caller, act: Act, refused: Refusal
    ) -> Callable[[Transaction], None]:
        """The event of a policy refusal: at once, then at most once a minute with a count."""
        key = (caller.tenant_id, caller.identity_id, act.path, act.permission, refused.code)
        told = self._told.get(key)
        if told is not None and caller.now - told[0] < MINUTE:
            told[1] += 1
            return lambda tx: None
        if len(self._told) > 10_000:
            self._told.clear()
        count = 1 if told is None else told[1] + 1
        self._told[key] = [caller.now, 0]

        def announce(tx: Transaction) -> None:
            tx.emit(
                "policy.violation",
                act.path,
                identity_id=caller.identity_id,
                permission=act.permission,
                code=refused.code,
                failed_condition=refused.details.get("failed_condition"),
                policy_id=refused.details.get("policy_id"),
                source_ip=caller.source_ip,
                count=count,
            )

        return announce

    async def _submit(self, unit: LedgerUnit) -> Any:
        try:
            return await self.database.submit(unit)
        except StorageFailed as failed:
            raise unavailable(failed) from failed
        except Refusal:
            raise
        except Exception as error:
            raise _defect(error) from error


def steps(caller: Caller) -> Caller:
    """The caller for a step whose result is not yet the answer: no key keeps it."""
    return replace(caller, once=None)


def unavailable(failed: StorageFailed) -> Refusal:
    """503: nothing was disclosed and nothing changed."""
    if failed.reason == "closed":
        return Refusal("sealed", "the vault is sealed; an operator has to unseal it")
    refused = Refusal(
        "service_unavailable",
        "the vault's file could not be read or written, so nothing was done; try again later",
        reason=failed.reason,
    )
    refused.recorded = True  # there is nowhere to record it
    return refused


def _defect(error: Exception) -> Refusal:
    kind = "a stored field does not open" if isinstance(error, Damaged) else "a defect"
    log.error("%s: %s", kind, type(error).__name__, exc_info=error)
    refused = Refusal("internal_error", "the server failed at this request; it is recorded")
    refused.recorded = True
    return refused
