"""The end of tenants that were deleted: 30 days later their keys are destroyed, and what was sealed
under them can be opened by nobody any more; then its rows go, some hundred at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import store
from scaivault.tenancy.model import DELETED, SECOND_THOUGHT, Tenant
from scaivault.tenancy.room import Tenancy

STEP: Final = 200  # things per transaction


class Leftover(NamedTuple):
    """What a room keeps of a tenant that goes with its key. ``any``: whether there is some;
    ``drop``: take away up to so many; how many that was, none when all are gone."""

    any: Callable[[Connection, str], bool]
    drop: Callable[[Transaction, str, int], int]


class Ending:
    """One per open vault."""

    def __init__(
        self, gate: Gate, keyring: Keyring, tenancy: Tenancy, leftovers: Sequence[Leftover]
    ) -> None:
        self._gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._leftovers: Final = leftovers

    async def run(self, caller: Caller, stop: Callable[[], bool]) -> int:
        """Destroy the keys that are due, and go on with what was sealed under such; how many keys
        and things that were."""
        done = 0
        for tenant in [one for one in self._tenancy.tenants.values() if _is_over(one, caller.now)]:
            if self._keyring.versions(tenant.id) and not stop():
                done += await self._destroy(caller, tenant)
            for leftover in self._leftovers:
                while not stop() and (more := await self._drop(caller, tenant, leftover)):
                    done += more
        return done

    async def _destroy(self, caller: Caller, tenant: Tenant) -> int:
        def destroy(tx: Transaction) -> int:
            tx.concern(tenant.id, tenant.partner_id)
            tx.note(object_type="tenant_key", object_id=tenant.id)
            now = self._tenancy.tenant(tx.connection, tenant.id)
            if now is None or not _is_over(now, tx.now):
                tx.fail("invalid_state")  # it was brought back meanwhile
                return 0
            count = store.drop_keys(tx, tenant.id)
            self._take_out(tx, tenant)
            return count

        return await self._gate.change(caller, Act("identity_delete"), destroy)

    def _take_out(self, tx: Transaction, tenant: Tenant) -> None:
        """Out of the ring at once, not only behind the commit: a new key of the partner would wrap
        this one again, and write it down."""
        boxes = [
            one for one in self._keyring.tenant_boxes(tenant.partner_id) if one[0] == tenant.id
        ]

        def put_back() -> None:
            for _, version, parent, box in boxes:
                self._keyring.admit_tenant(tenant.id, tenant.partner_id, version, parent, box)

        tx.otherwise(put_back)
        for _, version, _, _ in boxes:
            self._keyring.destroy(tenant.id, version)

    async def _drop(self, caller: Caller, tenant: Tenant, leftover: Leftover) -> int:
        if self._keyring.versions(tenant.id):
            return 0
        if not await self._gate.ask(lambda db: leftover.any(db, tenant.id)):
            return 0
        act = Act("delete")
        act.extra.update(permanent=True, purge=True)

        def drop(tx: Transaction) -> int:
            tx.concern(tenant.id, tenant.partner_id)
            return leftover.drop(tx, tenant.id, STEP)

        return await self._gate.change(caller, act, drop)


def _is_over(tenant: Tenant, now: int) -> bool:
    """Whether nobody can bring it back any more."""
    since = tenant.deleted_at
    return tenant.status == DELETED and since is not None and since + SECOND_THOUGHT <= now
