"""Who belongs to a group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from scaivault.clock import instant
from scaivault.errors import Refusal, faults
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import lookup, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.reach import Reach, check_local, check_rank, holder, not_found
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store.groups import Group, Member
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import groups as wire


class Members:
    """One per open vault."""

    def __init__(self, gate: Gate, authentication: Authentication, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)

    async def page(self, caller: Caller, request: wire.ListMembers) -> wire.MemberPage:
        """All who belong to a group, by canonical id, with those of the groups below it."""
        act = Act("identity_read")
        size, skip = request.page_size, (request.page - 1) * request.page_size

        def question(db: Connection) -> tuple[Group, wire.MemberPage]:
            group = self._reach.group(db, caller, request.id)
            found, total = groups_store.members(db, group, size, skip)
            return group, wire.MemberPage([_info(member) for member in found], total)

        async def look() -> wire.MemberPage:
            group, page = await self.gate.ask(question)
            self._tenancy.concern(caller, group.tenant_id)
            act.extra.update(object_type="group", object_id=group.id)
            return page

        return await self.gate.read(caller, act, look)

    async def add(self, caller: Caller, request: wire.NewMember) -> wire.Member:
        """A member more; what is bound to the group holds for it from the next request on. A user
        need not be known yet: an outside issuer may know him."""
        principal = holder(caller)

        def add(tx: Transaction) -> wire.Member:
            group = self._reach.group_to_change(tx, caller, request.id)
            db, wanted = tx.connection, request.body.identity_id
            identity_id, record_id = _candidate(db, principal, group.tenant_id, wanted)
            if not groups_store.add_member(tx, group, identity_id):
                raise Refusal(
                    "already_exists", "this identity is a member already", field="identity_id"
                )
            self._noted(tx, identity_id)
            return _info(Member(identity_id, record_id, True, tx.now))

        return await self.gate.change(caller, Act("identity_update"), add)

    async def remove(self, caller: Caller, request: wire.MemberId) -> None:
        """A direct member less; who belongs to a group below stays an inherited one."""
        principal = holder(caller)

        def drop(tx: Transaction) -> None:
            group = self._reach.group_to_change(tx, caller, request.id)
            db = tx.connection
            identity_id, _ = _candidate(db, principal, group.tenant_id, request.identity_id)
            if not groups_store.drop_member(tx, group.id, identity_id):
                raise Refusal(
                    "identity_not_found",
                    "this group has no such direct member",
                    identity_id=request.identity_id[:128],
                )
            self._noted(tx, identity_id)

        await self.gate.change(caller, Act("identity_update"), drop)

    def _noted(self, tx: Transaction, identity_id: str) -> None:
        tx.note(changed=["members"])
        tx.extra["for"] = identity_id
        tx.then(self._authentication.forget)


def join(tx: Transaction, tenant_id: str, identity_id: str, references: Sequence[str]) -> None:
    """Make an identity a direct member of these groups of its tenant and of no others; who belongs
    to a group of an outside issuer is that issuer's to say."""
    wanted = {
        group.id: group
        for group in (lookup.group(tx.connection, tenant_id, name) for name in references)
    }
    present = {
        group.id: group for group in groups_store.groups_of(tx.connection, tenant_id, identity_id)
    }
    for group_id in present.keys() - wanted.keys():
        check_local(present[group_id].issuer)
        groups_store.drop_member(tx, group_id, identity_id)
    for group_id in wanted.keys() - present.keys():
        check_local(wanted[group_id].issuer)
        groups_store.add_member(tx, wanted[group_id], identity_id)


def _candidate(
    db: Connection, principal: Principal, tenant_id: str, reference: str
) -> tuple[str, str | None]:
    """(canonical id, record id) of somebody who can be a member, and whom the caller may change."""
    named = lookup.find(db, tenant_id, reference)
    if named is None:
        raise not_found(reference)
    kind, identity_id = named
    if kind not in subjects.KINDS:
        fault = "must be a user or a service account; a group joins another by its parent_id"
        raise faults({"identity_id": fault})
    who = subjects.subject(db, tenant_id, identity_id)
    if who is not None:
        check_rank(principal, who)
        return identity_id, who.id
    if kind != names.USER:
        raise not_found(reference)
    return identity_id, None


def _info(member: Member) -> wire.Member:
    _, _, name = member.identity_id.partition(":")
    kind = names.type_of(member.identity_id)
    return wire.Member(
        user_id=member.record_id,
        email=name if kind == names.USER and "@" in name else None,
        membership_type="DIRECT" if member.direct else "INHERITED",
        added_at=instant(member.added_at),
        identity_id=member.identity_id,
        identity_type=kind,
    )
