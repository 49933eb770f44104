"""Groups with their members, a part of ``client.identity``."""

from __future__ import annotations

from typing import Any

from scaivault_sdk._async.directory import BASE, Directory
from scaivault_sdk._async.pages import Page
from scaivault_sdk._calls import given, segment
from scaivault_sdk.models.identity import Group, GroupMember


class Groups(Directory):
    """Identities under one name."""

    async def groups(
        self,
        tenant_id: str | None = None,
        q: str | None = None,
        *,
        page: int | None = None,
        page_size: int | None = None,
    ) -> Page[Group]:
        """A page, by name. ``q``: part of the name."""
        query = {"q": q, "page": page, "page_size": page_size}
        return await self._in_tenant(tenant_id, "groups", Group.from_wire, query)

    async def get_group(self, group_id: str) -> Group:
        """One group."""
        return Group.from_wire(await self._get(_group(group_id)))

    async def create_group(
        self,
        name: str,
        *,
        display_name: str | None = None,
        parent_id: str | None = None,
        tenant_id: str | None = None,
    ) -> Group:
        """A new group. What is granted to the parent holds for its members too."""
        body = given(name=name, display_name=display_name, parent_id=parent_id, tenant_id=tenant_id)
        return Group.from_wire(await self._post(f"{BASE}/groups", body))

    async def update_group(self, group_id: str, **changes: Any) -> Group:
        """``changes``: ``display_name``, ``parent_id`` (None takes it out of its parent)."""
        return Group.from_wire(await self._patch(_group(group_id), changes))

    async def delete_group(self, group_id: str) -> None:
        """Remove a group and what was granted to it."""
        await self._delete(_group(group_id))

    async def members(
        self, group_id: str, *, page: int | None = None, page_size: int | None = None
    ) -> Page[GroupMember]:
        """A page of who belongs to a group, members of groups below it included."""
        query = {"page": page, "page_size": page_size}
        where = f"{_group(group_id)}/members"
        return await self._numbered(where, "members", GroupMember.from_wire, query)

    async def add_member(self, group_id: str, identity_id: str) -> GroupMember:
        """Put a user or a service account into a group."""
        where = f"{_group(group_id)}/members"
        return GroupMember.from_wire(await self._post(where, {"identity_id": identity_id}))

    async def remove_member(self, group_id: str, identity_id: str) -> None:
        """Take it out again."""
        await self._delete(f"{_group(group_id)}/members/{segment(identity_id, 'identity_id')}")


def _group(group_id: str) -> str:
    return f"{BASE}/groups/{segment(group_id, 'group_id')}"
