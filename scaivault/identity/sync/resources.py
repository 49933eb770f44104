"""SCIM's users and groups (RFC 7643 section 4): whom a directory knows, tenant by tenant."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, NamedTuple

from scaivault.config.identity import Issuer
from scaivault.identity.sync import scim
from scaivault.identity.sync.facts import Person, ToldGroup
from scaivault.identity.sync.people import identity_of

Resource = scim.Resource
_GROUP: Final = "group"


class Listed(NamedTuple):
    """All that a directory has in a tenant, by its ids."""

    people: dict[str, Person]
    groups: dict[str, ToldGroup]

    def identities(self) -> Counter[str]:
        """How many people have a canonical id: nobody has one that several claim."""
        return Counter(
            identity for one in self.people.values() if (identity := identity_of(one)) is not None
        )


def listed(
    issuer: Issuer,
    only: str | None,
    users: Iterable[Resource],
    groups: Iterable[Resource],
    is_wanted: Callable[[str], bool],
) -> dict[str, Listed]:
    """Tenant -> what is in it. ``only``: the tenant of whatever names none; ``is_wanted``: whether
    a tenant is there and in the run's range."""
    found: dict[str, Listed] = {}

    def of(resource: Resource) -> Listed | None:
        tenant = issuer.tenant or _told_tenant(issuer, resource) or only
        if tenant is None or not is_wanted(tenant):
            return None
        return found.setdefault(tenant, Listed({}, {}))

    for user in users:
        if (place := of(user)) is not None:
            place.people[user["id"]] = _person(user)
    for group in groups:
        if (place := of(group)) is not None:
            place.groups[group["id"]] = _group(group)
    return {tenant: _sorted_out(place) for tenant, place in found.items()}


def _told_tenant(issuer: Issuer, resource: Resource) -> str | None:
    """The tenant that a resource names, itself or in an extension (RFC 7643 section 3.3)."""
    name = issuer.claims.tenant
    if name is None:
        return None
    extensions = (value for key, value in resource.items() if key.startswith("urn:"))
    for place in (resource, *extensions):
        told = place.get(name.lower(), place.get(name)) if isinstance(place, dict) else None
        if isinstance(told, str) and told:
            return told
    return None


def _person(user: Resource) -> Person:
    return Person(
        user["id"],
        _email(user),
        _display_name(user),
        scim.is_active(user),
    )


def _email(user: Resource) -> str | None:
    """The primary address, else the one of work, else any, else a user name that is one."""
    told = [one for one in scim.emails_of(user) if _is_address(one.get("value"))]
    told.sort(key=lambda one: (one.get("primary") is not True, one.get("type") != "work"))
    if told:
        return str(told[0]["value"])
    name = user.get("username")
    return str(name) if _is_address(name) else None


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and "@" in value


def _display_name(user: Resource) -> str | None:
    name = user.get("name")
    name = name if isinstance(name, dict) else {}
    parts = (name.get("givenName"), name.get("familyName"))
    whole = " ".join(part for part in parts if isinstance(part, str) and part)
    told = (user.get("displayname"), name.get("formatted"), whole, user.get("username"))
    return next((one for one in told if isinstance(one, str) and one), None)


def _group(group: Resource) -> ToldGroup:
    """Members whose kind is not told stand among the users until all groups are known."""
    users: list[str] = []
    groups: list[str] = []
    for member in scim.members_of(group):
        value, kind, ref = (member.get(name) for name in ("value", "type", "$ref"))
        if not isinstance(value, str):
            continue
        is_group = isinstance(kind, str) and kind.lower() == _GROUP
        if kind is None and isinstance(ref, str):
            is_group = "/Groups/" in ref
        (groups if is_group else users).append(value)
    name = group.get("displayname")
    return ToldGroup(
        group["id"], name if isinstance(name, str) else None, tuple(users), tuple(groups)
    )


def _sorted_out(place: Listed) -> Listed:
    """With members that turn out to be groups among the groups."""
    groups = {}
    for told_group in place.groups.values():
        nested = {
            one for one in told_group.users if one in place.groups and one not in place.people
        }
        groups[told_group.external_id] = told_group._replace(
            users=tuple(one for one in told_group.users if one not in nested),
            groups=(*told_group.groups, *sorted(nested)),
        )
    return Listed(place.people, groups)
