"""Requests and answers about groups, their members, and who somebody is."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from scaivault.wire.identity import Name, Reference


class GroupBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new group."""

    name: str
    display_name: Name | None = None
    parent_id: Reference | None = None
    tenant_id: str | None = None


class NewGroup(Struct, frozen=True):
    """POST /v1/identity/groups"""

    body: GroupBody


class GroupPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a group; ``parent_id`` null takes it out of its parent."""

    display_name: Name | UnsetType = UNSET
    parent_id: Reference | UnsetType | None = UNSET


class ChangeGroup(Struct, frozen=True):
    """PATCH /v1/identity/groups/{id}"""

    id: str
    body: GroupPatch


class GroupId(Struct, frozen=True):
    """A group by record id or canonical id."""

    id: str


class ListGroups(Struct, frozen=True):
    """GET /v1/identity/tenants/{tenant_id}/groups"""

    tenant_id: str
    q: Annotated[str, Meta(max_length=400)] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


class Group(Struct):
    """A group; ``member_count`` counts its own members, not those of groups below it."""

    id: str
    identity_id: str
    tenant_id: str
    name: str
    display_name: str
    parent_id: str | None
    member_count: int
    issuer: str
    last_synced_at: str | None


class GroupPage(Struct):
    """One page of groups."""

    groups: list[Group]
    total: int


class ListMembers(Struct, frozen=True):
    """GET /v1/identity/groups/{id}/members"""

    id: str
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


class Member(Struct):
    """Who belongs to a group: ``DIRECT``, or ``INHERITED`` from a group below it.

    ``user_id`` is the record id, also of a service account; null for a user whom only an outside
    issuer knows so far. ``added_at`` is when the membership was made that it comes from."""

    user_id: str | None
    email: str | None
    membership_type: str
    added_at: str
    identity_id: str
    identity_type: str


class MemberPage(Struct):
    """One page of members."""

    members: list[Member]
    total: int


class MemberBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A user or a service account, by record id or canonical id."""

    identity_id: Reference


class NewMember(Struct, frozen=True):
    """POST /v1/identity/groups/{id}/members"""

    id: str
    body: MemberBody


class MemberId(Struct, frozen=True):
    """One direct member of one group."""

    id: str
    identity_id: str


class Resolve(Struct, frozen=True):
    """GET /v1/identity/resolve/{identity_type}/{identity_id}: ``user``, ``service_account`` or
    ``group``, and an id of that type in any form."""

    identity_type: str
    identity_id: str


class Resolved(Struct):
    """Who somebody is; ``groups`` are all that count for it, those above its own included."""

    id: str
    type: str
    identity_id: str
    display_name: str
    tenant_id: str
    partner_id: str
    status: str
    groups: list[str]
    roles: list[str]
    issuer: str


class RoleItem(Struct):
    """An admin role, and whether the caller could give it to somebody."""

    name: str
    description: str
    grantable: bool


class RoleList(Struct):
    """All admin roles, from the lowest."""

    roles: list[RoleItem]
