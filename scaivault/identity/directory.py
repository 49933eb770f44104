"""Who somebody is, and which admin roles there are."""

from __future__ import annotations

from typing import Final

from scaivault.gate.caller import PARTNER_ADMIN, RANK, SUPER_ADMIN, TENANT_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.identity import groups_store, names
from scaivault.identity.model import ACTIVE
from scaivault.identity.reach import Reach, holder, not_found
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import groups as wire
from scaivault.wire import identity

_MEANING: Final = {
    TENANT_ADMIN: "every right in its own tenant",
    PARTNER_ADMIN: "every right in the tenants of its partner, and its partner's secrets",
    SUPER_ADMIN: "every right everywhere, and the vault itself",
}


class Directory:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)

    async def resolve(self, caller: Caller, request: wire.Resolve) -> wire.Resolved:
        """From any form of an id to all that is known of the identity."""
        act = Act("identity_read")

        async def look() -> wire.Resolved:
            found = await self.gate.ask(lambda db: self._resolved(db, caller, request))
            self._tenancy.concern(caller, found.tenant_id)
            act.extra.update(object_type=found.type, object_id=found.id)
            return found

        return await self.gate.read(caller, act, look)

    def _resolved(self, db: Connection, caller: Caller, request: wire.Resolve) -> wire.Resolved:
        wanted = request.identity_id
        if request.identity_type == names.SERVICE_ACCOUNT:
            account = self._reach.account(db, caller, _canonical(wanted))
            return wire.Resolved(
                account.id, names.SERVICE_ACCOUNT, account.identity_id, account.display_name,
                account.tenant_id, self._partner(account.tenant_id), account.status,
                list(groups_store.effective(db, account.tenant_id, account.identity_id)),
                list(account.roles), "local",
            )  # fmt: skip
        if request.identity_type == names.GROUP:
            group = self._reach.group(db, caller, _canonical(wanted))
            return wire.Resolved(
                group.id, names.GROUP, group.identity_id, group.display_name, group.tenant_id,
                self._partner(group.tenant_id), ACTIVE,
                list(groups_store.effective(db, group.tenant_id, group.identity_id)), [], "local",
            )  # fmt: skip
        raise not_found(wanted)

    def _partner(self, tenant_id: str) -> str:
        return self._tenancy.tenants[tenant_id].partner_id

    async def roles(self, caller: Caller, _request: identity.Nothing) -> wire.RoleList:
        """The admin roles, and which of them the caller could give to others."""
        principal = holder(caller)

        async def look() -> wire.RoleList:
            return wire.RoleList(
                [
                    wire.RoleItem(name, _MEANING[name], _grants(principal, name))
                    for name in sorted(RANK, key=RANK.__getitem__)
                ]
            )

        return await self.gate.read(caller, Act("identity_read"), look)


def _canonical(reference: str) -> str:
    named = names.canonical(reference)
    return reference if named is None else named[1]


def _grants(principal: Principal, role: str) -> bool:
    """Roles are given by partner_admin and above, super_admin only by its like."""
    least = SUPER_ADMIN if role == SUPER_ADMIN else PARTNER_ADMIN
    return principal.rank >= RANK[least]
