"""From any form of an identity's id to its type and canonical id."""

from __future__ import annotations

from scaivault.errors import Refusal
from scaivault.identity import names, subjects
from scaivault.identity.model import DELETED
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store.groups import Group
from scaivault.storage.file import Connection


def find(db: Connection, tenant_id: str, reference: str) -> tuple[str, str] | None:
    """(identity_type, canonical id) of an identity named in any form, or None.

    A record id (``usr_``, ``sa_``, ``grp_``) must be known in the tenant. A canonical id need not:
    an outside issuer may know it first; but one that was deleted here is none, as it is never
    given out again. ``system:`` and ``dynamic:`` ids are of type ``system``."""
    if reference.startswith(("usr_", "sa_")):
        who = subjects.subject_by_id(db, reference)
        if who is None or who.tenant_id != tenant_id or who.status == DELETED:
            return None
        return who.kind, who.identity_id
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
    if kind in subjects.KINDS:
        who = subjects.subject(db, tenant_id, identity_id)
        return who is not None and who.status == DELETED
    return False


def group(db: Connection, tenant_id: str, reference: str) -> Group:
    """A live group of the tenant, named in any form; ``identity_not_found``."""
    named = find(db, tenant_id, reference)
    if named is not None and named[0] == names.GROUP:
        found = groups_store.group_by_identity(db, tenant_id, named[1])
        if found is not None:
            return found
    raise Refusal("identity_not_found", "there is no such group", identity_id=reference[:128])


def ever_known(db: Connection, tenant_id: str, reference: str) -> tuple[str, str] | None:
    """(identity_type, canonical id) of an identity named in any form, deleted ones too; None for a
    text that is no name, and for a record id that never was one of the tenant."""
    if reference.startswith(("usr_", "sa_")):
        who = subjects.subject_by_id(db, reference)
        mine = who is not None and who.tenant_id == tenant_id
        return (who.kind, who.identity_id) if who and mine else None
    if reference.startswith("grp_"):
        group = groups_store.group_by_id(db, reference)
        mine = group is not None and group.tenant_id == tenant_id
        return (names.GROUP, group.identity_id) if group and mine else None
    return names.canonical(reference)
