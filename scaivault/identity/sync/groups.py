"""Groups as a directory tells of them, and who belongs to them.

What is bound to a group is bound to its canonical id. That is made of the name under which the
directory first told of it and never moves on to another group, whatever that is called later."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from hashlib import blake2b
from typing import Final

from scaivault.gate.transaction import Transaction
from scaivault.identity import names
from scaivault.identity.authentication import Authentication
from scaivault.identity.groups.room import DEEPEST
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store.groups import Group
from scaivault.identity.sync import store
from scaivault.identity.sync.facts import (
    CREATED,
    IGNORED,
    SAME,
    STALE,
    UPDATED,
    Origin,
    Outcome,
    ToldGroup,
    shown,
)
from scaivault.ids import digits, random_id
from scaivault.storage.file import Connection

_OTHER: Final = re.compile(r"[^a-z0-9._-]+")
_RECORD: Final = re.compile(r"grp_[0-9a-z]{1,40}")


class Groups:
    """One per open vault. Everything here happens inside a transaction."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication: Final = authentication

    def linked(self, db: Connection, origin: Origin, external_id: str) -> Group | None:
        """The group that stands for one of the directory; deleted ones too."""
        record = store.linked(db, origin, names.GROUP, external_id)
        return None if record is None else groups_store.group_by_id(db, record)

    def upsert(self, tx: Transaction, origin: Origin, told_group: ToldGroup) -> Outcome:
        """A group's name as it is now."""
        group = self.linked(tx.connection, origin, told_group.external_id)
        if group is None:
            return self._created(tx, origin, told_group)
        if group.deleted_at is not None:
            return IGNORED
        store.found_again(tx, group.id)
        if (group.as_of or 0) > origin.as_of:
            return STALE
        told = group._replace(display_name=shown(told_group.name) or group.display_name)
        groups_store.put_group(tx, told._replace(as_of=origin.as_of, last_synced_at=tx.now))
        return SAME if told == group else UPDATED

    def _created(self, tx: Transaction, origin: Origin, told_group: ToldGroup) -> Outcome:
        db = tx.connection
        identity = _free(db, origin, told_group)
        group = Group(
            origin.tenant_id, _record_id(db, told_group.external_id), identity,
            shown(told_group.name) or identity.removeprefix("group:"), None, tx.now,
            issuer=origin.issuer, last_synced_at=tx.now, as_of=origin.as_of,
            external_id=told_group.external_id,
        )  # fmt: skip
        groups_store.put_group(tx, group)
        store.link(tx, origin, names.GROUP, told_group.external_id, group.id)
        return CREATED

    def delete(self, tx: Transaction, origin: Origin, external_id: str) -> Outcome:
        """End a group; what is bound to it grants nothing any more."""
        group = self.linked(tx.connection, origin, external_id)
        if group is None or group.deleted_at is not None:
            return IGNORED
        if (group.as_of or 0) > origin.as_of:
            return STALE
        groups_store.dissolve(tx, group._replace(as_of=origin.as_of, last_synced_at=tx.now))
        self._authentication.on_deleted(tx, group.tenant_id, group.identity_id)
        return UPDATED

    # -- members -------------------------------------------------------------------------------

    def member(
        self, tx: Transaction, origin: Origin, group: Group, identity: str, *, belongs: bool
    ) -> Outcome:
        """One membership that began or ended."""
        db = tx.connection
        known = store.member_as_of(db, group.id, identity), store.members_as_of(db, group.id)
        if group.deleted_at is not None:
            return IGNORED
        if max(known) > origin.as_of:
            return STALE
        store.member_told(tx, group.id, identity, origin.as_of)
        if belongs:
            changed = groups_store.add_member(tx, group, identity)
        else:
            changed = groups_store.drop_member(tx, group.id, identity)
        return UPDATED if changed else SAME

    def members(
        self, tx: Transaction, origin: Origin, group: Group, identities: Collection[str]
    ) -> Outcome:
        """All who belong to a group itself; single memberships that are newer news stay."""
        db = tx.connection
        if store.members_as_of(db, group.id) > origin.as_of:
            return STALE
        present, wanted = set(store.own_members(db, group.id)), set(identities)
        changed = [
            identity
            for identity in sorted(present ^ wanted)
            if store.member_as_of(db, group.id, identity) <= origin.as_of
        ]
        for identity in changed:
            if identity in wanted:
                groups_store.add_member(tx, group, identity)
            else:
                groups_store.drop_member(tx, group.id, identity)
        store.members_told(tx, group.id, origin.as_of)
        return UPDATED if changed else SAME

    # -- nesting -------------------------------------------------------------------------------

    @staticmethod
    def loosen(tx: Transaction, group: Group) -> Group:
        """A group at the top, on its way to another place."""
        loose = group._replace(parent_id=None)
        if loose != group:
            groups_store.put_group(tx, loose)
        return loose

    @staticmethod
    def nest(tx: Transaction, group: Group, above: Group) -> bool:
        """Put a group below another one of its issuer; False where that makes a cycle or goes
        too deep."""
        chain = groups_store.chain(tx.connection, above.id)
        height = groups_store.height(tx.connection, group.id)
        if group.id in chain or len(chain) + height > DEEPEST or above.deleted_at is not None:
            return False
        groups_store.put_group(tx, group._replace(parent_id=above.id))
        return True


def _free(db: Connection, origin: Origin, told_group: ToldGroup) -> str:
    """A canonical id that nobody has or had. Never one that is there: what is bound to it was
    meant for another group."""
    for identity in _candidates(told_group):
        if groups_store.group_by_identity(db, origin.tenant_id, identity) is None:
            return identity
    return f"group:{random_id('')}"


def _candidates(told_group: ToldGroup) -> Iterator[str]:
    """The name itself, but for case and blanks; of what cannot be one, what is left with a mark
    that only this group has."""
    name = (told_group.name or "").strip().lower() if (told_group.name or "").isascii() else ""
    plain = name.replace(" ", "-")
    named = names.canonical(f"group:{plain}")
    if named is not None:
        yield named[1]
    rest = _OTHER.sub("-", (told_group.name or "").lower()).strip("-._")[:100] or "group"
    digest = blake2b(told_group.external_id.encode(), digest_size=5).digest()
    yield f"group:{rest}-{digits(int.from_bytes(digest, 'big'), 8)}"


def _record_id(db: Connection, external_id: str) -> str:
    """The directory's own id where it has the form of ours and is free."""
    if _RECORD.fullmatch(external_id) and groups_store.group_by_id(db, external_id) is None:
        return external_id
    return random_id("grp_")
