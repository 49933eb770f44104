"""Runs over the directories: those that were asked for, and those that are due."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any, Final, TypeVar

from scaivault.clock import MINUTE, SECOND
from scaivault.config.identity import Issuer
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import LOCAL
from scaivault.identity.sync import scim, store
from scaivault.identity.sync.facts import Counters, Origin
from scaivault.identity.sync.groups import Groups
from scaivault.identity.sync.people import People
from scaivault.identity.sync.resources import Listed, listed
from scaivault.identity.sync.scim import SyncFailed
from scaivault.identity.sync.store import RUNNING, Run
from scaivault.identity.sync.taking_over import Absent, Step, TakingOver, absent
from scaivault.ids import timed_id
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy

log = logging.getLogger("scaivault.identity.sync")

_T = TypeVar("_T")

_PURPOSE: Final = "identity_sync"
_LOOK: Final = 0.2  # seconds between two looks whether the vault closes
_FEW: Final = 10
_SHARE: Final = 5  # a fifth: 20 %

# (caller, path, purpose) -> the plaintext JSON of a secret, read through the gate.
Lend = Callable[[Caller, str, str], Awaitable[bytes]]


class SyncRun:
    """One per open vault. ``lend``: reads the directories' credentials, which are secrets of the
    vault's first tenant; ``closing``: whether to stop."""

    def __init__(
        self,
        gate: Gate,
        tenancy: Tenancy,
        authentication: Authentication,
        people: People,
        groups: Groups,
        issuers: tuple[Issuer, ...],
        *,
        lend: Lend,
        closing: Callable[[], bool],
    ) -> None:
        self._gate: Final = gate
        self._tenancy: Final = tenancy
        self._authentication: Final = authentication
        self._people: Final = people
        self._groups: Final = groups
        self._issuers: Final = issuers
        self._lend: Final = lend
        self._closing: Final = closing
        self._begun: dict[str, int] = {}

    # -- which ---------------------------------------------------------------------------------

    async def run(self, caller: Caller) -> int:
        """All that was asked for and all that is due; how many runs."""
        done = 0
        for run in await self._gate.ask(store.running):
            done += await self._one(caller, run)
        for issuer in self._issuers:
            if issuer.sync is not None and await self._is_due(issuer, caller.now):
                done += await self._one(caller, await self._scheduled(caller, issuer))
        return done

    async def recover(self, caller: Caller) -> None:
        """For when the vault opens: runs that were cut off by its end have failed."""
        for run in await self._gate.ask(store.running):
            await self._end(caller, run, Counters(), _cut())

    async def _is_due(self, issuer: Issuer, now: int) -> bool:
        """By its interval; a directory that was never read is left alone for a minute."""
        if issuer.sync is None or self._closing():
            return False
        interval = issuer.sync.interval * SECOND
        if issuer.name not in self._begun:
            last = await self._gate.ask(lambda db: store.last_start(db, issuer.name))
            self._begun[issuer.name] = last or now - interval + min(interval, MINUTE)
        return now - self._begun[issuer.name] >= interval

    async def _scheduled(self, caller: Caller, issuer: Issuer) -> Run:
        tenant = issuer.tenant if issuer.tenant in self._tenancy.tenants else None
        _, partner = self._tenancy.places(tenant) if tenant is not None else (None, None)

        def begin(tx: Transaction) -> Run:
            run = Run(
                timed_id("sync_", tx.now), "scheduled", issuer.name, partner, tenant, RUNNING,
                tx.now,
            )  # fmt: skip
            store.add_run(tx, run)
            tx.note(sync_id=run.id)
            return run

        own = self._own(caller, tenant, partner)
        run = await self._gate.change(own, Act("identity_sync"), begin)
        self._begun[issuer.name] = run.started_at
        return run

    # -- one run -------------------------------------------------------------------------------

    async def _one(self, caller: Caller, run: Run) -> int:
        done, error = Counters(), None
        for issuer in self._of(run):
            if run.tenant_id is None and run.partner_id is None:
                self._begun[issuer.name] = run.started_at
            try:
                if self._closing():
                    raise _cut()
                done += await self._directory(caller, run, issuer)
            except SyncFailed as failed:
                log.warning("sync with %s: %s: %s", issuer.name, failed.code, failed)
                error = error or failed
            except Exception as defect:
                if self._closing() or isinstance(defect, StorageFailed):
                    raise  # what can be written down is, when the vault opens again
                log.error("sync %s: %s", run.id, type(defect).__name__, exc_info=defect)
                error = error or SyncFailed("internal_error", "a defect; see the log")
        await self._end(caller, run, done, error)
        return 1

    def _of(self, run: Run) -> list[Issuer]:
        """The issuers that a run is about."""
        return [
            issuer
            for issuer in self._issuers
            if issuer.sync is not None
            and run.issuer in {None, issuer.name}
            and (issuer.tenant is None or self._is_wanted(run, issuer.tenant))
        ]

    def _is_wanted(self, run: Run, tenant_id: str) -> bool:
        """Whether a tenant is there, and in the run's range."""
        tenant = self._tenancy.tenants.get(tenant_id)
        if tenant is None or self._tenancy.is_gone(tenant_id):
            return False
        return run.tenant_id in {None, tenant_id} and run.partner_id in {None, tenant.partner_id}

    async def _end(
        self, caller: Caller, run: Run, done: Counters, error: SyncFailed | None
    ) -> None:
        about = {issuer.name for issuer in self._of(run)}
        skipped = [LOCAL, *(one.name for one in self._issuers if one.name not in about)]

        def end(tx: Transaction) -> None:
            told = None if error is None else (error.code, str(error))
            store.end_run(tx, run.id, done, skipped, told)
            tx.note(sync_id=run.id, **done._asdict())
            if error is not None:
                tx.fail(error.code)

        own = self._own(caller, run.tenant_id, run.partner_id)
        await self._gate.change(own, Act("identity_sync"), end)

    # -- one directory -------------------------------------------------------------------------

    async def _directory(self, caller: Caller, run: Run, issuer: Issuer) -> Counters:
        as_of = self._gate.clock.now()
        places = await self._fetched(caller, run, issuer)
        origins = {tenant: Origin(issuer.name, tenant, as_of) for tenant in places}
        gone = {
            tenant: await self._gate.ask(partial(absent, origin=origins[tenant], listed=place))
            for tenant, place in places.items()
        }
        _check_mass(list(gone.values()))
        done = Counters()
        for tenant in sorted(places):
            taking = await asyncio.to_thread(
                TakingOver, self._people, self._groups, origins[tenant], places[tenant],
                gone[tenant],
            )  # fmt: skip
            own = self._own(caller, *self._tenancy.places(tenant))
            for step in taking.steps():
                if self._closing():
                    raise _cut()
                done += await self._step(own, step)
        return done

    async def _fetched(self, caller: Caller, run: Run, issuer: Issuer) -> dict[str, Listed]:
        """What the directory has, by tenant; also of tenants where it has nothing any more."""
        credentials = await self._credentials(caller, issuer)
        users, groups = await self._unless_closing(scim.fetch(issuer, credentials))
        there = [one for one in self._tenancy.tenants if not self._tenancy.is_gone(one)]
        only = there[0] if len(there) == 1 else None

        def is_wanted(tenant: str) -> bool:
            return self._is_wanted(run, tenant)

        places = listed(issuer, only, users, groups, is_wanted)
        if (users or groups) and not places and run.tenant_id is None and run.partner_id is None:
            raise SyncFailed("no_tenant", "nothing in the directory names a tenant of this vault")
        before = await self._gate.ask(lambda db: store.tenants_of(db, issuer.name))
        for tenant in filter(is_wanted, before):
            places.setdefault(tenant, Listed({}, {}))
        return places

    async def _unless_closing(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Its result; a vault that closes does not wait for a slow directory."""
        task = asyncio.create_task(work)
        try:
            while not task.done():
                await asyncio.wait((task,), timeout=_LOOK)
                if self._closing():
                    raise _cut()
            return task.result()
        finally:
            task.cancel()

    async def _credentials(self, caller: Caller, issuer: Issuer) -> str:
        home = await self._gate.ask(_home)
        if issuer.sync is None or home is None:
            raise SyncFailed("not_configured", "the issuer has no sync")
        own = self._own(caller, *home)
        try:
            secret = await self._lend(own, issuer.sync.credentials_path, _PURPOSE)
        except Refusal as refused:
            message = f"the credentials cannot be read: {refused.code}"
            raise SyncFailed("credentials", message) from None
        return scim.authorization(secret)

    async def _step(self, own: Caller, step: Step) -> Counters:
        def change(tx: Transaction) -> Counters:
            tx.then(self._authentication.forget)
            return step(tx)

        return await self._gate.change(own, Act("identity_update"), change)

    def _own(self, caller: Caller, tenant_id: str | None, partner_id: str | None) -> Caller:
        """The job's caller, about a tenant."""
        clock = self._gate.clock
        return replace(
            caller, tenant_id=tenant_id, partner_id=partner_id, started=clock.monotonic(),
            now=clock.now(), notes={},
        )  # fmt: skip


def _home(db: Connection) -> tuple[str, str] | None:
    return Tenancy.first(db)


def _cut() -> SyncFailed:
    return SyncFailed("interrupted", "the vault was closed in the middle of the run")


def _check_mass(gone: list[Absent]) -> None:
    """A directory that is empty by accident must not lock everybody out."""
    active = sum(one.active for one in gone)
    ends = sum(len(one.suspended) for one in gone)
    if active > _FEW and ends * _SHARE > active:
        raise SyncFailed(
            "mass_change", f"{ends} of {active} active users would be suspended; nothing was done"
        )
