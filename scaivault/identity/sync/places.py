"""Partners and tenants as their issuer tells of them. Ids are the issuer's: its tokens carry them.

Only what is the issuer's own is touched: a partner or tenant that was made here stays as it is,
whatever anybody says about one of its id."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.transaction import Transaction
from scaivault.identity.sync.facts import (
    CREATED,
    IGNORED,
    STALE,
    UPDATED,
    Origin,
    Outcome,
)
from scaivault.ids import digits
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import ACTIVE, DELETED, SUSPENDED, Partner, Tenant, is_slug
from scaivault.wire.names import name_fault

# Each its own form: rows and keys are found by their owner's id alone, whichever of the two it is.
_PARTNER_ID: Final = re.compile(r"ptn_[0-9a-z_-]{1,59}")
_TENANT_ID: Final = re.compile(r"tnt_[0-9a-z_-]{1,59}")
_REGION: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")

Data = Mapping[str, object]


class Places:
    """One per open vault. Everything here happens inside a transaction."""

    def __init__(self, tenancy: Tenancy) -> None:
        self._tenancy: Final = tenancy

    def partner(
        self, tx: Transaction, origin: Origin, partner_id: str, status: str | None, data: Data
    ) -> Outcome:
        """A partner as it is now. ``status``: None leaves it."""
        known = self._tenancy.partner(tx.connection, partner_id)
        if known is None:
            if not _PARTNER_ID.fullmatch(partner_id):
                return IGNORED
            known = Partner(partner_id, partner_id, "", ACTIVE, tx.now, issuer=origin.issuer)
        elif known.issuer != origin.issuer:
            return IGNORED
        if (known.as_of or 0) > origin.as_of:
            return STALE
        told = known._replace(
            name=_name(data) or known.name,
            region=_region(data) or known.region,
            status=status or known.status,
            last_synced_at=tx.now,
            as_of=origin.as_of,
        )
        for slug in _slugs(known.slug, data, partner_id):
            with contextlib.suppress(Refusal):  # another one's
                self._tenancy.keep_partner(tx, told._replace(slug=slug))
                return UPDATED if known.slug else CREATED
        return IGNORED

    def tenant(
        self, tx: Transaction, origin: Origin, partner_id: str, status: str | None, data: Data
    ) -> Outcome:
        """A tenant of a partner of the issuer as it is now. One that moves to another partner
        stays where it is: its key lies under its partner's."""
        known = self._tenancy.tenant(tx.connection, origin.tenant_id)
        if known is None:
            partner = self._tenancy.partner(tx.connection, partner_id)
            if partner is None or partner.issuer != origin.issuer or partner.status == DELETED:
                return IGNORED
            if not _TENANT_ID.fullmatch(origin.tenant_id):
                return IGNORED
            known = Tenant(
                origin.tenant_id, partner.id, origin.tenant_id, "", ACTIVE, tx.now,
                issuer=origin.issuer,
            )  # fmt: skip
        elif known.issuer != origin.issuer or partner_id not in {"", known.partner_id}:
            return IGNORED
        if (known.as_of or 0) > origin.as_of:
            return STALE
        told = known._replace(
            name=_name(data) or known.name,
            status=status or known.status,
            last_synced_at=tx.now,
            as_of=origin.as_of,
        )
        for slug in _slugs(known.slug, data, origin.tenant_id):
            with contextlib.suppress(Refusal):  # another one's; or its key is gone
                self._tenancy.keep_tenant(tx, told._replace(slug=slug))
                return UPDATED if known.slug else CREATED
        return IGNORED


def status_told(verb: str, data: Data) -> str | None:
    """What an event says of the status: its own word, or what it carries; None: nothing."""
    by_verb = {
        "deleted": DELETED, "suspended": SUSPENDED, "activated": ACTIVE, "reactivated": ACTIVE,
    }  # fmt: skip
    if verb in by_verb:
        return by_verb[verb]
    told = data.get("status")
    told = told.upper() if isinstance(told, str) else None
    if told in {ACTIVE, SUSPENDED, DELETED}:
        return told
    return ACTIVE if verb == "created" else None


def _name(data: Data) -> str | None:
    name = data.get("name")
    return name if isinstance(name, str) and name_fault(name) is None else None


def _region(data: Data) -> str | None:
    region = data.get("region")
    return region if isinstance(region, str) and _REGION.fullmatch(region) else None


def _slugs(known: str, data: Data, record_id: str) -> tuple[str, ...]:
    """The slug, which never changes; of a new record those to try."""
    if known:
        return (known,)
    told = data.get("slug")
    slug = told if isinstance(told, str) and is_slug(told) else record_id.replace("_", "-")[:40]
    mark = digits(int.from_bytes(blake2b(record_id.encode(), digest_size=5).digest(), "big"), 8)
    return slug, f"{slug[:31]}-{mark}"
