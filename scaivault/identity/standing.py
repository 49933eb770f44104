"""What an identity may now that asked for something earlier."""

from __future__ import annotations

from dataclasses import replace

from scaivault.gate.caller import Principal
from scaivault.identity import model, subjects
from scaivault.identity.store import groups as groups_store
from scaivault.storage.file import Connection


def standing(db: Connection, then: Principal) -> Principal | None:
    """The principal with the roles and groups of today, and with those of its scopes that
    still count; None when it may nothing any more."""
    who = subjects.subject(db, then.tenant_id, then.identity_id)
    if who is None or who.status != model.ACTIVE:
        return None
    return replace(
        then,
        scopes=who.within(then.scopes),
        roles=frozenset(who.roles),
        groups=groups_store.effective(db, then.tenant_id, then.identity_id),
    )
