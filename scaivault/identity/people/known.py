"""What other rooms may ask about identities, inside a reader or a transaction."""

from __future__ import annotations

from scaivault.gate.caller import PARTNER_ADMIN, SUPER_ADMIN
from scaivault.identity import names, subjects
from scaivault.identity.groups.room import Groups
from scaivault.storage.file import Connection


class Known:
    """Look-ups only."""

    find = staticmethod(Groups.find)
    effective = staticmethod(Groups.effective)
    members = staticmethod(Groups.members)

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
