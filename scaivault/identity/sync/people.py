"""Users as a directory tells of them.

A record follows the directory's own id of a person, never the e-mail address: addresses are handed
on to other people. Whoever comes to an address that stands for somebody else stays outside."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable
from typing import Final

from scaivault.config.identity import Issuer
from scaivault.errors import Refusal
from scaivault.gate.transaction import Transaction
from scaivault.identity import names, subjects
from scaivault.identity.foreign import store as foreign
from scaivault.identity.foreign.issuers import PLACEHOLDER
from scaivault.identity.model import ACTIVE, DELETED, SUSPENDED, User
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.store import users as users_store
from scaivault.identity.sync import store
from scaivault.identity.sync.facts import (
    CREATED,
    IGNORED,
    SAME,
    STALE,
    UPDATED,
    Origin,
    Outcome,
    Person,
    shown,
)
from scaivault.ids import random_id
from scaivault.storage.file import Connection

_NOBODY: Final[frozenset[str]] = frozenset()
_RECORD: Final = re.compile(r"usr_[0-9a-z]{1,40}")


def identity_of(person: Person) -> str | None:
    """The canonical id: of the e-mail address, else of the directory's id; None for a text that
    can be none, or that other programs would make plain and take for another one."""
    if person.email is None and "@" in person.external_id:
        return None
    named = names.canonical(f"user:{person.email or person.external_id}")
    if named is None or unicodedata.normalize("NFKC", named[1]) != named[1]:
        return None
    return named[1]


class People:
    """One per open vault. Everything here happens inside a transaction."""

    def __init__(self, revoking: Revoking, issuers: Iterable[Issuer]) -> None:
        self._revoking: Final = revoking
        self._isses: Final = {issuer.name: issuer.issuer for issuer in issuers}

    # -- who is meant --------------------------------------------------------------------------

    def linked(self, db: Connection, origin: Origin, external_id: str) -> User | None:
        """The user who stands for a person of the directory; deleted ones too."""
        record = store.linked(db, origin, names.USER, external_id)
        return None if record is None else users_store.user_by_id(db, record)

    def meant(self, db: Connection, origin: Origin, person: Person) -> list[User]:
        """Everybody who is this person as far as is known: to take something from. Somebody can
        have logged in with another address before the directory told of the new one."""
        found = {}
        if (linked := self.linked(db, origin, person.external_id)) is not None:
            found[linked.id] = linked
        for record in store.users_called(db, origin, person.external_id):
            if (user := users_store.user_by_id(db, record)) is not None:
                found[user.id] = user
        if person.email is not None and (user := self._at_address(db, origin, person)):
            found[user.id] = user
        return [user for user in found.values() if user.status != DELETED]

    def _at_address(self, db: Connection, origin: Origin, person: Person) -> User | None:
        """The issuer's user of this address, if no directory claimed him yet."""
        identity = identity_of(person)
        if identity is None:
            return None
        user = users_store.user_by_identity(db, origin.tenant_id, identity)
        if user is None or user.issuer != origin.issuer or store.is_linked(db, user.id):
            return None
        return user

    # -- what is told --------------------------------------------------------------------------

    def upsert(
        self,
        tx: Transaction,
        origin: Origin,
        person: Person,
        others: Container[str] = _NOBODY,
    ) -> Outcome:
        """A person as he is now. ``others``: ids of all whom the directory knows; who logged in
        under one of them is not somebody else. ``ignored``: his address is another's."""
        user = self.linked(tx.connection, origin, person.external_id)
        if user is None:
            user = self._claimed(tx, origin, person, others)
            if user is None:
                return self._created(tx, origin, person)
        if user.status == DELETED or user.issuer != origin.issuer:
            return IGNORED
        store.found_again(tx, user.id)
        if (user.as_of or 0) > origin.as_of:
            return STALE
        return self._updated(tx, origin, user, person)

    def _claimed(
        self, tx: Transaction, origin: Origin, person: Person, others: Container[str]
    ) -> User | None:
        """Somebody who logged in before the directory told of him, linked from now on."""
        db = tx.connection
        user = self._at_address(db, origin, person)
        if user is not None and user.external_id != person.external_id:
            if user.external_id in others:
                return None
            # The issuer's tokens and the directory know people by different ids. If the address
            # changed hands in between, what the last owner still holds must not gain anything.
            if user.external_id is not None:
                subjects.end_access(tx, user)
                user = user._replace(revoked_before=subjects.ended_by(tx, user))
                users_store.put_user(tx, user)
        called = store.users_called(db, origin, person.external_id)
        if user is None and len(called) == 1:
            user = users_store.user_by_id(db, called[0])
        if user is not None:
            store.link(tx, origin, names.USER, person.external_id, user.id)
        return user

    def _created(self, tx: Transaction, origin: Origin, person: Person) -> Outcome:
        db, identity = tx.connection, identity_of(person)
        if identity is None:
            return IGNORED
        other = users_store.user_by_identity(db, origin.tenant_id, identity)
        if other is not None:
            self._keep_out(tx, origin, other)
            return IGNORED
        name = identity.partition(":")[2]
        user = User(
            origin.tenant_id, _record_id(db, person.external_id), identity,
            name if "@" in name else None, shown(person.display_name) or name[:128],
            ACTIVE if person.active is not False else SUSPENDED, roles=(), created_at=tx.now,
            issuer=origin.issuer, mfa_enabled=int(person.mfa_enabled or False),
            last_synced_at=tx.now, as_of=origin.as_of, external_id=person.external_id,
        )  # fmt: skip
        users_store.put_user(tx, user)
        store.link(tx, origin, names.USER, person.external_id, user.id)
        return CREATED

    def _keep_out(self, tx: Transaction, origin: Origin, owner: User) -> None:
        """The directory gave the address of ``owner`` to somebody else. Unless it is known whom
        the issuer's tokens mean by it, only the directory's own id of the owner is let in."""
        known = store.subjects_meant(tx.connection, owner.tenant_id, owner.identity_id)
        template = self._isses.get(origin.issuer)
        if owner.issuer != origin.issuer or template is None or owner.external_id is None or known:
            return
        iss = template.replace(PLACEHOLDER, owner.tenant_id)
        foreign.put_subject(tx, owner.tenant_id, owner.identity_id, iss, owner.external_id)

    def _updated(self, tx: Transaction, origin: Origin, user: User, person: Person) -> Outcome:
        told = user._replace(display_name=shown(person.display_name) or user.display_name)
        if person.mfa_enabled is not None:
            told = told._replace(mfa_enabled=int(person.mfa_enabled))
        if person.active is True:
            told = told._replace(status=ACTIVE)
        changed = told != user
        told = told._replace(as_of=origin.as_of, last_synced_at=tx.now)
        if person.active is False and user.status == ACTIVE:
            self.suspend(tx, told)
            return UPDATED
        users_store.put_user(tx, told)
        return UPDATED if changed else SAME

    # -- what is taken -------------------------------------------------------------------------

    def suspend(self, tx: Transaction, user: User) -> None:
        """End all access; the last super_admin keeps his status, or nobody could help himself."""
        meant = store.subjects_meant(tx.connection, user.tenant_id, user.identity_id)
        try:
            self._revoking.suspend(tx, user)
        except Refusal:
            self._end_all_but_status(tx, user)
        # To end all access also forgets whom an address means. That is for people to decide: the
        # user may come back when his address is another's.
        for iss, subject in meant:
            foreign.put_subject(tx, user.tenant_id, user.identity_id, iss, subject)
        _tell(tx, user, "status")

    def delete(self, tx: Transaction, user: User) -> None:
        """End the user; the same holds for the last super_admin."""
        try:
            self._revoking.delete(tx, user)
        except Refusal:
            self._end_all_but_status(tx, user)
        _tell(tx, user, "status")

    def _end_all_but_status(self, tx: Transaction, user: User) -> None:
        until = subjects.ended_by(tx, user)
        users_store.put_user(tx, user._replace(revoked_before=until))
        self._revoking.end_access(tx, user)

    def password_changed(self, tx: Transaction, user: User, at: int) -> None:
        """Tokens that were issued up to then count no more."""
        until = max(at, user.revoked_before or 0)
        users_store.put_user(tx, user._replace(revoked_before=until))
        store.revoke_issued_until(tx, user.tenant_id, user.identity_id, at)


def _tell(tx: Transaction, user: User, changed: str) -> None:
    tx.also("identity_update", None, object_type=names.USER, object_id=user.id, changed=[changed])


def _record_id(db: Connection, external_id: str) -> str:
    """The directory's own id where it has the form of ours and is free."""
    if _RECORD.fullmatch(external_id) and users_store.user_by_id(db, external_id) is None:
        return external_id
    return random_id("usr_")
