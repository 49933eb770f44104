"""Requests and answers about users, about everybody's admin roles, and about an end to access."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from scaivault.wire.identity import Name, References


class UserBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A new user of the local issuer, shown by his address unless another name is given;
    ``groups`` are those that he is himself a member of."""

    email: Annotated[str, Meta(min_length=1, max_length=400)]
    display_name: Name | None = None
    groups: References = []
    tenant_id: str | None = None


class NewUser(Struct, frozen=True):
    """POST /v1/identity/users"""

    body: UserBody


class UserPatch(Struct, forbid_unknown_fields=True, frozen=True):
    """What can change about a user; ``groups`` is the whole list."""

    display_name: Name | UnsetType = UNSET
    status: Literal["ACTIVE", "SUSPENDED"] | UnsetType = UNSET
    groups: References | UnsetType | None = UNSET


class ChangeUser(Struct, frozen=True):
    """PATCH /v1/identity/users/{id}"""

    id: str
    body: UserPatch


class UserId(Struct, frozen=True):
    """A user by record id or canonical id."""

    id: str


class ListUsers(Struct, frozen=True):
    """GET /v1/identity/tenants/{tenant_id}/users: ``q`` stands in the e-mail address or the name
    shown, in whatever case. Without ``status``: all but deleted ones."""

    tenant_id: str
    status: Literal["ACTIVE", "SUSPENDED", "DELETED"] | None = None
    q: Annotated[str, Meta(max_length=400)] | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    page_size: Annotated[int, Meta(ge=1, le=200)] = 50


class User(Struct):
    """A user. ``groups`` are those that he is himself a member of, by record id; ``email`` is null
    where his issuer tells only a subject."""

    id: str
    identity_id: str
    tenant_id: str
    email: str | None
    display_name: str
    status: str
    mfa_enabled: bool
    groups: list[str]
    roles: list[str]
    issuer: str
    last_seen_at: str | None
    last_synced_at: str | None


class UserPage(Struct):
    """One page of users."""

    users: list[User]
    total: int


class RolesOfUser(Struct, frozen=True):
    """GET /v1/identity/users/{user_id}/roles"""

    user_id: str


class RolesBody(Struct, forbid_unknown_fields=True, frozen=True):
    """The whole list of admin roles."""

    roles: list[str]


class ChangeRolesOfUser(Struct, frozen=True):
    """PUT /v1/identity/users/{user_id}/roles"""

    user_id: str
    body: RolesBody


class ChangeRolesOfAccount(Struct, frozen=True):
    """PUT /v1/identity/service-accounts/{id}/roles"""

    id: str
    body: RolesBody


class Roles(Struct):
    """Admin roles. ``user_id`` is the record id, also of a service account. Who changed them and
    when is told by the change only."""

    user_id: str
    roles: list[str]
    updated_at: str | UnsetType = UNSET
    updated_by: str | UnsetType = UNSET


class ReasonBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Why; it stands in the audit row."""

    reason: Annotated[str, Meta(max_length=500)] | None = None


class RevokeAccess(Struct, frozen=True):
    """POST /v1/identity/{type}/{id}/revoke-access: ``user`` or ``service_account``, and an id of
    that type."""

    type: str
    id: str
    body: ReasonBody


class AccessRevoked(Struct):
    """What ended; tokens of outside issuers end when they were issued up to ``revoked_before``.
    ``leases_pending``: those whose target has yet to confirm."""

    identity_id: str
    revoked_before: str
    tokens_revoked: int
    credentials_revoked: int
    trusts_disabled: int
    subscriptions_disabled: int
    leases_revoked: int
    leases_pending: int
