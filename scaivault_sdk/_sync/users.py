# Made by scripts/sdk from scaivault_sdk/_async/users.py; change it there.
"""People, and the end of what somebody had: a part of ``client.identity``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scaivault_sdk._calls import given, segment
from scaivault_sdk._sync.directory import BASE, Directory
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.identity import AccessRevocation, AssignedRoles, User


class Users(Directory):
    """Users with their roles."""

    def users(
        self,
        tenant_id: str | None = None,
        q: str | None = None,
        status: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[User]:
        """A page, by name. ``q``: part of the e-mail address or the name."""
        query = {"q": q, "status": status, "page": page, "page_size": page_size}
        return self._in_tenant(tenant_id, "users", User.from_wire, query)

    def get_user(self, user_id: str) -> User:
        """One user."""
        return User.from_wire(self._get(_user(user_id)))

    def create_user(
        self,
        email: str,
        *,
        display_name: str | None = None,
        groups: Sequence[str] | None = None,
        tenant_id: str | None = None,
    ) -> User:
        """A new user. The address never changes, and is never given to another one."""
        body = given(email=email, display_name=display_name, groups=groups, tenant_id=tenant_id)
        return User.from_wire(self._post(f"{BASE}/users", body))

    def update_user(self, user_id: str, **changes: Any) -> User:
        """``changes``: ``display_name``, ``status`` (``ACTIVE``, ``SUSPENDED``), ``groups`` (the
        whole list)."""
        return User.from_wire(self._patch(_user(user_id), changes))

    def delete_user(self, user_id: str) -> None:
        """Remove a user with all that was granted to him; his tokens end at once."""
        self._delete(_user(user_id))

    def delete_user_mfa(self, user_id: str) -> None:
        """Take a lost second factor away, so that he can enrol another."""
        self._delete(f"{_user(user_id)}/mfa")

    def user_roles(self, user_id: str) -> AssignedRoles:
        """The admin roles of a user."""
        return AssignedRoles.from_wire(self._get(f"{_user(user_id)}/roles"))

    def set_user_roles(self, user_id: str, roles: Sequence[str]) -> AssignedRoles:
        """Replace them all."""
        body = {"roles": list(roles)}
        return AssignedRoles.from_wire(self._put(f"{_user(user_id)}/roles", body))

    def revoke_access(
        self, identity_type: str, identity_id: str, *, reason: str | None = None
    ) -> AccessRevocation:
        """End everything that a ``user`` or ``service_account`` has, in one step: tokens (those of
        other issuers too), client secrets, trusts, subscriptions, leases. The identity stays, and
        what is granted to it. ``reason`` goes into the audit log."""
        kind, one = segment(identity_type, "identity_type"), segment(identity_id, "identity_id")
        where = f"{BASE}/{kind}/{one}/revoke-access"
        return AccessRevocation.from_wire(self._post(where, given(reason=reason)))


def _user(user_id: str) -> str:
    return f"{BASE}/users/{segment(user_id, 'user_id')}"
