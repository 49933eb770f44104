"""Tokens: who am I, which are there, an end to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from scaivault.clock import instant
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.cursors import Cursors, Pages
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Subject, Token
from scaivault.identity.reach import check_rank, holder, is_self, not_found
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.store.tokens import Wanted
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as wire
from scaivault.wire import tokens

_SCOPE: Final = "identity:admin"
_NEWEST: Final = 2**62  # later than any instant


class Tokens:
    """One per open vault."""

    def __init__(
        self, gate: Gate, tenancy: Tenancy, authentication: Authentication, cursors: Cursors
    ) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._authentication: Final = authentication
        self._pages: Final = Pages(cursors, "tokens", unsent={"status": "active"})

    async def whoami(self, caller: Caller, _request: wire.Nothing) -> wire.WhoAmI:
        """The caller's own identity and rights."""
        principal = holder(caller)
        act = Act("auth_read")
        act.extra["token_id"] = principal.token_id

        async def look() -> wire.WhoAmI:
            return model.whoami(principal)

        return await self.gate.read(caller, act, look)

    async def introspect(self, caller: Caller, request: tokens.Introspect) -> tokens.Introspected:
        """Whom a token stands for (RFC 7662), if it would be taken now and is of a tenant within
        the caller's reach; of any other nothing is told, not even why."""
        act = Act("auth_read")

        async def look() -> tokens.Introspected:
            found = await self._taken(caller, request.body.token)
            if found is None or not self._tenancy.sees(holder(caller), found.tenant_id):
                return tokens.Introspected(active=False)
            act.extra["token_id"] = found.token_id
            return tokens.Introspected(
                active=True,
                identity_id=found.identity_id,
                identity_type=found.identity_type,
                tenant_id=found.tenant_id,
                scopes=sorted(found.scopes),
                expires_at=instant(found.expires_at),
                issued_at=instant(found.issued_at),
            )

        return await self.gate.read(caller, act, look)

    async def _taken(self, caller: Caller, text: str) -> Principal | None:
        """The principal of a token with which a call would get in, and act in its own tenant."""
        try:
            principal = await self._authentication.examine(text, caller.now)
            self._tenancy.resolve(replace(caller, principal=principal, notes={}), None)
        except Refusal as refused:
            if refused.status >= 500:  # that says nothing of the token
                raise
            return None
        return principal

    # -- tokens --------------------------------------------------------------------------------

    async def page(self, caller: Caller, request: tokens.ListTokens) -> tokens.TokenPage:
        """Tokens, newest first: one's own, or with ``identity:admin`` those of the tenant."""
        place = self._pages.place(
            caller,
            request,
            [_NEWEST, ""],
            identity_id=request.identity_id,
            token_kind=request.token_kind,
            status=request.status,
        )

        def question(db: Connection) -> list[Token]:
            tenant, wanted = self._listed(db, caller, place.filters)
            return tokens_store.page(
                db, tenant, wanted, caller.now, tuple(place.position), place.limit + 1
            )

        async def look() -> tokens.TokenPage:
            found = await self.gate.ask(question)
            page = self._pages.cut(caller, place, found, lambda row: [row.created_at, row.id])
            shown = [self._shown(row, caller.now) for row in page.items]
            return tokens.TokenPage(shown, page.cursor, page.has_more)

        return await self.gate.read(caller, Act("auth_read"), look)

    def _listed(
        self, db: Connection, caller: Caller, filters: dict[str, Any]
    ) -> tuple[str, Wanted]:
        """Which tokens of which tenant are meant. Who may only see his own is told nothing about
        whom else there is."""
        principal = holder(caller)
        reference = filters.get("identity_id")
        all_of = _sees_others(principal)
        tenant = principal.tenant_id
        identity: str | None = principal.identity_id
        if reference is not None:
            who = self._found(db, caller, reference)
            if who is not None and (all_of or is_self(principal, who)):
                tenant, identity = who.tenant_id, who.identity_id
            elif all_of:
                raise not_found(reference)
            else:
                raise _others()
        elif all_of and self._tenancy.sees(principal, caller.tenant):
            tenant, identity = caller.tenant, None
        return tenant, Wanted(identity, filters.get("token_kind"), filters["status"])

    def _found(self, db: Connection, caller: Caller, reference: str) -> Subject | None:
        """A user or a service account, also one that was deleted, within the caller's reach."""
        named = names.canonical(reference)
        if named is None:
            who = subjects.subject_by_id(db, reference)
        else:
            who = subjects.subject(db, caller.tenant, named[1])
        if who is None or not self._tenancy.sees(holder(caller), who.tenant_id):
            return None
        return who

    async def token(self, caller: Caller, request: tokens.TokenId) -> tokens.TokenInfo:
        """One token: one's own, or with ``identity:admin`` another's of the tenant."""
        act = Act("auth_read")

        async def look() -> tokens.TokenInfo:
            row = await self.gate.ask(lambda db: self._reachable(db, caller, request.id))
            self._tenancy.concern(caller, row.tenant_id)
            act.extra["token_id"] = row.id
            return self._shown(row, caller.now)

        return await self.gate.read(caller, act, look)

    def _shown(self, row: Token, now: int) -> tokens.TokenInfo:
        used = self._authentication.last_used(row)
        return model.token_info(row._replace(last_used_at=used), now)

    async def revoke(self, caller: Caller, request: tokens.TokenId) -> None:
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
        """A token that the caller may see: his own, or with ``identity:admin`` another's within
        his reach. Anything else is simply not there."""
        principal = holder(caller)
        if token_id in {"self", principal.token_id} and principal.issuer != model.LOCAL:
            return model.foreign_token(principal)
        row = tokens_store.token_by_id(db, principal.token_id if token_id == "self" else token_id)
        if row is not None:
            sees = self._tenancy.sees(principal, row.tenant_id)
            if is_self(principal, row) or (_sees_others(principal) and sees):
                return row
        raise Refusal("token_not_found", "there is no such token", id=token_id[:64])


def _sees_others(principal: Principal) -> bool:
    """Whether tokens of others are a caller's to see, within his reach."""
    return not principal.scopes.isdisjoint((_SCOPE, "admin"))


def _others() -> Refusal:
    return Refusal(
        "insufficient_scope", f"tokens of others take the scope {_SCOPE}", required_scope=_SCOPE
    )


def _check_owner(tx: Transaction, caller: Caller, row: Token) -> None:
    """Nobody ends a token of somebody who ranks above."""
    principal = holder(caller)
    who = subjects.subject(tx.connection, row.tenant_id, row.identity_id)
    if who is not None and not is_self(principal, row):
        check_rank(principal, who)
