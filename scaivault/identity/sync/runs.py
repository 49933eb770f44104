"""Runs over the directories: begun by somebody, and looked back upon."""

from __future__ import annotations

from typing import Final

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity.reach import holder
from scaivault.identity.sync import store
from scaivault.identity.sync.store import RUNNING, Run
from scaivault.ids import timed_id
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import partner_id
from scaivault.wire import sync as wire

Range = tuple[str | None, str | None]


class Sync:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy

    async def start(self, caller: Caller, request: wire.StartSync) -> wire.SyncStarted:
        """Read users and groups of all directories again, in the background: those of a tenant, of
        a partner, or everything that the caller sees."""
        partner, tenant = self._range(caller, request)

        def start(tx: Transaction) -> wire.SyncStarted:
            run = self._under_way(tx.connection, partner, tenant)
            if run is None:
                run = Run(
                    timed_id("sync_", tx.now), "manual", None, partner, tenant, RUNNING, tx.now
                )
                store.add_run(tx, run)
            tx.concern(tenant, partner)
            tx.note(sync_id=run.id)
            return wire.SyncStarted(run.id, run.status, instant(run.started_at))

        return await self.gate.change(caller, Act("identity_sync"), start)

    @staticmethod
    def _under_way(db: Connection, partner: str | None, tenant: str | None) -> Run | None:
        for run in store.running(db):
            if run.issuer is None and (run.partner_id, run.tenant_id) == (partner, tenant):
                return run
        return None

    def _range(self, caller: Caller, request: wire.StartSync) -> Range:
        """(partner, tenant) to go over; both None: everything."""
        principal = holder(caller)
        if request.tenant_id is not None:
            return self._of_tenant(principal, request)
        if request.partner_id is not None:
            return self._of_partner(principal, request.partner_id), None
        return _widest(principal)

    def _of_partner(self, principal: Principal, told: str) -> str:
        partner = partner_id(told)
        is_own = principal.partner_id == partner
        if partner not in self._tenancy.partners or not (is_own or SUPER_ADMIN in principal.roles):
            raise Refusal("partner_not_found", "there is no such partner", id=told[:64])
        if not principal.roles & {PARTNER_ADMIN, SUPER_ADMIN}:
            raise Refusal(
                "forbidden",
                "a whole partner takes the role partner_admin; name your tenant",
                required_role=PARTNER_ADMIN,
            )
        return partner

    def _of_tenant(self, principal: Principal, request: wire.StartSync) -> Range:
        tenant = request.tenant_id or ""
        known = self._tenancy.tenants.get(tenant)
        within = request.partner_id is None or (
            known is not None and known.partner_id == partner_id(request.partner_id)
        )
        gone = known is None or self._tenancy.is_gone(tenant)
        if known is None or gone or not within or not self._tenancy.sees(principal, tenant):
            raise Refusal("tenant_not_found", "there is no such tenant", tenant_id=tenant[:64])
        return known.partner_id, tenant

    async def history(self, caller: Caller, request: wire.ListSyncs) -> wire.SyncPage:
        """Runs, newest first: those over one's own tenant, or over what one's role reaches."""
        partner, tenant = _widest(holder(caller))
        size, skip = request.page_size, (request.page - 1) * request.page_size

        def question(db: Connection) -> wire.SyncPage:
            found, total = store.history(
                db, tenant, None if tenant is not None else partner, size, skip
            )
            return wire.SyncPage([_item(run) for run in found], total)

        async def look() -> wire.SyncPage:
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("identity_read"), look)


def _widest(principal: Principal) -> Range:
    """All that somebody sees: everything, a partner, or his tenant."""
    if SUPER_ADMIN in principal.roles:
        return None, None
    if PARTNER_ADMIN in principal.roles:
        return principal.partner_id, None
    return principal.partner_id, principal.tenant_id


def _item(run: Run) -> wire.SyncItem:
    return wire.SyncItem(
        sync_id=run.id,
        status=run.status,
        trigger=run.cause,
        partner_id=run.partner_id,
        tenant_id=run.tenant_id,
        started_at=instant(run.started_at),
        completed_at=instant_or_none(run.completed_at),
        created=run.created,
        updated=run.updated,
        suspended=run.suspended,
        skipped=list(run.skipped),
        error=None if run.error is None else wire.SyncError(*run.error),
    )
