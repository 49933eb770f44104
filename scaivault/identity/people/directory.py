"""Who an id stands for, and which roles there are."""

from __future__ import annotations

from typing import Final

from scaivault.errors import faults
from scaivault.gate.caller import PARTNER_ADMIN, RANK, SUPER_ADMIN, TENANT_ADMIN, Caller
from scaivault.gate.gate import Act, Gate
from scaivault.identity import model, names
from scaivault.identity.reach import Reach, holder
from scaivault.identity.store import groups as groups_store
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import groups as wire
from scaivault.wire.identity import Nothing

_TYPES: Final = (names.USER, names.SERVICE_ACCOUNT, names.GROUP)
_DESCRIPTIONS: Final = {
    TENANT_ADMIN: "Does everything to all secrets of its own tenant, and keeps its identities.",
    PARTNER_ADMIN: "The same in every tenant of its partner; keeps the tenants, roles below"
    " super_admin, and what belongs to the partner.",
    SUPER_ADMIN: "The same everywhere; keeps the partners and the vault itself.",
}


class Directory:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)

    async def resolve(self, caller: Caller, request: wire.Resolve) -> wire.Resolved:
        """Who an id of the given type stands for."""
        if request.identity_type not in _TYPES:
            raise faults({"identity_type": f"must be one of: {', '.join(_TYPES)}"})
        act = Act("identity_read")

        def question(db: Connection) -> wire.Resolved:
            if request.identity_type == names.GROUP:
                return self._group(db, caller, request.identity_id)
            return self._subject(db, caller, request.identity_type, request.identity_id)

        async def look() -> wire.Resolved:
            found = await self.gate.ask(question)
            self._tenancy.concern(caller, found.tenant_id)
            act.extra.update(object_type=found.type, object_id=found.id)
            return found

        return await self.gate.read(caller, act, look)

    def _subject(self, db: Connection, caller: Caller, kind: str, wanted: str) -> wire.Resolved:
        who = self._reach.subject(db, caller, kind, wanted)
        return wire.Resolved(
            id=who.id,
            type=kind,
            identity_id=who.identity_id,
            display_name=who.display_name,
            tenant_id=who.tenant_id,
            partner_id=self._tenancy.tenants[who.tenant_id].partner_id,
            status=who.status,
            groups=list(groups_store.effective(db, who.tenant_id, who.identity_id)),
            roles=list(who.roles),
            issuer=who.issuer,
        )

    def _group(self, db: Connection, caller: Caller, wanted: str) -> wire.Resolved:
        group = self._reach.group(db, caller, wanted)
        return wire.Resolved(
            id=group.id,
            type=names.GROUP,
            identity_id=group.identity_id,
            display_name=group.display_name,
            tenant_id=group.tenant_id,
            partner_id=self._tenancy.tenants[group.tenant_id].partner_id,
            status=model.ACTIVE,
            groups=list(groups_store.effective(db, group.tenant_id, group.identity_id)),
            roles=[],
            issuer=group.issuer,
        )

    async def roles(self, caller: Caller, _request: Nothing) -> wire.RoleList:
        """All admin roles, from the lowest, and which of them the caller could give."""
        principal = holder(caller)
        administers = not principal.scopes.isdisjoint(("identity:admin", "admin"))
        gives = administers and principal.rank >= RANK[PARTNER_ADMIN]

        async def look() -> wire.RoleList:
            return wire.RoleList(
                [
                    wire.RoleItem(
                        name=role,
                        description=_DESCRIPTIONS[role],
                        grantable=gives and (role != SUPER_ADMIN or role in principal.roles),
                    )
                    for role in RANK
                ]
            )

        return await self.gate.read(caller, Act("identity_read"), look)
