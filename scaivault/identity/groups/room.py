"""Groups: made, nested and deleted here; policies are bound to them.

What is bound to a group holds for all who belong to it, and for all who belong to a group below
it. Groups nest at most five deep."""

from __future__ import annotations

from typing import Final

from scaivault.clock import instant_or_none
from scaivault.errors import Refusal, check_fields, faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import lookup, names
from scaivault.identity.authentication import Authentication
from scaivault.identity.reach import Reach
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store.groups import Group
from scaivault.ids import random_id
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import groups as wire
from scaivault.wire.names import name_fault

DEEPEST: Final = 5


class Groups:
    """One per open vault."""

    def __init__(self, gate: Gate, authentication: Authentication, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)

    # -- verbs ---------------------------------------------------------------------------------

    async def create(self, caller: Caller, request: wire.NewGroup) -> wire.Group:
        """A group in the caller's tenant, or in one that his role reaches."""
        body = request.body
        self._reach.aim(caller, body.tenant_id)
        told = body.display_name
        check_fields({"name": names.id_fault(body.name), "display_name": name_fault(told)})
        identity_id = names.made("group", body.name)
        display_name = told or body.name

        def create(tx: Transaction) -> wire.Group:
            tenant = caller.tenant
            if groups_store.group_by_identity(tx.connection, tenant, identity_id) is not None:
                raise Refusal(
                    "already_exists",
                    "a group has, or had, this name; it is given once",
                    field="name",
                )
            group = Group(tenant, random_id("grp_"), identity_id, display_name, None, tx.now)
            if body.parent_id is not None:
                group = _moved(tx.connection, group, body.parent_id)
            groups_store.put_group(tx, group)
            tx.note(object_type="group", object_id=group.id)
            return _info(tx.connection, group)

        return await self.gate.change(caller, Act("identity_create"), create)

    async def get(self, caller: Caller, request: wire.GroupId) -> wire.Group:
        """One group."""
        act = Act("identity_read")

        def question(db: Connection) -> tuple[wire.Group, str]:
            group = self._reach.group(db, caller, request.id)
            return _info(db, group), group.tenant_id

        async def look() -> wire.Group:
            seen, tenant_id = await self.gate.ask(question)
            self._tenancy.concern(caller, tenant_id)
            act.extra.update(object_type="group", object_id=seen.id)
            return seen

        return await self.gate.read(caller, act, look)

    async def page(self, caller: Caller, request: wire.ListGroups) -> wire.GroupPage:
        """The groups of a tenant, by name."""
        size, skip = request.page_size, (request.page - 1) * request.page_size

        def question(db: Connection) -> wire.GroupPage:
            wanted = (request.q or "").casefold()
            found, total = groups_store.groups(db, request.tenant_id, wanted, size, skip)
            return wire.GroupPage([_info(db, group) for group in found], total)

        async def look() -> wire.GroupPage:
            self._reach.tenant(caller, request.tenant_id)
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("identity_read"), look)

    async def change(self, caller: Caller, request: wire.ChangeGroup) -> wire.Group:
        """Another name shown, or another place: what is bound to the groups above holds for the
        members, or holds no more, from the next request on."""
        display_name, parent = request.body.display_name, request.body.parent_id
        if isinstance(display_name, str):
            check_fields({"display_name": name_fault(display_name)})

        def change(tx: Transaction) -> wire.Group:
            group = self._reach.group_to_change(tx, caller, request.id)
            changed = []
            if isinstance(display_name, str):
                group = group._replace(display_name=display_name)
                changed.append("display_name")
            if parent is None or isinstance(parent, str):
                group = _moved(tx.connection, group, parent)
                changed.append("parent_id")
            groups_store.put_group(tx, group)
            tx.note(changed=changed)
            tx.then(self._authentication.forget)
            return _info(tx.connection, group)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.GroupId) -> None:
        """End a group with its memberships and bindings. Groups below it stay, at the top; its
        name is never given out again."""

        def delete(tx: Transaction) -> None:
            group = self._reach.group_to_change(tx, caller, request.id)
            groups_store.dissolve(tx, group)
            self._authentication.on_deleted(tx, group.tenant_id, group.identity_id)
            tx.then(self._authentication.forget)

        await self.gate.change(caller, Act("identity_delete"), delete)


def _moved(db: Connection, group: Group, parent: str | None) -> Group:
    """The group below another one, or at the top."""
    if parent is None:
        return group._replace(parent_id=None)
    above = lookup.group(db, group.tenant_id, parent)
    chain = groups_store.chain(db, above.id)
    if group.id in chain:
        raise faults({"parent_id": "this group lies below the one that is to lie below it"})
    if len(chain) + groups_store.height(db, group.id) > DEEPEST:
        raise faults({"parent_id": f"groups nest at most {DEEPEST} deep"})
    return group._replace(parent_id=above.id)


def _info(db: Connection, group: Group) -> wire.Group:
    return wire.Group(
        id=group.id,
        identity_id=group.identity_id,
        tenant_id=group.tenant_id,
        name=group.identity_id.removeprefix("group:"),
        display_name=group.display_name,
        parent_id=group.parent_id,
        member_count=groups_store.member_count(db, group.id),
        issuer=group.issuer,
        last_synced_at=instant_or_none(group.last_synced_at),
    )
