# Made by scripts/sdk from scaivault_sdk/_async/identity.py; change it there.
"""``client.identity``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaivault_sdk._calls import given, segment
from scaivault_sdk._sync.base import Namespace
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.errors import TransportError
from scaivault_sdk.models.base import models_of
from scaivault_sdk.models.identity import (
    AdminRole,
    AssignedRoles,
    ClientCredential,
    Group,
    GroupMember,
    Identity,
    ServiceAccount,
)

_BASE = "/v1/identity"


class Identities(Namespace):
    """Service accounts with their credentials, groups with their members, admin roles.

    Ids may be record ids (``sa_…``, ``grp_…``) or canonical (``sa:name``, ``group:name``). Lists
    are of the caller's own tenant unless ``tenant_id`` names another.
    """

    def _tenant(self, tenant_id: str | None) -> str:
        """The tenant named, or the token's own."""
        if tenant_id is None:
            body = self._get("/v1/auth/whoami")
            tenant_id = body.get("tenant_id")
            if not isinstance(tenant_id, str):
                raise TransportError("the token belongs to no tenant; give a tenant_id")
        return f"{_BASE}/tenants/{segment(tenant_id, 'tenant_id')}"

    def resolve(self, identity_type: str, identity_id: str) -> Identity:
        """What an id stands for. ``identity_type``: ``user``, ``service_account``, ``group``."""
        where = f"{_BASE}/resolve/{segment(identity_type)}/{segment(identity_id)}"
        return Identity.from_wire(self._get(where))

    def roles(self) -> list[AdminRole]:
        """The admin roles there are, from the lowest."""
        body = self._get(f"{_BASE}/roles")
        return models_of(AdminRole, body.get("roles"))

    # -- service accounts -----------------------------------------------------------------------

    def service_accounts(
        self,
        tenant_id: str | None = None,
        q: str | None = None,
        status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[ServiceAccount]:
        """A page, by name. ``q``: part of the name."""
        where = self._tenant(tenant_id) + "/service-accounts"
        query = {"q": q, "status": status, "page": page, "page_size": page_size}
        return self._numbered(where, "service_accounts", ServiceAccount.from_wire, query)

    def get_service_account(self, account_id: str) -> ServiceAccount:
        """One account."""
        return ServiceAccount.from_wire(self._get(_account(account_id)))

    def create_service_account(
        self,
        name: str,
        scopes: Sequence[str],
        *,
        display_name: str | None = None,
        groups: Sequence[str] | None = None,
        tenant_id: str | None = None,
    ) -> ServiceAccount:
        """A new account; it has no credentials yet."""
        body = given(
            name=name,
            scopes=list(scopes),
            display_name=display_name,
            groups=groups,
            tenant_id=tenant_id,
        )
        return ServiceAccount.from_wire(self._post(f"{_BASE}/service-accounts", body))

    def update_service_account(self, account_id: str, **changes: Any) -> ServiceAccount:
        """``changes``: ``scopes``, ``display_name``, ``status`` (``ACTIVE``, ``SUSPENDED``),
        ``groups``."""
        return ServiceAccount.from_wire(self._patch(_account(account_id), changes))

    def delete_service_account(self, account_id: str) -> None:
        """Remove an account; its tokens end at once."""
        self._delete(_account(account_id))

    def credentials(self, account_id: str) -> list[ClientCredential]:
        """An account's client secrets, without them."""
        body = self._get(f"{_account(account_id)}/credentials")
        return models_of(ClientCredential, body.get("credentials"))

    def create_credentials(
        self, account_id: str, *, name: str | None = None, expires_in: str | None = None
    ) -> ClientCredential:
        """A new client secret, told here and never again."""
        body = given(name=name, expires_in=expires_in)
        return ClientCredential.from_wire(self._post(f"{_account(account_id)}/credentials", body))

    def delete_credentials(self, account_id: str, credential_id: str) -> None:
        """End a client secret and its tokens."""
        self._delete(f"{_account(account_id)}/credentials/{segment(credential_id)}")

    def service_account_roles(self, account_id: str) -> AssignedRoles:
        """The admin roles of an account."""
        return AssignedRoles.from_wire(self._get(f"{_account(account_id)}/roles"))

    def set_service_account_roles(self, account_id: str, roles: Sequence[str]) -> AssignedRoles:
        """Replace them all."""
        body = {"roles": list(roles)}
        return AssignedRoles.from_wire(self._put(f"{_account(account_id)}/roles", body))

    # -- groups ---------------------------------------------------------------------------------

    def groups(
        self,
        tenant_id: str | None = None,
        q: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[Group]:
        """A page, by name. ``q``: part of the name."""
        where = self._tenant(tenant_id) + "/groups"
        query = {"q": q, "page": page, "page_size": page_size}
        return self._numbered(where, "groups", Group.from_wire, query)

    def get_group(self, group_id: str) -> Group:
        """One group."""
        return Group.from_wire(self._get(_group(group_id)))

    def create_group(
        self,
        name: str,
        *,
        display_name: str | None = None,
        parent_id: str | None = None,
        tenant_id: str | None = None,
    ) -> Group:
        """A new group. What is granted to the parent holds for its members too."""
        body = given(name=name, display_name=display_name, parent_id=parent_id, tenant_id=tenant_id)
        return Group.from_wire(self._post(f"{_BASE}/groups", body))

    def update_group(self, group_id: str, **changes: Any) -> Group:
        """``changes``: ``display_name``, ``parent_id`` (None takes it out of its parent)."""
        return Group.from_wire(self._patch(_group(group_id), changes))

    def delete_group(self, group_id: str) -> None:
        """Remove a group and what was granted to it."""
        self._delete(_group(group_id))

    def members(
        self, group_id: str, *, page: int | None = None, page_size: int | None = None
    ) -> Page[GroupMember]:
        """A page of who belongs to a group, members of groups below it included."""
        query = {"page": page, "page_size": page_size}
        where = f"{_group(group_id)}/members"
        return self._numbered(where, "members", GroupMember.from_wire, query)

    def add_member(self, group_id: str, identity_id: str) -> GroupMember:
        """Put a user or a service account into a group."""
        where = f"{_group(group_id)}/members"
        return GroupMember.from_wire(self._post(where, {"identity_id": identity_id}))

    def remove_member(self, group_id: str, identity_id: str) -> None:
        """Take it out again."""
        self._delete(f"{_group(group_id)}/members/{segment(identity_id)}")


def _account(account_id: str) -> str:
    return f"{_BASE}/service-accounts/{segment(account_id)}"


def _group(group_id: str) -> str:
    return f"{_BASE}/groups/{segment(group_id)}"
