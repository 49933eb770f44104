"""Tokens: who am I, which are there, an end to them."""

from __future__ import annotations

from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.caller import RANK, TENANT_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, subjects, tokens_store
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Token
from scaivault.identity.reach import check_rank, holder
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as wire


class Tokens:
    """One per open vault."""

    def __init__(self, gate: Gate, tenancy: Tenancy, authentication: Authentication) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._authentication: Final = authentication

    async def whoami(self, caller: Caller, _request: wire.Nothing) -> wire.WhoAmI:
        """The caller's own identity and rights."""
        principal = holder(caller)

        async def look() -> wire.WhoAmI:
            return model.whoami(principal)

        return await self.gate.read(caller, Act("auth_read"), look)

    # -- tokens --------------------------------------------------------------------------------

    async def token(self, caller: Caller, request: wire.TokenId) -> wire.TokenInfo:
        """One token: one's own, or with ``identity:admin`` another's of the tenant."""
        act = Act("auth_read")

        async def look() -> wire.TokenInfo:
            row = await self.gate.ask(lambda db: self._reachable(db, caller, request.id))
            self._tenancy.concern(caller, row.tenant_id)
            act.extra["token_id"] = row.id
            return model.token_info(row, caller.now)

        return await self.gate.read(caller, act, look)

    async def revoke(self, caller: Caller, request: wire.TokenId) -> None:
        """End a token; it works no more from the next request on. Repeatable."""

        def revoke(tx: Transaction) -> None:
            row = self._reachable(tx.connection, caller, request.id)
            _check_owner(tx, caller, row)
            tx.concern(*self._tenancy.places(row.tenant_id))
            principal = holder(caller)
            if row.id == principal.token_id and principal.issuer != model.LOCAL:
                self._authentication.foreign.revoke(tx, principal)
            tokens_store.revoke_token(tx, row.id)
            tx.note(token_id=row.id)
            tx.extra["for"] = row.identity_id
            tx.then(self._authentication.forget)

        await self.gate.change(caller, Act("token_revoke"), revoke)

    def _reachable(self, db: Connection, caller: Caller, token_id: str) -> Token:
        """A token that the caller may see: his own, or with ``identity:admin`` and the rank in its
        tenant another's. Anything else is simply not there."""
        principal = holder(caller)
        if token_id in {"self", principal.token_id} and principal.issuer != model.LOCAL:
            return model.foreign_token(principal)
        row = tokens_store.token_by_id(db, principal.token_id if token_id == "self" else token_id)
        if row is not None:
            scope = not principal.scopes.isdisjoint(("identity:admin", "admin"))
            ranks = principal.rank >= RANK[TENANT_ADMIN]
            sees = self._tenancy.sees(principal, row.tenant_id)
            if _is_own(principal, row) or (scope and ranks and sees):
                return row
        raise Refusal("token_not_found", "there is no such token", id=token_id[:64])


def _is_own(principal: Principal, row: Token) -> bool:
    """Names repeat from tenant to tenant."""
    return (principal.tenant_id, principal.identity_id) == (row.tenant_id, row.identity_id)


def _check_owner(tx: Transaction, caller: Caller, row: Token) -> None:
    """Nobody ends a token of somebody who ranks above."""
    principal = holder(caller)
    who = subjects.subject(tx.connection, row.tenant_id, row.identity_id)
    if who is not None and not _is_own(principal, row):
        check_rank(principal, who)
