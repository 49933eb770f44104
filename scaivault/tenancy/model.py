"""Partners and tenants, and what their states mean together."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from scaivault.clock import DAY
from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN, TENANT_ADMIN, Principal

ACTIVE: Final = "ACTIVE"
SUSPENDED: Final = "SUSPENDED"
DELETED: Final = "DELETED"
LOCAL: Final = "local"
SECOND_THOUGHT: Final = 30 * DAY  # a deleted tenant can be brought back for so long

_SLUG: Final = re.compile(r"[a-z0-9-]{2,40}\Z")


class Partner(NamedTuple):
    """A row of ``partner``. ``as_of``: instant of the newest fact that its issuer told."""

    id: str
    name: str
    slug: str
    status: str
    created_at: int
    region: str | None = None
    issuer: str = LOCAL
    last_synced_at: int | None = None
    as_of: int | None = None


class Tenant(NamedTuple):
    """A row of ``tenant``. ``deleted_at``: when its time for a second thought began; a tenant that
    its issuer deleted has none, and keeps its key."""

    id: str
    partner_id: str
    name: str
    slug: str
    status: str
    created_at: int
    issuer: str = LOCAL
    last_synced_at: int | None = None
    as_of: int | None = None
    deleted_at: int | None = None


def partner_id(told: str) -> str:
    """A partner's id as it is stored; some issuers write ``prt_`` in front."""
    return "ptn_" + told[4:] if told.startswith("prt_") else told


def is_slug(text: str) -> bool:
    return _SLUG.match(text) is not None


def together(states: Collection[str]) -> str:
    """What a tenant and its partner are together: the worse of the two."""
    if DELETED in states:
        return DELETED
    return SUSPENDED if SUSPENDED in states else ACTIVE


def covers(principal: Principal, tenant: Tenant) -> bool:
    """Whether an admin role stands in for policies in this tenant."""
    roles = principal.roles
    return (
        SUPER_ADMIN in roles
        or (PARTNER_ADMIN in roles and tenant.partner_id == principal.partner_id)
        or (TENANT_ADMIN in roles and tenant.id == principal.tenant_id)
    )
