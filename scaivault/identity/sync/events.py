"""ScaiKey's events, and what each of them does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from scaivault.clock import parse_instant
from scaivault.gate.transaction import Transaction
from scaivault.identity import names
from scaivault.identity.model import ACTIVE, DELETED, SUSPENDED, User
from scaivault.identity.store import users as users_store
from scaivault.identity.sync import store
from scaivault.identity.sync.facts import (
    APPLIED,
    IGNORED,
    STALE,
    UPDATED,
    Origin,
    Outcome,
    Person,
    ToldGroup,
)
from scaivault.identity.sync.groups import Groups
from scaivault.identity.sync.people import People
from scaivault.identity.sync.places import Places, status_told
from scaivault.tenancy import Tenancy
from scaivault.tenancy.model import partner_id
from scaivault.wire.sync import ScaiKeyEvent

_ENDED: Final = {"suspended": SUSPENDED, "deleted": DELETED}
_UPSERTED: Final = frozenset(("created", "updated", "activated"))
_MFA: Final = {"mfa_enabled": True, "mfa_disabled": False}
_MEMBER: Final = {
    "group.member_added": True, "group.member_removed": False,
    "group_membership.added": True, "group_membership.removed": False,
}  # fmt: skip


class Events:
    """One per open vault. ``issuer``: the name of ScaiKey in the configuration. Everything here
    happens inside a transaction."""

    def __init__(
        self, issuer: str, tenancy: Tenancy, people: People, groups: Groups, places: Places
    ) -> None:
        self._issuer: Final = issuer
        self._tenancy: Final = tenancy
        self._people: Final = people
        self._groups: Final = groups
        self._places: Final = places

    def take(self, tx: Transaction, event: ScaiKeyEvent) -> str:
        """``applied``, ``ignored`` or ``stale``. News from the future is of now: a clock that goes
        wrong for a moment must not outdate all that comes after it."""
        kind, _, verb = event.event_type.partition(".")
        as_of = min(parse_instant(event.timestamp), tx.now)
        effects: Mapping[str, Callable[[Transaction, ScaiKeyEvent, str, int], Outcome]] = {
            "partner": self._partner,
            "tenant": self._tenant,
            "user": self._user,
            "group": self._group,
            "group_membership": self._group,
        }
        if kind not in effects or not verb:
            return IGNORED
        outcome = effects[kind](tx, event, verb, as_of)
        return outcome if outcome in {IGNORED, STALE} else APPLIED

    # -- partners and tenants ------------------------------------------------------------------

    def _partner(self, tx: Transaction, event: ScaiKeyEvent, verb: str, as_of: int) -> Outcome:
        data, wanted = event.data or {}, partner_id(event.resource.id)
        if _partner_of(event) not in {"", wanted}:
            return IGNORED
        origin = Origin(self._issuer, "", as_of)
        outcome = self._places.partner(tx, origin, wanted, status_told(verb, data), data)
        if outcome != IGNORED:
            tx.concern(None, wanted)
        return outcome

    def _tenant(self, tx: Transaction, event: ScaiKeyEvent, verb: str, as_of: int) -> Outcome:
        data, wanted = event.data or {}, event.resource.id
        if event.tenant_id not in {None, wanted}:
            return IGNORED
        origin = Origin(self._issuer, wanted, as_of)
        outcome = self._places.tenant(tx, origin, _partner_of(event), status_told(verb, data), data)
        if outcome != IGNORED:
            self._concern(tx, wanted)
        return outcome

    # -- users ---------------------------------------------------------------------------------

    def _user(self, tx: Transaction, event: ScaiKeyEvent, verb: str, as_of: int) -> Outcome:
        origin = self._origin(tx, event, as_of)
        if origin is None:
            return IGNORED
        person = _person(event)
        ended = _ENDED.get(verb)
        if verb in _UPSERTED:
            told = status_told("updated", event.data or {})
            if told != DELETED:
                person = person._replace(active=told != SUSPENDED)
                return self._upsert(tx, origin, person, told == ACTIVE or verb == "activated")
            ended = DELETED
        if ended is not None:
            return self._end(tx, origin, person, ended)
        users = self._people.meant(tx.connection, origin, person)
        if verb == "password_changed":
            for user in users:
                self._people.password_changed(tx, user, as_of)
            return UPDATED if users else IGNORED
        if verb in _MFA:
            return _worst([self._mfa(tx, origin, user, _MFA[verb]) for user in users])
        return IGNORED

    def _upsert(self, tx: Transaction, origin: Origin, person: Person, lifts: bool) -> Outcome:
        """``lifts``: the event says in so many words that the user is active. Others do not lift
        a suspension of the same instant: a sender that writes whole seconds may tell of it as of
        an update too."""
        if store.has_ended(tx.connection, origin, names.USER, person.external_id):
            return STALE
        users = self._people.meant(tx.connection, origin, person)
        if not users and not self._is_own(tx, origin):
            return IGNORED
        at_once = [one for one in users if one.status == SUSPENDED and one.as_of == origin.as_of]
        if at_once and not lifts:
            person = person._replace(active=None)
        return self._people.upsert(tx, origin, person)

    def _end(self, tx: Transaction, origin: Origin, person: Person, status: str) -> Outcome:
        users = self._people.meant(tx.connection, origin, person)
        if not users and self._is_own(tx, origin):
            store.ended_early(tx, origin, names.USER, person.external_id)
        outcomes: list[Outcome] = []
        for user in users:
            if (user.as_of or 0) > origin.as_of:
                outcomes.append(STALE)
                continue
            end = self._people.delete if status == DELETED else self._people.suspend
            end(tx, user._replace(as_of=origin.as_of, last_synced_at=tx.now))
            outcomes.append(UPDATED)
        return _worst(outcomes)

    @staticmethod
    def _mfa(tx: Transaction, origin: Origin, user: User, enabled: bool) -> Outcome:
        if (user.as_of or 0) > origin.as_of:
            return STALE
        told = user._replace(mfa_enabled=int(enabled), as_of=origin.as_of, last_synced_at=tx.now)
        users_store.put_user(tx, told)
        return UPDATED

    # -- groups --------------------------------------------------------------------------------

    def _group(self, tx: Transaction, event: ScaiKeyEvent, verb: str, as_of: int) -> Outcome:
        origin = self._origin(tx, event, as_of)
        if origin is None:
            return IGNORED
        if event.event_type in _MEMBER:
            return self._member(tx, origin, event)
        if event.event_type.startswith("group_membership."):
            return IGNORED
        external_id = event.resource.id
        if verb == "deleted":
            if self._groups.linked(tx.connection, origin, external_id) is None:
                store.ended_early(tx, origin, names.GROUP, external_id)
            return self._groups.delete(tx, origin, external_id)
        if verb not in {"created", "updated"}:
            return IGNORED
        return self._upsert_group(tx, origin, event.data or {}, external_id)

    def _upsert_group(
        self, tx: Transaction, origin: Origin, data: Mapping[str, Any], external_id: str
    ) -> Outcome:
        db = tx.connection
        if store.has_ended(db, origin, names.GROUP, external_id):
            return STALE
        if self._groups.linked(db, origin, external_id) is None and not self._is_own(tx, origin):
            return IGNORED
        name = _text(data, "name", "display_name")
        outcome = self._groups.upsert(tx, origin, ToldGroup(external_id, name))
        if "parent_id" in data and outcome not in {STALE, IGNORED}:
            self._move(tx, origin, external_id, _text(data, "parent_id"))
        return outcome

    def _move(self, tx: Transaction, origin: Origin, external_id: str, above: str | None) -> None:
        db = tx.connection
        group = self._groups.linked(db, origin, external_id)
        if group is None:
            return
        group = self._groups.loosen(tx, group)
        parent = None if above is None else self._groups.linked(db, origin, above)
        if parent is not None:
            self._groups.nest(tx, group, parent)

    def _member(self, tx: Transaction, origin: Origin, event: ScaiKeyEvent) -> Outcome:
        db, data = tx.connection, event.data or {}
        named = _named(data, "group")
        is_group = event.event_type.startswith("group.")
        if is_group and named not in {None, event.resource.id}:
            return IGNORED
        group_id = event.resource.id if is_group else named
        group = None if group_id is None else self._groups.linked(db, origin, group_id)
        user_id = _named(data, "user") or _named(data, "member")
        if group is None or user_id is None:
            return IGNORED
        belongs = _MEMBER[event.event_type]
        # By the directory's id alone: an address may be another person's by now.
        users = self._people.meant(db, origin, Person(user_id))
        return _worst(
            [
                self._groups.member(tx, origin, group, user.identity_id, belongs=belongs)
                for user in users
            ]
        )

    # -- where ---------------------------------------------------------------------------------

    def _origin(self, tx: Transaction, event: ScaiKeyEvent, as_of: int) -> Origin | None:
        """The tenant that an event is about; None when there is none, or when the event puts it
        under another partner than it has."""
        tenant_id = event.tenant_id
        tenant = None if tenant_id is None else self._tenancy.tenant(tx.connection, tenant_id)
        if tenant is None or tenant.status == DELETED:
            return None
        if _partner_of(event) not in {"", tenant.partner_id}:
            return None
        self._concern(tx, tenant.id)
        return Origin(self._issuer, tenant.id, as_of)

    def _is_own(self, tx: Transaction, origin: Origin) -> bool:
        """Whether the issuer may bring somebody new there: only in tenants of its partners."""
        db = tx.connection
        tenant = self._tenancy.tenant(db, origin.tenant_id)
        partner = None if tenant is None else self._tenancy.partner(db, tenant.partner_id)
        return partner is not None and partner.issuer == self._issuer

    def _concern(self, tx: Transaction, tenant_id: str) -> None:
        tenant = self._tenancy.tenant(tx.connection, tenant_id)
        if tenant is not None:
            tx.concern(tenant.id, tenant.partner_id)


def _partner_of(event: ScaiKeyEvent) -> str:
    """The partner that an event names, wherever it does; empty: none."""
    named = event.partner_id or _text(event.data or {}, "partner_id")
    return "" if named is None else partner_id(named)


def _person(event: ScaiKeyEvent) -> Person:
    data = event.data or {}
    email = _text(data, "email")
    mfa = data.get("mfa_enabled")
    return Person(
        event.resource.id,
        email if email is not None and "@" in email else None,
        _text(data, "display_name", "name"),
        mfa_enabled=mfa if isinstance(mfa, bool) else None,
    )


def _named(data: Mapping[str, Any], what: str) -> str | None:
    """An id that is told as ``user_id`` or as ``user: {id}``."""
    whole = data.get(what)
    return _text(data, f"{what}_id") or (_text(whole, "id") if isinstance(whole, dict) else None)


def _text(data: Mapping[str, Any], *keys: str) -> str | None:
    """The first of these that is a text."""
    found = (data.get(key) for key in keys)
    return next((value for value in found if isinstance(value, str) and value), None)


def _worst(outcomes: list[Outcome]) -> Outcome:
    """Of several records that stand for one person: ``stale`` only if nothing changed."""
    if not outcomes:
        return IGNORED
    return next((one for one in outcomes if one not in {STALE, IGNORED}), outcomes[0])
