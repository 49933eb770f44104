"""Which rows of the ledger a caller may see, and which of them he asks for.

Pure, and said once: queries, trails, summaries and exports all mean the same by a filter's name.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from scaivault.gate.ledger import Record
from scaivault.gate.rules import reaches

Scope = Literal["tenant", "partner", "vault"]
NOBODY = "none"


class Sight(msgspec.Struct, frozen=True):
    """Whose rows are seen. ``tenant``: rows about the tenant, and rows about no tenant by somebody
    of it; ``partner``: rows about a partner as a whole; ``vault``: rows about neither.

    ``allowed_paths``: the token's lists of patterns; with any, rows without a path are hidden."""

    scope: Scope
    tenant_id: str | None
    partner_id: str | None
    allowed_paths: tuple[tuple[str, ...], ...] = ()

    def sees(self, entry: Record) -> bool:
        """Whether the row is in sight."""
        return self._owns(entry) and self.reaches(entry.secret_path)

    def _owns(self, entry: Record) -> bool:
        if self.scope == "tenant":
            owner = entry.actor_tenant_id if entry.tenant_id is None else entry.tenant_id
            return owner == self.tenant_id
        if entry.tenant_id is not None:
            return False
        return entry.partner_id == (self.partner_id if self.scope == "partner" else None)

    def reaches(self, path: str | None) -> bool:
        """Whether the token is not narrowed to other paths."""
        if not self.allowed_paths:
            return True
        return path is not None and reaches(self.allowed_paths, path)


class Filter(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is asked for; None: anything. ``since <= timestamp < until``, both texts of
    ``clock.instant``; ``identity_id`` canonical, or ``none`` for rows of nobody."""

    since: str | None = None
    until: str | None = None
    actions: frozenset[str] | None = None
    identity_id: str | None = None
    identity_type: str | None = None
    path_prefix: str | None = None
    success: bool | None = None
    source_ip: str | None = None
    request_id: str | None = None

    def fits(self, entry: Record) -> bool:
        """Whether the row is asked for; sight is another question."""
        return self._in_time(entry.timestamp) and self._by(entry) and self._about(entry)

    def _in_time(self, timestamp: str) -> bool:
        # Instants as text are of one length and sort by time.
        return (self.since is None or self.since <= timestamp) and (
            self.until is None or timestamp < self.until
        )

    def _by(self, entry: Record) -> bool:
        wanted = self.identity_id
        return (
            (wanted is None or (entry.identity_id or NOBODY) == wanted)
            and self.identity_type in (None, entry.identity_type)
            and self.source_ip in (None, entry.source_ip)
            and self.request_id in (None, entry.request_id)
        )

    def _about(self, entry: Record) -> bool:
        prefix = self.path_prefix
        return (
            (self.actions is None or entry.action in self.actions)
            and self.success in (None, entry.success)
            and (
                not prefix
                or (entry.secret_path is not None and entry.secret_path.startswith(prefix))
            )
        )
