"""Partners, tenants, and on whose behalf a request acts."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, TENANT_ADMIN, Caller, Principal
from scaivault.gate.transaction import Transaction
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection

ACTIVE: Final = "ACTIVE"
# Shorter than what is kept of a longer header, so that a part of one is never taken for an id.
_ID: Final = re.compile(r"tnt_[0-9a-z_-]{1,59}\Z")


class Partner(NamedTuple):
    id: str
    name: str
    slug: str
    status: str


class Tenant(NamedTuple):
    id: str
    partner_id: str
    name: str
    slug: str
    status: str


class Tenancy:
    """All partners and tenants, in memory (about 400 bytes each). Loop only."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring: Final = keyring
        self.partners: dict[str, Partner] = {}
        self.tenants: dict[str, Tenant] = {}

    def load(self, connection: Connection) -> None:
        """Take up what the file holds."""
        for row in connection.execute("SELECT id, name, slug, status FROM partner"):
            self.partners[row[0]] = Partner(*row)
        for row in connection.execute("SELECT id, partner_id, name, slug, status FROM tenant"):
            self.tenants[row[0]] = Tenant(*row)

    # -- who acts where ------------------------------------------------------------------------

    def resolve(self, caller: Caller, named: str | None) -> None:
        """Set the tenant acted upon: the one named, else the token's own.

        Naming a foreign one takes ``partner_admin`` of its partner or ``super_admin``; for anybody
        else an unknown tenant answers like a foreign one."""
        principal = caller.principal
        if principal is None:
            raise Refusal("authentication_required", "this call needs a token")
        wanted = principal.tenant_id if named is None else named
        _aim(caller, wanted)
        tenant = self.tenants.get(wanted)
        if wanted != principal.tenant_id:
            tenant = _reachable(principal, tenant, wanted)
        if tenant is None:
            raise Refusal(
                "invalid_request",
                "the token belongs to no tenant; name one in the X-Tenant-ID header",
                reason="tenant_required",
            )
        if not self._is_active(tenant) or not self._comes_from_active(principal):
            raise Refusal("forbidden", "this tenant is suspended", reason="tenant_suspended")
        caller.tenant_id = tenant.id
        caller.partner_id = tenant.partner_id
        caller.by_role = _covers(principal, tenant)

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
            tenant_id == principal.tenant_id or _covers(principal, tenant)
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
        row = db.execute(
            "SELECT id, partner_id FROM tenant ORDER BY created_at, id LIMIT 1"
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def _is_active(self, tenant: Tenant) -> bool:
        return tenant.status == ACTIVE and self.partners[tenant.partner_id].status == ACTIVE

    def _comes_from_active(self, principal: Principal) -> bool:
        """A suspended tenant's people act nowhere else either; but for ``super_admin``, or nobody
        could lift the suspension of the tenant that all of them belong to."""
        home = self.tenants.get(principal.tenant_id)
        return home is None or self._is_active(home) or SUPER_ADMIN in principal.roles

    # -- founding ------------------------------------------------------------------------------

    def found_partner(self, tx: Transaction, name: str, slug: str) -> Partner:
        """A partner with its master key."""
        partner = Partner(random_id("ptn_"), name, slug, ACTIVE)
        key = Guarded.random()
        tx.execute(
            "INSERT INTO partner (id, name, slug, status, created_at)"
            " VALUES (:id, :name, :slug, :status, :now)",
            {**partner._asdict(), "now": tx.now},
        )
        keep_partner_key(tx, self._keyring, partner.id, 1, key)
        tx.then(lambda: self.partners.__setitem__(partner.id, partner))
        return partner

    def found_tenant(self, tx: Transaction, partner_id: str, name: str, slug: str) -> Tenant:
        """A tenant with its key."""
        tenant = Tenant(random_id("tnt_"), partner_id, name, slug, ACTIVE)
        tx.execute(
            "INSERT INTO tenant (id, partner_id, name, slug, status, created_at)"
            " VALUES (:id, :partner_id, :name, :slug, :status, :now)",
            {**tenant._asdict(), "now": tx.now},
        )
        with Guarded.random() as key:
            parent, box = self._keyring.wrap_tenant(partner_id, tenant.id, 1, key)
        keep_key(tx, "tenant", tenant.id, 1, parent, box)
        admit_tenant_key(tx, self._keyring, tenant.id, partner_id, 1, parent, box)
        tx.then(lambda: self.tenants.__setitem__(tenant.id, tenant))
        return tenant


# A new key is in the ring as soon as its row is written, not only once that is committed: what the
# writer does next may wrap with it. Should the commit fail, it is taken out again.


def keep_partner_key(
    tx: Transaction, keyring: Keyring, partner_id: str, version: int, key: Guarded
) -> None:
    """A partner key's rows, and its place in the ring."""
    for root_version, box in keyring.wrap_partner(partner_id, version, key):
        _add_key(tx, "partner", partner_id, version, root_version, box)
    tx.otherwise(lambda: keyring.destroy(partner_id, version))
    keyring.admit_partner(partner_id, version, key)


def admit_tenant_key(
    tx: Transaction,
    keyring: Keyring,
    tenant_id: str,
    partner_id: str,
    version: int,
    parent_version: int,
    box: bytes,
) -> None:
    """A new tenant key's place in the ring; its row is ``keep_key``'s."""
    tx.otherwise(lambda: keyring.destroy(tenant_id, version))
    keyring.admit_tenant(tenant_id, partner_id, version, parent_version, box)


def keep_key(
    tx: Transaction, kind: str, owner: str, version: int, parent_version: int, box: bytes
) -> None:
    """A wrapped key's row; an older wrap of the same version goes."""
    tx.execute(
        "DELETE FROM wrapped_key WHERE kind = :kind AND owner_id = :owner AND version = :version",
        {"kind": kind, "owner": owner, "version": version},
    )
    _add_key(tx, kind, owner, version, parent_version, box)


def _add_key(
    tx: Transaction, kind: str, owner: str, version: int, parent_version: int, box: bytes
) -> None:
    tx.execute(
        "INSERT INTO wrapped_key (kind, owner_id, version, parent_version, box, created_at)"
        " VALUES (:kind, :owner, :version, :parent_version, :box, :now)",
        {
            "kind": kind,
            "owner": owner,
            "version": version,
            "parent_version": parent_version,
            "box": box,
            "now": tx.now,
        },
    )


def _aim(caller: Caller, wanted: str) -> None:
    """The tenant that is meant, for the ledger row of a refusal. Known or not: the trail of an
    identity would else tell its own tenant which ids there are."""
    caller.tenant_id = wanted if _ID.match(wanted) else None
    caller.partner_id = None
    caller.by_role = False


def _covers(principal: Principal, tenant: Tenant) -> bool:
    """Whether an admin role stands in for policies in this tenant."""
    roles = principal.roles
    return (
        SUPER_ADMIN in roles
        or (PARTNER_ADMIN in roles and tenant.partner_id == principal.partner_id)
        or (TENANT_ADMIN in roles and tenant.id == principal.tenant_id)
    )


def _reachable(principal: Principal, tenant: Tenant | None, wanted: str) -> Tenant:
    """A tenant other than one's own, if the role reaches it."""
    if SUPER_ADMIN not in principal.roles and PARTNER_ADMIN not in principal.roles:
        raise _foreign(wanted)
    if tenant is None:
        raise Refusal("tenant_not_found", "there is no such tenant", tenant_id=wanted)
    if SUPER_ADMIN not in principal.roles and tenant.partner_id != principal.partner_id:
        raise _foreign(wanted)
    return tenant


def _foreign(wanted: str) -> Refusal:
    return Refusal("tenant_access_denied", "this tenant is not yours to act in", tenant_id=wanted)
