"""Groups: who belongs to whom."""

from __future__ import annotations

from typing import Final

from scaivault.gate.gate import Gate
from scaivault.identity import groups_store, names, store
from scaivault.identity.room import Identity
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy


class Groups:
    """One per open vault."""

    def __init__(self, gate: Gate, identity: Identity, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._identity: Final = identity
        self._tenancy: Final = tenancy

    # -- for other rooms -----------------------------------------------------------------------

    @staticmethod
    def effective(db: Connection, tenant_id: str, identity_id: str) -> tuple[str, ...]:
        """The groups that count for an identity (canonical id), by name: those it is a member of
        and all above them. Of a group: those above it. None for an unknown identity."""
        return groups_store.effective(db, tenant_id, identity_id)

    @staticmethod
    def members(db: Connection, tenant_id: str, group_id: str) -> list[tuple[str, str]]:
        """(identity_type, canonical id) of all who belong to a group (canonical id), directly or
        through groups below it, by id. Groups themselves are not among them."""
        group = groups_store.group_by_identity(db, tenant_id, group_id)
        if group is None:
            return []
        found = groups_store.member_ids(db, group.id)
        return [(names.type_of(identity_id), identity_id) for identity_id in found]

    @staticmethod
    def find(db: Connection, tenant_id: str, reference: str) -> tuple[str, str] | None:
        """(identity_type, canonical id) of an identity named in any form, or None.

        A record id (``sa_``, ``grp_``) must be known in the tenant. A canonical id need not: an
        outside issuer may know it first; but one that was deleted here is none, as it is never
        given out again. ``system:`` and ``dynamic:`` ids are of type ``system``."""
        if reference.startswith("sa_"):
            account = store.account_by_id(db, reference)
            if account is None or account.tenant_id != tenant_id or account.status == "DELETED":
                return None
            return names.SERVICE_ACCOUNT, account.identity_id
        if reference.startswith("grp_"):
            group = groups_store.group_by_id(db, reference)
            if group is None or group.tenant_id != tenant_id or group.deleted_at is not None:
                return None
            return names.GROUP, group.identity_id
        named = names.canonical(reference)
        if named is None or _is_deleted(db, tenant_id, *named):
            return None
        return named


def _is_deleted(db: Connection, tenant_id: str, kind: str, identity_id: str) -> bool:
    if kind == names.GROUP:
        group = groups_store.group_by_identity(db, tenant_id, identity_id)
        return group is not None and group.deleted_at is not None
    if kind == names.SERVICE_ACCOUNT:
        account = store.account_by_identity(db, tenant_id, identity_id)
        return account is not None and account.status == "DELETED"
    return False
