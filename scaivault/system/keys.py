"""Rotation of tenant and partner keys.

A new version wraps from the moment it is committed; a job then wraps the data keys of what is
stored anew, some hundred at a time, and destroys the old version when none is left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final

from msgspec import UNSET

from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.sealed import Progress, SealedTable
from scaivault.gate.transaction import Transaction
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.tenancy.keys import admit_tenant_key, keep_key, keep_partner_key
from scaivault.tenancy.model import DELETED
from scaivault.wire import system as wire

STEP: Final = 500  # data keys per transaction


class Keys:
    """One per open vault. ``tables``: all whose rows are sealed under a tenant's or a partner's
    key."""

    def __init__(
        self, gate: Gate, keyring: Keyring, tenancy: Tenancy, tables: Sequence[SealedTable]
    ) -> None:
        self._gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self.tables: Final = tables

    # -- verbs ---------------------------------------------------------------------------------

    async def rotate_tenant(self, caller: Caller, request: wire.OwnerId) -> wire.KeyRotation:
        """A new key for a tenant."""
        partner_id = self._partner_of(caller, request.id)

        def rotate(tx: Transaction) -> wire.KeyRotation:
            self._check_there(tx.connection, request.id)
            version = self._keyring.versions(request.id)[-1] + 1
            with Guarded.random() as key:
                parent, box = self._keyring.wrap_tenant(partner_id, request.id, version, key)
            keep_key(tx, "tenant", request.id, version, parent, box)
            admit_tenant_key(tx, self._keyring, request.id, partner_id, version, parent, box)
            tx.concern(request.id, partner_id)
            tx.note(key_version=version)
            return self._shown(tx.connection, request.id)

        return await self._gate.change(caller, Act("key_rotate"), rotate)

    async def rotate_partner(self, caller: Caller, request: wire.OwnerId) -> wire.KeyRotation:
        """A new master key for a partner; the keys of its tenants are wrapped anew at once."""
        self._check_partner(caller, request.id)

        def rotate(tx: Transaction) -> wire.KeyRotation:
            version = self._keyring.versions(request.id)[-1] + 1
            keep_partner_key(tx, self._keyring, request.id, version, Guarded.random())
            before = self._keyring.tenant_boxes(request.id)
            tx.otherwise(lambda: self._put_back(request.id, before))
            for tenant, number, parent, wrapped in self._keyring.rewrap_tenants(request.id):
                keep_key(tx, "tenant", tenant, number, parent, wrapped)
                self._keyring.admit_tenant(tenant, request.id, number, parent, wrapped)
            tx.concern(None, request.id)
            tx.note(key_version=version)
            return self._shown(tx.connection, request.id)

        return await self._gate.change(caller, Act("key_rotate"), rotate)

    def _put_back(self, partner_id: str, boxes: list[tuple[str, int, int, bytes]]) -> None:
        for tenant, number, parent, box in boxes:
            self._keyring.admit_tenant(tenant, partner_id, number, parent, box)

    async def tenant_progress(self, caller: Caller, request: wire.OwnerId) -> wire.KeyRotation:
        """How far the last rotation of a tenant's key has come."""
        self._partner_of(caller, request.id)

        def question(db: Connection) -> wire.KeyRotation:
            self._check_there(db, request.id)
            return self._shown(db, request.id)

        async def look() -> wire.KeyRotation:
            return await self._gate.ask(question)

        return await self._gate.read(caller, Act("system_read"), look)

    async def partner_progress(self, caller: Caller, request: wire.OwnerId) -> wire.KeyRotation:
        """How far the last rotation of a partner's key has come."""
        self._check_partner(caller, request.id)

        async def look() -> wire.KeyRotation:
            return await self._gate.ask(lambda db: self._shown(db, request.id))

        return await self._gate.read(caller, Act("system_read"), look)

    def _shown(self, db: Connection, owner: str) -> wire.KeyRotation:
        *older, version = self._keyring.versions(owner)
        count = self._progress(db, owner, version)
        return wire.KeyRotation(
            tenant_id=owner if owner.startswith("tnt_") else UNSET,
            partner_id=owner if owner.startswith("ptn_") else UNSET,
            key_version=version,
            previous_version=version - 1 or None,
            status="rewrapping" if older else "done",
            deks_total=count.total,
            deks_remaining=count.remaining,
        )

    def _progress(self, db: Connection, owner: str, newest: int) -> Progress:
        each = [table.progress(db, owner, newest) for table in self.tables]
        return Progress(sum(one.total for one in each), sum(one.remaining for one in each))

    def _partner_of(self, caller: Caller, tenant_id: str) -> str:
        tenant = self._tenancy.tenants.get(tenant_id)
        principal = caller.principal
        reaches = principal is not None and (
            SUPER_ADMIN in principal.roles
            or (tenant is not None and _administers(caller, tenant.partner_id))
        )
        if tenant is None or not reaches:
            raise Refusal("tenant_not_found", "there is no such tenant", tenant_id=tenant_id[:64])
        return tenant.partner_id

    def _check_there(self, db: Connection, tenant_id: str) -> None:
        """``invalid_state`` for a tenant that was deleted: its key is about to be destroyed, or
        is."""
        tenant = self._tenancy.tenant(db, tenant_id)
        if tenant is None or tenant.status == DELETED:
            raise Refusal("invalid_state", "this tenant is deleted", reason="deleted")

    def _check_partner(self, caller: Caller, partner_id: str) -> None:
        principal = caller.principal
        reaches = principal is not None and (
            SUPER_ADMIN in principal.roles or _administers(caller, partner_id)
        )
        if partner_id not in self._tenancy.partners or not reaches:
            raise Refusal("partner_not_found", "there is no such partner", id=partner_id[:64])

    # -- the job -------------------------------------------------------------------------------

    async def rewrap(self, caller: Caller, stop: Callable[[], bool]) -> int:
        """Go on with every rotation that is not done, until ``stop``; how many data keys were
        wrapped anew."""
        done = 0
        for owner in (*self._tenancy.tenants, *self._tenancy.partners):
            while len(versions := self._keyring.versions(owner)) > 1 and not stop():
                moved = await self._rewrap_some(caller, owner, versions[-1])
                done += moved
                if not moved:
                    await self._destroy_old(caller, owner, versions[-1])
        return done

    async def _rewrap_some(self, caller: Caller, owner: str, newest: int) -> int:
        for table in self.tables:
            old = partial(table.old, owner=owner, newest=newest, most=STEP)
            rows = await self._gate.ask(old)
            if rows:
                return await self._rewrap_rows(caller, owner, newest, table, rows)
        return 0

    async def _rewrap_rows(
        self, caller: Caller, owner: str, newest: int, table: SealedTable, rows: Sequence[Any]
    ) -> int:
        def rewrap(tx: Transaction) -> int:
            for row in rows:
                table.rewrap(tx, owner, row)
            tx.concern(*self._tenancy.places(owner))
            tx.note(key_version=newest, rewrapped=len(rows))
            return len(rows)

        return await self._gate.change(caller, Act("key_rotate"), rewrap)

    async def _destroy_old(self, caller: Caller, owner: str, newest: int) -> None:
        kind = "tenant" if owner.startswith("tnt_") else "partner"

        def destroy(tx: Transaction) -> None:
            if self._progress(tx.connection, owner, newest).remaining:
                return
            tx.execute(
                "DELETE FROM wrapped_key WHERE kind = :kind AND owner_id = :owner"
                " AND version < :newest",
                {"kind": kind, "owner": owner, "newest": newest},
            )
            tx.concern(*self._tenancy.places(owner))
            tx.note(key_version=newest, destroyed=True)
            tx.then(lambda: self._forget(owner, newest))

        await self._gate.change(caller, Act("key_rotate"), destroy)

    def _forget(self, owner: str, newest: int) -> None:
        for number in self._keyring.versions(owner):
            if number < newest:
                self._keyring.destroy(owner, number)


def _administers(caller: Caller, partner_id: str) -> bool:
    principal = caller.principal
    return (
        principal is not None
        and PARTNER_ADMIN in principal.roles
        and principal.partner_id == partner_id
    )
