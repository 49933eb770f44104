"""Partners: who is seen by whom, and the keeping of local ones, which is ``super_admin``'s."""

from __future__ import annotations

from typing import Any, Final

from msgspec import UNSET

from scaivault.clock import instant, instant_or_none
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import SUPER_ADMIN, Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity.reach import check_local, holder
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import ACTIVE, DELETED, Partner, is_slug, partner_id
from scaivault.wire import tenancy as wire
from scaivault.wire.names import name_fault

_SLUG_FAULT: Final = "must be 2 to 40 of a-z 0-9 -"


class Partners:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy

    async def page(self, caller: Caller, request: wire.ListPartners) -> wire.PartnerPage:
        """The partners that the caller sees: his own; ``super_admin`` all."""

        async def look() -> wire.PartnerPage:
            principal = holder(caller)
            found = [
                partner
                for partner in self._tenancy.partners.values()
                if self._tenancy.sees_partner(principal, partner.id)
                and is_wanted(partner.status, request.status)
            ]
            return wire.PartnerPage([_info(partner) for partner in cut(found, request)], len(found))

        return await self.gate.read(caller, Act("identity_read"), look)

    async def get(self, caller: Caller, request: wire.PartnerId) -> wire.Partner:
        """One partner, a deleted one too."""
        act = Act("identity_read")

        async def look() -> wire.Partner:
            wanted = partner_id(request.id)
            partner = self._tenancy.partners.get(wanted)
            if partner is None or not self._tenancy.sees_partner(holder(caller), wanted):
                raise no_partner(request.id)
            caller.tenant_id, caller.partner_id = None, partner.id
            act.extra.update(object_type="partner", object_id=partner.id)
            return _info(partner)

        return await self.gate.read(caller, act, look)

    async def create(self, caller: Caller, request: wire.NewPartner) -> wire.Partner:
        """A partner with a master key of its own, and no tenant yet."""
        holder(caller, SUPER_ADMIN)
        body = request.body
        check_names(body.name, body.slug, body.region)

        def create(tx: Transaction) -> wire.Partner:
            partner = self._tenancy.found_partner(tx, body.name, body.slug, body.region)
            tx.concern(None, partner.id)
            tx.note(object_type="partner", object_id=partner.id)
            return _info(partner)

        return await self.gate.change(caller, Act("identity_create"), create)

    async def change(self, caller: Caller, request: wire.ChangePartner) -> wire.Partner:
        """Another name, region or status. A suspended partner's tenants are suspended with it, from
        the next request on."""
        holder(caller, SUPER_ADMIN)
        sent = sent_fields(request.body)
        check_names(sent.get("name"), None, sent.get("region"))

        def change(tx: Transaction) -> wire.Partner:
            partner = self._to_change(tx, request.id)
            if partner.status == DELETED and sent.get("status") != ACTIVE:
                raise deleted("partner")
            partner = partner._replace(**sent)
            self._tenancy.keep_partner(tx, partner)
            tx.note(changed=list(sent))
            return _info(partner)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.PartnerId) -> None:
        """End a partner that has no tenants any more. What belongs to it stays sealed under its
        key, and is there again if the partner is brought back."""
        holder(caller, SUPER_ADMIN)

        def delete(tx: Transaction) -> None:
            partner = self._to_change(tx, request.id)
            left = self._tenancy.tenants_left(tx.connection, partner.id)
            if left:
                raise Refusal(
                    "in_use",
                    "this partner has tenants; delete them first",
                    used_by={"tenants": left},
                )
            self._tenancy.keep_partner(tx, partner._replace(status=DELETED))

        await self.gate.change(caller, Act("identity_delete"), delete)

    def _to_change(self, tx: Transaction, wanted: str) -> Partner:
        """A local partner; the ledger names it."""
        partner = self._tenancy.partner(tx.connection, wanted)
        if partner is None:
            raise no_partner(wanted)
        tx.concern(None, partner.id)
        tx.note(object_type="partner", object_id=partner.id)
        check_local(partner.issuer)
        return partner


def no_partner(wanted: str) -> Refusal:
    """404 for a partner that is not there, or not the caller's to see."""
    return Refusal("partner_not_found", "there is no such partner", id=wanted[:64])


def deleted(what: str) -> Refusal:
    """409 for a change to what was deleted."""
    return Refusal(
        "invalid_state",
        f"this {what} is deleted; set its status to ACTIVE to bring it back",
        reason="deleted",
    )


def is_wanted(status: str, asked: str | None) -> bool:
    """Whether a list shows it: without a status asked for, all but the deleted."""
    return status != DELETED if asked is None else status == asked


def cut(found: list[Any], request: wire.ListPartners | wire.ListTenants) -> list[Any]:
    """One page of partners or tenants, by name."""
    skip = (request.page - 1) * request.page_size
    found.sort(key=lambda one: (one.name, one.id))
    return found[skip : skip + request.page_size]


def sent_fields(body: wire.PartnerPatch | wire.TenantPatch) -> dict[str, Any]:
    """The fields of a change that are there."""
    each = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in each if value is not UNSET}


def check_names(name: str | None, slug: str | None, region: str | None) -> None:
    """422 for what is no name, slug or region; those that are None are left out."""
    found = {}
    for field, text in (("name", name), ("region", region)):
        fault = None if text is None else name_fault(text)
        if fault is not None:
            found[field] = fault
    if slug is not None and not is_slug(slug):
        found["slug"] = _SLUG_FAULT
    if found:
        raise faults(found)


def _info(partner: Partner) -> wire.Partner:
    return wire.Partner(
        id=partner.id,
        name=partner.name,
        slug=partner.slug,
        region=partner.region,
        status=partner.status,
        last_synced_at=instant_or_none(partner.last_synced_at),
        issuer=partner.issuer,
        created_at=instant(partner.created_at),
    )
