"""A directory's list of a tenant into the vault: in steps, each of which is one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from itertools import islice
from typing import Final, NamedTuple, TypeVar

from scaivault.gate.transaction import Transaction
from scaivault.identity import names
from scaivault.identity.model import ACTIVE
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store import users as users_store
from scaivault.identity.sync import store
from scaivault.identity.sync.facts import (
    CREATED,
    SAME,
    UPDATED,
    Counters,
    Origin,
    Outcome,
    Person,
)
from scaivault.identity.sync.groups import Groups
from scaivault.identity.sync.nesting import Arranged, arrange
from scaivault.identity.sync.people import People, identity_of
from scaivault.identity.sync.resources import Listed
from scaivault.storage.file import Connection

STEP: Final = 200
_T = TypeVar("_T")

Step = Callable[[Transaction], Counters]


class Absent(NamedTuple):
    """Who of an issuer's users in a tenant is not to stay as he is, by record id. ``active``: how
    many users were active."""

    active: int
    suspended: list[str]
    missed: list[str]


def absent(db: Connection, origin: Origin, listed: Listed) -> Absent:
    """``suspended``: active users whom the directory has as inactive, or has not for the second
    time; ``missed``: whom it has not for the first time. Newer news count."""
    by_identity = {
        identity: person
        for person in listed.people.values()
        if (identity := identity_of(person)) is not None
    }
    found = Absent(0, [], [])
    for user in store.users_of(db, origin.issuer, origin.tenant_id):
        is_active = user.status == ACTIVE
        found = found._replace(active=found.active + is_active)
        if user.external_id is not None:
            person = listed.people.get(user.external_id)
        else:
            person = by_identity.get(user.identity_id)
        if user.as_of > origin.as_of:
            continue
        ends = user.missed if person is None else person.active is False
        if is_active and ends:
            found.suspended.append(user.id)
        elif person is None and not user.missed:
            found.missed.append(user.id)
    return found


class TakingOver:
    """One tenant of one run."""

    def __init__(
        self, people: People, groups: Groups, origin: Origin, listed: Listed, gone: Absent
    ) -> None:
        self._people: Final = people
        self._groups: Final = groups
        self._origin: Final = origin
        self._listed: Final = listed
        self._gone: Final = gone
        self._arranged: Final[Arranged] = arrange(listed.groups)
        self._identities: Final[Counter[str]] = listed.identities()
        self._told_of: set[str] = set()
        self._known: dict[str, str] | None = None

    def steps(self) -> Iterator[Step]:
        """In their order: who leaves loses his rights before others gain any."""
        for gone in _chunks(self._gone.suspended):
            yield partial(self._suspend, records=gone)
        for people in _chunks(sorted(self._listed.people.values())):
            yield partial(self._upsert, people=people)
        for missed in _chunks(self._gone.missed):
            yield partial(self._miss, records=missed)
        for groups in _chunks(sorted(self._listed.groups)):
            yield partial(self._name, groups=groups)
        for groups in _chunks(sorted(self._listed.groups)):
            yield partial(self._fill, groups=groups)
        yield self._empty

    # -- users ---------------------------------------------------------------------------------

    def _suspend(self, tx: Transaction, records: list[str]) -> Counters:
        ended = []
        for record in records:
            user = users_store.user_by_id(tx.connection, record)
            if user is None or user.status != ACTIVE or (user.as_of or 0) > self._origin.as_of:
                continue
            told = user._replace(as_of=self._origin.as_of, last_synced_at=tx.now)
            self._people.suspend(tx, told)
            store.missed(tx, record)
            ended.append(record)
        tx.note(object_type=names.USER, changed=ended)
        return Counters(suspended=len(ended))

    def _upsert(self, tx: Transaction, people: list[Person]) -> Counters:
        outcomes: dict[str, Outcome] = {}
        for person in people:
            is_known = self._people.linked(tx.connection, self._origin, person.external_id)
            if is_known is None and self._identities[identity_of(person) or ""] > 1:
                continue  # an address that two people claim is nobody's
            outcomes[person.external_id] = self._people.upsert(
                tx, self._origin, person, others=self._listed.people
            )
        return self._counted(tx, names.USER, outcomes)

    def _miss(self, tx: Transaction, records: list[str]) -> Counters:
        for record in records:
            store.missed(tx, record)
        return self._counted(tx, names.USER, {})

    # -- groups --------------------------------------------------------------------------------

    def _name(self, tx: Transaction, groups: list[str]) -> Counters:
        """Each group with its name, and at the top unless it stays below the same one."""
        outcomes: dict[str, Outcome] = {}
        for name in groups:
            outcome = self._groups.upsert(tx, self._origin, self._listed.groups[name])
            outcomes[name] = outcome
            group = self._groups.linked(tx.connection, self._origin, name)
            if group is None or outcome not in {CREATED, UPDATED, SAME}:
                continue
            self._told_of.add(name)
            if group.parent_id != self._parent(tx.connection, name):
                self._groups.loosen(tx, group)
        return self._counted(tx, names.GROUP, outcomes)

    def _fill(self, tx: Transaction, groups: list[str]) -> Counters:
        """Members, and the place below another group."""
        outcomes: dict[str, Outcome] = {}
        for name in groups:
            group = self._groups.linked(tx.connection, self._origin, name)
            if group is None or name not in self._told_of:
                continue
            wanted = self._parent(tx.connection, name)
            above = None if wanted is None else groups_store.group_by_id(tx.connection, wanted)
            if above is not None and group.parent_id != above.id:
                self._groups.nest(tx, group, above)
            members = self._members(tx.connection, self._arranged.users[name])
            outcomes[name] = self._groups.members(tx, self._origin, group, members)
        return self._counted(tx, names.GROUP, outcomes)

    def _parent(self, db: Connection, name: str) -> str | None:
        """The record of the group above."""
        above = self._arranged.parents.get(name)
        return None if above is None else store.linked(db, self._origin, names.GROUP, above)

    def _members(self, db: Connection, people: Iterable[str]) -> list[str]:
        """Canonical ids of those whom we know; nobody else is a member."""
        if self._known is None:
            self._known = store.identities(db, self._origin)
        return [self._known[one] for one in people if one in self._known]

    def _empty(self, tx: Transaction) -> Counters:
        """Groups that are missing for the second time have no members any more; they are filled
        again should they come back."""
        place = self._origin.issuer, self._origin.tenant_id
        missed = store.missing_groups(tx.connection, *place)
        outcomes: dict[str, Outcome] = {}
        for name, record in store.links(tx.connection, *place, names.GROUP).items():
            group = groups_store.group_by_id(tx.connection, record)
            if name in self._listed.groups or group is None or group.deleted_at is not None:
                continue
            if (group.as_of or 0) > self._origin.as_of:
                continue
            if record in missed:
                outcomes[name] = self._groups.members(tx, self._origin, group, ())
            store.missed(tx, record)
        return self._counted(tx, names.GROUP, outcomes)

    # -- what is told --------------------------------------------------------------------------

    def _counted(self, tx: Transaction, kind: str, outcomes: Mapping[str, Outcome]) -> Counters:
        """By external id. The ledger has the records that changed."""
        told = list(outcomes.values())
        changed = [
            store.linked(tx.connection, self._origin, kind, name)
            for name, outcome in outcomes.items()
            if outcome in {CREATED, UPDATED}
        ]
        tx.note(object_type=kind, changed=changed)
        return Counters(created=told.count(CREATED), updated=told.count(UPDATED))


def _chunks(items: Iterable[_T]) -> Iterator[list[_T]]:
    left = iter(items)
    while chunk := list(islice(left, STEP)):
        yield chunk
