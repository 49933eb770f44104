"""Whom the header lines of a connection stand for, found out once and not with each request.

Token, tenant and rights of a route follow from the header lines and the peer's address, as long as
nothing about identities changes and the token lasts. So they are kept with the lines, together with
the count of changes that they were found out under: one revocation, suspension, role, group or
tenant changed anywhere, and the next request of every connection is looked at anew.
"""

from __future__ import annotations

from typing import NamedTuple

from scaivault.gate.caller import Caller, Principal


class Standing(NamedTuple):
    """Of one head and one route. ``changes``: ``Authentication.changes`` before it was found out;
    ``ends``: the instant until which the token may be remembered."""

    changes: int
    ends: int
    principal: Principal
    tenant_id: str | None
    partner_id: str | None
    by_role: bool
    notes: dict[str, object]

    @classmethod
    def of(cls, caller: Caller, principal: Principal, changes: int, ends: int) -> Standing:
        """What was found out about ``caller``."""
        notes = dict(caller.notes)
        return cls(
            changes, ends, principal, caller.tenant_id, caller.partner_id, caller.by_role, notes
        )

    def give(self, caller: Caller) -> None:
        """The caller of another request with the same lines."""
        caller.principal = self.principal
        caller.tenant_id = self.tenant_id
        caller.partner_id = self.partner_id
        caller.by_role = self.by_role
        if self.notes:
            caller.notes.update(self.notes)
