"""Who calls, and on whose behalf."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from scaivault.gate.once import Once

TENANT_ADMIN: Final = "tenant_admin"
PARTNER_ADMIN: Final = "partner_admin"
SUPER_ADMIN: Final = "super_admin"
RANK: Final[dict[str, int]] = {TENANT_ADMIN: 1, PARTNER_ADMIN: 2, SUPER_ADMIN: 3}


@dataclass(frozen=True, slots=True)
class Principal:
    """What one live token stands for. Kept between requests; never outlives a revocation.

    ``expires_at`` and ``mfa_verified_at`` are instants. ``allowed_paths`` holds lists of globs; a
    path must match one of each list."""

    identity_id: str
    identity_type: str
    display_name: str
    tenant_id: str
    partner_id: str
    scopes: frozenset[str]
    roles: frozenset[str]
    token_id: str
    token_kind: str
    issuer: str
    issued_at: int
    expires_at: int
    mfa_verified_at: int | None = None
    allowed_paths: tuple[tuple[str, ...], ...] = ()
    ip_ranges: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @property
    def rank(self) -> int:
        """0 for none, up to 3 for super_admin."""
        return max((RANK[role] for role in self.roles), default=0)


@dataclass(slots=True)
class Caller:
    """One request of one principal (or of nobody yet), as the gate and the ledger see it."""

    request_id: str
    source_ip: str | None
    user_agent: str | None
    started: int  # monotonic, ns
    now: int  # instant at which the request came in
    principal: Principal | None = None
    tenant_id: str | None = None  # the tenant acted upon
    partner_id: str | None = None
    by_role: bool = False  # an admin role covers the tenant acted upon
    notes: dict[str, object] = field(default_factory=dict)  # for every ledger row of the request
    once: Once | None = None
    local: bool = False  # from this host, and not through a proxy

    @property
    def identity_id(self) -> str | None:
        return self.principal.identity_id if self.principal is not None else None

    @property
    def tenant(self) -> str:
        """The tenant acted upon, on routes that have made sure there is one."""
        if self.tenant_id is None:
            raise LookupError("this route did not resolve a tenant")
        return self.tenant_id

    @property
    def owner(self) -> str:
        """Whose rows are acted upon: the tenant's, or on partner routes the partner's."""
        owner = self.tenant_id or self.partner_id
        if owner is None:
            raise LookupError("this route did not resolve an owner")
        return owner

    @property
    def partner_wide(self) -> bool:
        """Whether the request acts upon what belongs to a partner, not to one of its tenants."""
        return self.tenant_id is None and self.partner_id is not None


def background(component: str, request_id: str, now: int, started: int) -> Caller:
    """``system:<component>``: background work passes the same gate as everybody."""
    principal = Principal(
        identity_id=f"system:{component}",
        identity_type="system",
        display_name=component,
        tenant_id="",
        partner_id="",
        scopes=frozenset(("admin",)),
        roles=frozenset((SUPER_ADMIN,)),
        token_id="",
        token_kind="internal",
        issuer="local",
        issued_at=now,
        expires_at=now,
    )
    return Caller(
        request_id=request_id,
        source_ip=None,
        user_agent=None,
        started=started,
        now=now,
        principal=principal,
        by_role=True,
    )
