"""Users: those of the local issuer are made, changed and deleted here."""

from __future__ import annotations

from typing import Final

from msgspec import UNSET

from scaivault.clock import instant_or_none
from scaivault.errors import check_fields
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.groups import members
from scaivault.identity.model import User
from scaivault.identity.people.looking import Looking
from scaivault.identity.people.revoking import Revoking
from scaivault.identity.reach import Reach
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store import users as users_store
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import users as wire
from scaivault.wire.names import NAME_LONGEST, name_fault


class Users:
    """One per open vault."""

    def __init__(
        self, gate: Gate, authentication: Authentication, tenancy: Tenancy, revoking: Revoking
    ) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._revoking: Final = revoking
        self._reach: Final = Reach(tenancy)
        self._looking: Final = Looking(gate, tenancy)

    async def create(self, caller: Caller, request: wire.NewUser) -> wire.User:
        """A user in the caller's tenant, or in one that his role reaches. What was bound to his
        address before holds for him, and the groups that he was made a member of stay his."""
        body = request.body
        self._reach.aim(caller, body.tenant_id)
        told = body.display_name
        check_fields({"email": names.email_fault(body.email), "display_name": name_fault(told)})
        identity_id, email = names.made_user(body.email)
        shown = told or email[:NAME_LONGEST]

        def create(tx: Transaction) -> wire.User:
            user = subjects.add_user(tx, caller.tenant, identity_id, shown)
            here = groups_store.direct_groups(tx.connection, user.tenant_id, identity_id)
            members.join(tx, user.tenant_id, identity_id, [*here, *body.groups])
            tx.note(object_type=user.kind, object_id=user.id)
            return _info(tx.connection, user)

        return await self.gate.change(caller, Act("identity_create"), create)

    async def get(self, caller: Caller, request: wire.UserId) -> wire.User:
        """One user."""
        return await self._looking.at(
            caller, lambda db: self._reach.user(db, caller, request.id), _info
        )

    async def page(self, caller: Caller, request: wire.ListUsers) -> wire.UserPage:
        """The users of a tenant, by address."""
        size, skip = request.page_size, (request.page - 1) * request.page_size
        wanted = (request.q or "").casefold()

        def question(db: Connection) -> wire.UserPage:
            found, total = users_store.users(
                db, request.tenant_id, request.status, wanted, size, skip
            )
            return wire.UserPage([_info(db, user) for user in found], total)

        async def look() -> wire.UserPage:
            self._reach.tenant(caller, request.tenant_id)
            return await self.gate.ask(question)

        return await self.gate.read(caller, Act("identity_read"), look)

    async def change(self, caller: Caller, request: wire.ChangeUser) -> wire.User:
        """Another name shown, status or groups. Suspending ends all access at once."""
        body = request.body
        if isinstance(body.display_name, str):
            check_fields({"display_name": name_fault(body.display_name)})

        def change(tx: Transaction) -> wire.User:
            user = self._reach.user_to_change(tx, caller, request.id)
            if isinstance(body.display_name, str):
                user = user._replace(display_name=body.display_name)
            if body.status == model.ACTIVE:
                user = user._replace(status=model.ACTIVE)
            users_store.put_user(tx, user)
            if body.status == model.SUSPENDED:
                user = self._revoking.suspend(tx, user)
            if body.groups is not UNSET:
                members.join(tx, user.tenant_id, user.identity_id, body.groups or ())
            tx.note(changed=model.sent(body))
            tx.then(self._authentication.forget)
            return _info(tx.connection, user)

        return await self.gate.change(caller, Act("identity_update"), change)

    async def delete(self, caller: Caller, request: wire.UserId) -> None:
        """End a user with his tokens, memberships and bindings; his address is never given out
        again in this tenant."""

        def delete(tx: Transaction) -> None:
            user = self._reach.user_to_change(tx, caller, request.id)
            self._revoking.delete(tx, user)

        await self.gate.change(caller, Act("identity_delete"), delete)


def _info(db: Connection, user: User) -> wire.User:
    return wire.User(
        id=user.id,
        identity_id=user.identity_id,
        tenant_id=user.tenant_id,
        email=user.email,
        display_name=user.display_name,
        status=user.status,
        mfa_enabled=bool(user.mfa_enabled),
        groups=groups_store.direct_groups(db, user.tenant_id, user.identity_id),
        roles=list(user.roles),
        issuer=user.issuer,
        last_seen_at=instant_or_none(user.last_seen_at),
        last_synced_at=instant_or_none(user.last_synced_at),
    )
