"""What an identity may now that asked for something earlier."""

from __future__ import annotations

from dataclasses import replace

from scaivault.gate.caller import Principal
from scaivault.identity import groups_store, model, store
from scaivault.storage.file import Connection


def standing(db: Connection, then: Principal) -> Principal | None:
    """The principal with the roles and groups of today, and with those of its scopes that the
    account still has; None when it may nothing any more."""
    account = store.account_by_identity(db, then.tenant_id, then.identity_id)
    if account is None or account.status != model.ACTIVE:
        return None
    return replace(
        then,
        scopes=then.scopes & frozenset(account.scopes),
        roles=frozenset(account.roles),
        groups=groups_store.effective(db, then.tenant_id, then.identity_id),
    )
