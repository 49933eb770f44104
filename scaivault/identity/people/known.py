"""What other rooms may ask about identities, inside a reader or a transaction."""

from __future__ import annotations

from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN
from scaivault.identity import lookup, names, subjects
from scaivault.identity.store import groups as groups_store
from scaivault.storage.file import Connection


class Known:
    """Look-ups only."""

    find = staticmethod(lookup.find)
    effective = staticmethod(groups_store.effective)

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
    def roles(db: Connection, tenant_id: str, identity_id: str) -> tuple[str, ...]:
        """The admin roles of an identity (canonical id); none for an unknown one."""
        who = subjects.subject(db, tenant_id, identity_id)
        return () if who is None else who.roles

    @staticmethod
    def holders(
        db: Connection, tenant_id: str, partner_id: str | None
    ) -> list[tuple[str, str, str, str, str]]:
        """(tenant, partner, type, canonical id, role) of all whose admin role covers a tenant,
        wherever they live: one entry for each such role."""
        found = []
        for identity_id, roles, home, partner in subjects.role_holders(db):
            for role in roles:
                covers = role == SUPER_ADMIN or home == tenant_id
                if covers or (role == PARTNER_ADMIN and partner == partner_id):
                    found.append((home, partner, names.type_of(identity_id), identity_id, role))
        return found
