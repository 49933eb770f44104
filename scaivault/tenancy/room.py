"""Partners, tenants, and on whose behalf a request acts."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Final, TypeVar

from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, Caller, Principal
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import store
from scaivault.tenancy.keys import admit_tenant_key, keep_key, keep_partner_key
from scaivault.tenancy.model import (
    ACTIVE,
    DELETED,
    SUSPENDED,
    Partner,
    Tenant,
    covers,
    partner_id,
    together,
)

T = TypeVar("T", Partner, Tenant)

# Shorter than what is kept of a longer header, so that a part of one is never taken for an id.
_ID: Final = re.compile(r"tnt_[0-9a-z_-]{1,59}\Z")


class Tenancy:
    """All partners and tenants, in memory (about 600 bytes each). Loop only, but for what takes a
    connection or a transaction."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring: Final = keyring
        self.partners: dict[str, Partner] = {}
        self.tenants: dict[str, Tenant] = {}
        # What was found out about callers may not hold any more.
        self.on_changed: Callable[[], object] = lambda: None

    def load(self, connection: Connection) -> None:
        """Take up what the file holds."""
        self.partners.update((one.id, one) for one in store.partners(connection))
        self.tenants.update((one.id, one) for one in store.tenants(connection))

    # -- who acts where ------------------------------------------------------------------------

    def resolve(self, caller: Caller, named: str | None, even: Collection[str] = ()) -> None:
        """Set the tenant acted upon: the one named, else the token's own.

        Naming a foreign one takes ``partner_admin`` of its partner or ``super_admin``; for anybody
        else an unknown tenant answers like a foreign one. Nobody acts in a suspended one, nor
        anywhere else from it, but ``super_admin``; a deleted one is not there. ``even``: states of
        the tenant (SUSPENDED: of its own) in which ``super_admin`` may do this nevertheless."""
        principal = caller.principal
        if principal is None:
            raise Refusal("authentication_required", "this call needs a token")
        wanted = principal.tenant_id if named is None else named
        _aim(caller, wanted)
        tenant = home = self.tenants.get(principal.tenant_id)
        state = at_home = ACTIVE if home is None else self.state(home)
        rules = SUPER_ADMIN in principal.roles
        if at_home == DELETED:
            raise Refusal("token_revoked", "the tenant of this token was deleted")
        if wanted != principal.tenant_id:
            tenant = self.tenants.get(wanted)
            state = DELETED if tenant is None else self.state(tenant)
            is_there = state != DELETED or (rules and DELETED in even)
            tenant = _reachable(principal, tenant if is_there else None, wanted)
        if tenant is None:
            raise Refusal(
                "invalid_request",
                "the token belongs to no tenant; name one in the X-Tenant-ID header",
                reason="tenant_required",
            )
        may_still = rules and state in even and (state == DELETED or tenant is home)
        if not (state == ACTIVE or may_still) or (at_home != ACTIVE and not rules):
            raise Refusal("forbidden", "this tenant is suspended", reason="tenant_suspended")
        caller.tenant_id = tenant.id
        caller.partner_id = tenant.partner_id
        caller.by_role = covers(principal, tenant)

    def widen(self, caller: Caller) -> None:
        """Act upon what the partner of the acting tenant owns. No policy governs that: reading is
        every identity's of the partner's tenants, and the route's role guards the rest."""
        caller.tenant_id = None
        caller.by_role = True
        caller.notes["scope"] = "partner"

    def sees(self, principal: Principal, tenant_id: str) -> bool:
        """Whether a tenant is the principal's own, or one that his role reaches."""
        tenant = self.tenants.get(tenant_id)
        return tenant is not None and (
            tenant_id == principal.tenant_id or covers(principal, tenant)
        )

    def sees_partner(self, principal: Principal, wanted: str) -> bool:
        """Whether a partner is the principal's own, or he is ``super_admin``."""
        return wanted in self.partners and (
            wanted == principal.partner_id or SUPER_ADMIN in principal.roles
        )

    def concern(self, caller: Caller, tenant_id: str) -> None:
        """The request turned out to be about this tenant: the ledger says so."""
        caller.tenant_id, caller.partner_id = self.places(tenant_id)

    def places(self, owner: str) -> tuple[str | None, str | None]:
        """(tenant, partner) of an owner of rows; partner secrets have no tenant."""
        if owner.startswith("ptn_"):
            return None, owner
        tenant = self.tenants.get(owner)
        return owner, None if tenant is None else tenant.partner_id

    @staticmethod
    def first(db: Connection) -> tuple[str, str] | None:
        """(tenant, partner) of the oldest tenant: its secrets are those that the configuration
        names by path alone."""
        oldest = store.oldest_tenant(db)
        return None if oldest is None else (oldest.id, oldest.partner_id)

    def state(self, tenant: Tenant) -> str:
        """ACTIVE, SUSPENDED or DELETED: the worse of the tenant's and its partner's."""
        return together((tenant.status, self.partners[tenant.partner_id].status))

    def admits(self, tenant_id: str, roles: Collection[str]) -> bool:
        """Whether people of a tenant are given tokens: of a suspended one only ``super_admin``."""
        tenant = self.tenants.get(tenant_id)
        state = DELETED if tenant is None else self.state(tenant)
        return state == ACTIVE or (state == SUSPENDED and SUPER_ADMIN in roles)

    def is_gone(self, tenant_id: str) -> bool:
        """Whether a tenant was deleted, by itself or with its partner: its tokens are revoked."""
        tenant = self.tenants.get(tenant_id)
        return tenant is None or self.state(tenant) == DELETED

    # -- rows ----------------------------------------------------------------------------------

    def partner(self, db: Connection, wanted: str) -> Partner | None:
        """As the file has it; ``prt_x`` is read as ``ptn_x``."""
        return store.partner(db, partner_id(wanted))

    def tenant(self, db: Connection, wanted: str) -> Tenant | None:
        """As the file has it."""
        return store.tenant(db, wanted)

    def tenants_left(self, db: Connection, partner: str) -> int:
        """How many of a partner's tenants are not deleted."""
        return store.tenants_left(db, partner)

    def keep_partner(self, tx: Transaction, partner: Partner) -> None:
        """Write a partner's row, whole; a new one gets its master key. ``already_exists`` when
        another one has the slug."""
        if store.partner_of_slug(tx.connection, partner.slug) not in {None, partner.id}:
            raise _taken("partner")
        store.put_partner(tx, partner)
        if not store.keys(tx.connection, partner.id):
            keep_partner_key(tx, self._keyring, partner.id, 1, Guarded.random())
        tx.then(lambda: self._take_up(self.partners, partner))

    def keep_tenant(self, tx: Transaction, tenant: Tenant) -> Tenant:
        """Write a tenant's row; a new one gets its key. What is written: partner and time of making
        never change. ``already_exists`` when another one of the partner has the slug,
        ``invalid_state`` for one that was deleted for good. The partner must be there."""
        known = store.tenant(tx.connection, tenant.id)
        if known is None:
            tenant = _behind_first(tx, tenant)
        else:
            tenant = tenant._replace(partner_id=known.partner_id, created_at=known.created_at)
        owner = store.tenant_of_slug(tx.connection, tenant.partner_id, tenant.slug)
        if owner not in {None, tenant.id}:
            raise _taken("tenant of this partner")
        if known is not None and tenant.status != DELETED:
            self._check_key(tx, tenant)
        store.put_tenant(tx, tenant)
        if known is None:
            self._make_key(tx, tenant)
        tx.then(lambda: self._take_up(self.tenants, tenant))
        return tenant

    def _take_up(self, among: dict[str, T], one: T) -> None:
        among[one.id] = one
        self.on_changed()

    @staticmethod
    def _check_key(tx: Transaction, tenant: Tenant) -> None:
        if not store.keys(tx.connection, tenant.id):
            raise Refusal(
                "invalid_state",
                "the key of this tenant was destroyed 30 days after it was deleted; make a new"
                " tenant",
                reason="key_destroyed",
            )

    def _make_key(self, tx: Transaction, tenant: Tenant) -> None:
        with Guarded.random() as key:
            parent, box = self._keyring.wrap_tenant(tenant.partner_id, tenant.id, 1, key)
        keep_key(tx, "tenant", tenant.id, 1, parent, box)
        admit_tenant_key(tx, self._keyring, tenant.id, tenant.partner_id, 1, parent, box)

    def found_partner(
        self, tx: Transaction, name: str, slug: str, region: str | None = None
    ) -> Partner:
        """A local partner with its master key."""
        partner = Partner(random_id("ptn_"), name, slug, ACTIVE, tx.now, region)
        self.keep_partner(tx, partner)
        return partner

    def found_tenant(self, tx: Transaction, partner_id: str, name: str, slug: str) -> Tenant:
        """A local tenant with its key."""
        return self.keep_tenant(
            tx, Tenant(random_id("tnt_"), partner_id, name, slug, ACTIVE, tx.now)
        )


def _behind_first(tx: Transaction, tenant: Tenant) -> Tenant:
    """The vault's first tenant stays the oldest, also where the clock was set back since."""
    first = store.oldest_tenant(tx.connection)
    if first is None:
        return tenant
    return tenant._replace(created_at=max(tenant.created_at, first.created_at + 1))


def _taken(what: str) -> Refusal:
    return Refusal("already_exists", f"another {what} has this slug", field="slug")


def _aim(caller: Caller, wanted: str) -> None:
    """The tenant that is meant, for the ledger row of a refusal. Known or not: the trail of an
    identity would else tell its own tenant which ids there are."""
    caller.tenant_id = wanted if _ID.match(wanted) else None
    caller.partner_id = None
    caller.by_role = False


def _reachable(principal: Principal, tenant: Tenant | None, wanted: str) -> Tenant:
    """A tenant other than one's own, if the role reaches it."""
    if SUPER_ADMIN not in principal.roles and PARTNER_ADMIN not in principal.roles:
        raise _foreign(wanted)
    if tenant is None:
        raise Refusal("tenant_not_found", "there is no such tenant", tenant_id=wanted[:64])
    if SUPER_ADMIN not in principal.roles and tenant.partner_id != principal.partner_id:
        raise _foreign(wanted)
    return tenant


def _foreign(wanted: str) -> Refusal:
    text = "this tenant is not yours to act in"
    return Refusal("tenant_access_denied", text, tenant_id=wanted[:64])
