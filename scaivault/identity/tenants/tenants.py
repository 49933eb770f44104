"""Tenants: who is seen by whom, and the keeping of local ones.

A tenant is deleted at once and can be brought back until its key is destroyed. The vault's first
tenant is not deleted: a lost root token is made anew in it, and the secrets that the configuration
names are its own. Nor is the one that all of the vault's ``super_admin`` belong to."""

from __future__ import annotations

from typing import Final

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import subjects
from scaivault.identity.reach import check_local, holder
from scaivault.identity.tenants.partners import (
    check_names,
    cut,
    deleted,
    is_wanted,
    no_partner,
    sent_fields,
)
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import ACTIVE, DELETED, Partner, Tenant, covers, partner_id
from scaivault.wire import tenancy as wire


class Tenants:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy

    async def page(self, caller: Caller, request: wire.ListTenants) -> wire.TenantPage:
        """The tenants that the caller sees: his own; ``partner_admin`` those of its partner,
        ``super_admin`` all."""

        async def look() -> wire.TenantPage:
            principal = holder(caller)
            partner = None if request.partner_id is None else partner_id(request.partner_id)
            if partner is not None and not self._tenancy.sees_partner(principal, partner):
                raise no_partner(partner)
            found = [
                tenant
                for tenant in self._tenancy.tenants.values()
                if self._tenancy.sees(principal, tenant.id)
                and partner in {None, tenant.partner_id}
                and is_wanted(tenant.status, request.status)
            ]
            return wire.TenantPage([_info(tenant) for tenant in cut(found, request)], len(found))

        return await self.gate.read(caller, Act("identity_read"), look)

    async def get(self, caller: Caller, request: wire.TenantId) -> wire.Tenant:
        """One tenant, a deleted one too."""
        act = Act("identity_read")

        async def look() -> wire.Tenant:
            tenant = self._tenancy.tenants.get(request.id)
            if tenant is None or not self._tenancy.sees(holder(caller), tenant.id):
                raise _no_tenant(request.id)
            self._tenancy.concern(caller, tenant.id)
            act.extra.update(object_type="tenant", object_id=tenant.id)
            return _info(tenant)

        return await self.gate.read(caller, act, look)

    async def create(self, caller: Caller, request: wire.NewTenant) -> wire.Tenant:
        """A tenant with a key of its own, in the caller's partner or in one that his role
        reaches."""
        principal = holder(caller, PARTNER_ADMIN)
        body = request.body
        check_names(body.name, body.slug, None)

        def create(tx: Transaction) -> wire.Tenant:
            wanted = principal.partner_id if body.partner_id is None else body.partner_id
            partner = self._partner_to_fill(tx.connection, principal, wanted)
            tenant = self._tenancy.found_tenant(tx, partner.id, body.name, body.slug)
            tx.concern(tenant.id, partner.id)
            tx.note(object_type="tenant", object_id=tenant.id)
            return _info(tenant)

        return await self.gate.change(caller, Act("identity_create"), create)

    async def change(self, caller: Caller, request: wire.ChangeTenant) -> wire.Tenant:
        """Another name or status. A suspended tenant's people and what belongs to it are refused
        from the next request on."""
        principal = holder(caller, PARTNER_ADMIN)
        sent = sent_fields(request.body)
        check_names(sent.get("name"), None, None)

        def change(tx: Transaction) -> wire.Tenant:
            tenant = self._to_change(tx, principal, request.id)
            if tenant.status == DELETED:
                self._check_return(tx.connection, tenant, sent.get("status"))
            tenant = tenant._replace(**sent, deleted_at=None)
            self._tenancy.keep_tenant(tx, tenant)
            tx.note(changed=list(sent))
            return _info(tenant)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.DeleteTenant) -> None:
        """End a tenant: nothing of it answers any more, and its tokens are revoked. Its key is
        destroyed 30 days later, unless it is brought back before."""
        principal = holder(caller, PARTNER_ADMIN)
        if request.confirm != request.id:
            raise faults({"confirm": "must be the id of the tenant that is to be deleted"})

        def delete(tx: Transaction) -> None:
            tenant = self._to_change(tx, principal, request.id)
            if tenant.status == DELETED:
                return  # its time runs since the first call
            self._check_end(tx, principal, tenant)
            self._tenancy.keep_tenant(tx, tenant._replace(status=DELETED, deleted_at=tx.now))

        await self.gate.change(caller, Act("identity_delete"), delete)

    # -- rules ---------------------------------------------------------------------------------

    def _to_change(self, tx: Transaction, principal: Principal, wanted: str) -> Tenant:
        """A local tenant that the caller's role reaches; the ledger names it."""
        tenant = self._tenancy.tenant(tx.connection, wanted)
        if tenant is None or not covers(principal, tenant):
            raise _no_tenant(wanted)
        tx.concern(tenant.id, tenant.partner_id)
        tx.note(object_type="tenant", object_id=tenant.id)
        check_local(tenant.issuer)
        return tenant

    def _partner_to_fill(self, db: Connection, principal: Principal, wanted: str) -> Partner:
        partner = self._tenancy.partner(db, wanted)
        if partner is None or not self._tenancy.sees_partner(principal, partner.id):
            raise no_partner(wanted)
        if partner.status != ACTIVE:
            raise Refusal(
                "invalid_state",
                "this partner is suspended or deleted; set its status to ACTIVE first",
                reason="partner_not_active",
            )
        return partner

    def _check_return(self, db: Connection, tenant: Tenant, status: str | None) -> None:
        """A deleted tenant comes back by its status alone, and not into a deleted partner."""
        if status != ACTIVE:
            raise deleted("tenant")
        partner = self._tenancy.partner(db, tenant.partner_id)
        if partner is None or partner.status == DELETED:
            raise Refusal(
                "invalid_state",
                "the partner of this tenant is deleted; bring the partner back first",
                reason="partner_deleted",
            )

    def _check_end(self, tx: Transaction, principal: Principal, tenant: Tenant) -> None:
        first = self._tenancy.first(tx.connection)
        if first is not None and tenant.id == first[0]:
            raise Refusal(
                "invalid_state",
                "this is the vault's first tenant, which a lost root token is made anew in;"
                " suspend it instead",
                reason="first_tenant",
            )
        homes = [home for home, _ in subjects.super_admins(tx)]
        if tenant.id in homes and SUPER_ADMIN not in principal.roles:
            raise Refusal(
                "forbidden", "a super_admin belongs to this tenant", required_role=SUPER_ADMIN
            )
        if set(homes) <= {tenant.id}:
            raise Refusal(
                "invalid_state",
                "every super_admin belongs to this tenant; make one elsewhere first",
                reason="last_super_admin",
            )


def _no_tenant(wanted: str) -> Refusal:
    return Refusal("tenant_not_found", "there is no such tenant", tenant_id=wanted[:64])


def _info(tenant: Tenant) -> wire.Tenant:
    return wire.Tenant(
        id=tenant.id,
        partner_id=tenant.partner_id,
        name=tenant.name,
        slug=tenant.slug,
        status=tenant.status,
        issuer=tenant.issuer,
        last_synced_at=instant_or_none(tenant.last_synced_at),
        created_at=instant(tenant.created_at),
    )
