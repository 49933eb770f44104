"""Admin roles of users and service accounts: given by partner_admin and super_admin. Nobody raises
himself, only a super_admin makes one, and the last one stays."""

from __future__ import annotations

from typing import Final

from scaivault.clock import instant
from scaivault.errors import Refusal
from scaivault.gate.caller import SUPER_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Subject
from scaivault.identity.people.looking import Looking
from scaivault.identity.reach import Reach, holder, is_self
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import accounts, users
from scaivault.wire.users import Roles as Answer

_READERS: Final = frozenset(("identity:read", "admin"))


class Roles:
    """One per open vault."""

    def __init__(self, gate: Gate, authentication: Authentication, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._reach: Final = Reach(tenancy)
        self._looking: Final = Looking(gate, tenancy)

    async def of_user(self, caller: Caller, request: users.RolesOfUser) -> Answer:
        """The admin roles of a user; one's own with any token."""
        return await self._of(caller, names.USER, request.user_id)

    async def of_account(self, caller: Caller, request: accounts.AccountId) -> Answer:
        """The admin roles of a service account; one's own with any token."""
        return await self._of(caller, names.SERVICE_ACCOUNT, request.id)

    async def set_of_user(self, caller: Caller, request: users.ChangeRolesOfUser) -> Answer:
        """Set the whole list of a user's admin roles; they hold in his own tenant or partner."""
        return await self._set(caller, names.USER, request.user_id, request.body.roles)

    async def set_of_account(self, caller: Caller, request: users.ChangeRolesOfAccount) -> Answer:
        """Set the whole list of a service account's admin roles; they hold in its own tenant or
        partner."""
        return await self._set(caller, names.SERVICE_ACCOUNT, request.id, request.body.roles)

    async def _of(self, caller: Caller, kind: str, wanted: str) -> Answer:
        principal = holder(caller)

        def find(db: Connection) -> Subject:
            if principal.scopes.isdisjoint(_READERS):
                return self._own(db, caller, principal, kind, wanted)
            return self._reach.subject(db, caller, kind, wanted)

        return await self._looking.at(
            caller, find, lambda _db, who: Answer(who.id, list(who.roles))
        )

    def _own(
        self, db: Connection, caller: Caller, principal: Principal, kind: str, wanted: str
    ) -> Subject:
        """The caller himself; for anybody else, there or not, the scope is missing."""
        try:
            who = self._reach.subject(db, caller, kind, wanted)
        except Refusal:
            who = None
        if who is None or not is_self(principal, who):
            raise Refusal(
                "insufficient_scope",
                "this call needs the scope identity:read",
                required_scope="identity:read",
            )
        return who

    async def _set(self, caller: Caller, kind: str, wanted: str, told: list[str]) -> Answer:
        principal = holder(caller)
        roles = model.check_roles(told)
        if SUPER_ADMIN in roles and SUPER_ADMIN not in principal.roles:
            raise Refusal(
                "forbidden", "only a super_admin makes a super_admin", required_role=SUPER_ADMIN
            )

        def change(tx: Transaction) -> Answer:
            before = self._reach.subject_below(tx, caller, kind, wanted)
            after = before._replace(roles=roles)
            if is_self(principal, before) and after.rank > before.rank:
                raise Refusal("forbidden", "nobody raises himself", reason="self_elevation")
            subjects.check_last(tx, after)
            subjects.put(tx, after)
            tx.note(old=list(before.roles), new=list(roles))
            tx.then(self._authentication.forget)
            return Answer(after.id, list(roles), instant(tx.now), principal.identity_id)

        return await self.gate.change(caller, Act("role_change"), change)
