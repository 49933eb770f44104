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
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from scaivault.clock import MINUTE, Clock
from scaivault.crypto.aead import Damaged
from scaivault.crypto.memory import Wiped
from scaivault.errors import Refusal
from scaivault.gate import once
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.ledger import LedgerUnit, Record, record, records
from scaivault.gate.outbox import Outbox
from scaivault.gate.rules import (
    BY_POLICY,
    Compiled,
    Context,
    Decision,
    decide,
    deciding,
    outside_token,
    reaches,
    refusal,
)
from scaivault.gate.sight import Sight, in_sight
from scaivault.gate.transaction import Transaction
from scaivault.gate.units import Changing, Reading
from scaivault.seal.envelope import Envelope
from scaivault.storage.database import Database
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection

T = TypeVar("T")

log = logging.getLogger("scaivault.gate")

NO_RULES: Final = Compiled(())
# What is done to secrets gives nobody a right that outlasts the request.
_OF_SECRETS: Final = frozenset(("write", "delete", "restore", "rotate"))


def _nothing() -> None:
    """A glance that sees nothing."""


class Act(msgspec.Struct, eq=False):
    """What a request is about to do: the ledger action, the permission it takes on the path, and
    what the ledger row will say besides. ``refused``: why it was not done, once that is known.
    ``records_refusal``: whether a change that is refused has a row of this action; a login that
    fails is another one, which is the endpoint's to record. ``work``: of a change that is over
    soon, how long it takes (``Unit.work``)."""

    action: str
    permission: str | None = None
    path: str | None = None
    extra: dict[str, object] = {}
    after: list[Callable[[], None]] = []
    refused: Refusal | None = None
    records_refusal: bool = True
    work: int | None = None


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
        # Raises a refusal when the principal may less by now; in the writer.
        self.check_still: Callable[[Connection, Principal], None] = lambda _db, _principal: None
        self._told: dict[tuple[str | None, ...], list[int]] = {}

    # -- decide --------------------------------------------------------------------------------

    def decide(self, caller: Caller, permission: str, path: str) -> Decision:
        """May ``caller`` do ``permission`` to ``path``? The only place that answers."""
        return decide(**self._case(caller), permission=permission, path=path)

    def sight(self, caller: Caller, permission: str) -> Sight:
        """Where the decision is yes; for lists, which ask ``allows`` about each path that they
        tell. For this request only, and in any thread."""
        case = self._case(caller)
        decision = deciding(**case, permission=permission)

        def allowed(path: str) -> bool:
            return decision(path).allowed

        demands = [frozenset(narrowed) for narrowed in case["allowed_paths"]]
        if not caller.by_role:
            demands.append(case["rules"].granting(permission, case["context"]))
        return in_sight(demands, allowed)

    def _case(self, caller: Caller) -> dict[str, Any]:
        """What a decision is made of, besides permission and path."""
        principal = caller.principal
        if principal is None:
            raise Refusal("authentication_required", "this call needs a token")
        return {
            "allowed_paths": principal.allowed_paths,
            "covered_by_role": caller.by_role,
            "rules": NO_RULES if caller.by_role else self.rules_of(caller),
            "context": Context(caller.source_ip, principal.mfa_verified_at, caller.now),
        }

    def permit(self, caller: Caller, permission: str, path: str) -> None:
        """Raise the refusal that the decision names, if it is one."""
        decision = self.decide(caller, permission, path)
        if not decision.allowed:
            raise refusal(decision, permission, path)

    def reach(self, caller: Caller, path: str, **details: str) -> None:
        """For requests that name a path and take no permission on it: ``access_denied`` where the
        caller's token is narrowed to other paths."""
        principal = caller.principal
        if principal is not None and not reaches(principal.allowed_paths, path):
            raise outside_token(path, **details)

    # -- read ----------------------------------------------------------------------------------

    async def read(
        self,
        caller: Caller,
        act: Act,
        look: Callable[[], Awaitable[T]],
        glance: Callable[[], T | None] = _nothing,
    ) -> T:
        """What ``look`` saw, once the ledger says that it was seen. ``glance`` sees the same where
        that takes no waiting, and else None."""
        try:
            if act.permission is not None and act.path is not None:
                self.permit(caller, act.permission, act.path)
            seen = glance()
            if seen is None:
                seen = await look()
        except Exception as error:  # noqa: BLE001 - told there
            await self._unseen(caller, act, error)
        await self._submit(Reading(caller.started, [_row(caller, act)], act.after))
        return seen

    async def read_many(
        self,
        caller: Caller,
        acts: list[Act],
        look: Callable[[], Awaitable[T]],
        *,
        fail_fast: bool = False,
        told: list[Act] | None = None,
    ) -> T:
        """What ``look`` saw of several things, each decided by itself, once the ledger has a row
        for each act (or for each of ``told``, which stand for all of them).

        Refusals stand in ``Act.refused``: those of the decision before ``look`` runs, others are
        its own to set. With ``fail_fast`` the first act that is refused ends the request, and has
        the only row."""
        self._weigh(caller, acts)
        try:
            seen = await look()
        except Exception as error:  # noqa: BLE001 - told there
            whole = told[0] if told else Act(acts[0].action)
            await self._unseen(caller, whole, error)
        first = next((act for act in acts if act.refused is not None), None)
        if fail_fast and first is not None and first.refused is not None:
            await self.refuse(caller, first, first.refused)
            raise first.refused
        rows = _rows(caller, told or acts)
        await self._submit(self._unit(caller, acts, rows))
        return seen

    def _weigh(self, caller: Caller, acts: list[Act]) -> None:
        """The decisions, as marks."""
        case = self._case(caller)
        decisions = {
            permission: deciding(**case, permission=permission)
            for permission in {act.permission for act in acts}
            if permission is not None
        }
        for act in acts:
            permission, path = act.permission, act.path
            if permission is not None and path is not None and act.refused is None:
                decision = decisions[permission](path)
                if not decision.allowed:
                    act.refused = refusal(decision, permission, path)

    async def _unseen(self, caller: Caller, act: Act, error: Exception) -> NoReturn:
        """What to tell instead of what was seen; a refusal is ledgered."""
        if isinstance(error, StorageFailed):
            raise unavailable(error) from error
        if isinstance(error, Wiped):
            raise error  # sealed meanwhile: there is no ledger any more
        refused = error if isinstance(error, Refusal) else _defect(error)
        await self.refuse(caller, act, refused)
        raise refused

    async def ask(
        self,
        question: Callable[[Connection], T],
        glance: Callable[[Connection], T] | None = None,
    ) -> T:
        """Rows for a ``look``, as ``Database.read`` has them; discloses nothing by itself."""
        return await self.database.read(question, glance)

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
        if act.action not in _OF_SECRETS:
            function = self._by_who_still_may(caller, function)
        try:
            unit = Changing(self, caller, [entry], function, caller.once)
            unit.records_refusal = act.records_refusal
            unit.work = act.work
            result: T = await self._submit(unit)
        except Refusal as refused:
            refused.recorded = refused.recorded or act.records_refusal
            raise
        return result

    def _by_who_still_may(
        self, caller: Caller, function: Callable[[Transaction], T]
    ) -> Callable[[Transaction], T]:
        """``function``, for a caller whose rights did not end while this waited for its turn: what
        a revocation has not seen, it could not end."""
        principal = caller.principal
        if principal is None or not principal.token_id:  # a login, or the vault itself
            return function

        def checked(tx: Transaction) -> T:
            self.check_still(tx.connection, principal)
            return function(tx)

        return checked

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
            await self._submit(Reading(caller.started, [entry], []))
        return found

    async def chain(
        self, caller: Caller, records: list[Record], function: Callable[[Transaction], None]
    ) -> None:
        """Rows that were taken down elsewhere, into the ledger, together with a change."""
        await self._submit(Changing(self, caller, records, function))

    # -- refuse --------------------------------------------------------------------------------

    async def refuse(self, caller: Caller, act: Act, refused: Refusal) -> None:
        """Ledger a refusal; afterwards the caller may be told."""
        act.refused = refused
        act.after.clear()
        await self._submit(self._unit(caller, [act], [_row(caller, act)]))
        refused.recorded = True

    def _unit(self, caller: Caller, acts: list[Act], rows: list[Record]) -> LedgerUnit:
        """``rows`` of ``acts``, with the event of each refusal by policy."""
        after = [function for act in acts for function in act.after]
        told = [
            self._violation(caller, act, refused)
            for act in acts
            if (refused := _by_policy(act)) is not None
        ]
        if not told:
            return Reading(caller.started, rows, after)

        def announce(tx: Transaction) -> None:
            for tell in told:
                tell(tx)
            for function in after:
                tx.then(function)

        return Changing(self, caller, rows, announce)

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


def _by_policy(act: Act) -> Refusal | None:
    """The act's refusal, if it comes from the decision."""
    refused = act.refused
    if refused is None or refused.code not in BY_POLICY or act.permission is None:
        return None
    return refused


def _row(caller: Caller, act: Act) -> Record:
    """The ledger row of an act that was done, or refused."""
    entry = record(caller, act.action, act.path, caller.now)
    entry.extra_data = _extra(caller, act)
    entry.success = act.refused is None
    return entry


def _rows(caller: Caller, acts: list[Act]) -> list[Record]:
    """``_row`` of each; they share what their acts share."""
    about = [(act.action, act.path, _extra(caller, act), act.refused is None) for act in acts]
    return records(caller, caller.now, about)


def _extra(caller: Caller, act: Act) -> dict[str, object]:
    """What a row says besides."""
    refused = act.refused
    if refused is None and not caller.notes:
        return act.extra
    extra = {**caller.notes, **act.extra}
    if refused is not None:
        extra["error_code"] = refused.code
        if _by_policy(act) is not None:
            extra["permission"] = act.permission
            for name in ("policy_id", "failed_condition"):
                if name in refused.details:
                    extra[name] = refused.details[name]
    return extra


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
