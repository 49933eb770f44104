"""A token of ours against one that may less: the same identity, fewer scopes and paths, and an end
that is no later. It ends with the token that it was made from."""

from __future__ import annotations

from typing import Any, Final

from scaivault.clock import HOUR, SECOND
from scaivault.crypto import codes
from scaivault.errors import Refusal
from scaivault.gate.addresses import check_address
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.foreign import jwt
from scaivault.identity.issuer import Issuer
from scaivault.identity.model import Subject, Token
from scaivault.identity.oauth.issued import GRANT, answer, issued, no_scope, shrunk
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.tokens.minting import narrowed
from scaivault.tenancy import Tenancy
from scaivault.wire import grants as wire

LONGEST: Final = HOUR


class Narrowing:
    """One per open vault."""

    def __init__(
        self, gate: Gate, tenancy: Tenancy, issuer: Issuer, authentication: Authentication
    ) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._issuer: Final = issuer
        self._authentication: Final = authentication

    async def narrow(
        self, caller: Caller, body: wire.ExchangeBody, ttl: int | None
    ) -> wire.Exchanged:
        """``ttl``: in microseconds."""
        principal = await self._proven(caller, body)
        scopes = shrunk(body.scope, principal.scopes)
        if not scopes:
            raise no_scope(body.scope)
        ends = min(caller.now + min(ttl or LONGEST, LONGEST), principal.expires_at)
        if ends - caller.now < SECOND:
            raise Refusal("token_expired", "this token is over; get a new one")
        kind = model.USER_SESSION if principal.identity_type == names.USER else model.EXCHANGED

        def log_in(tx: Transaction) -> tuple[Token, Subject]:
            calling = self._authentication.calling(tx.connection, principal)
            who = subjects.subject(tx.connection, principal.tenant_id, principal.identity_id)
            if who is None or who.status != model.ACTIVE:
                raise Refusal("token_revoked", "this token was revoked; get a new one")
            row = issued(kind, who, scopes, caller.now, ends - caller.now)._replace(
                allowed_paths=narrowed(calling.allowed_paths, tuple(body.allowed_paths or ())),
                ip_ranges=calling.ip_ranges,
                parent_id=calling.id,
                mfa_verified_at=calling.mfa_verified_at,
            )
            tokens_store.add_token(tx, row, None)
            tx.note(token_id=row.id)
            return row, who

        act = Act("auth_login")
        act.records_refusal = False
        act.extra.update(grant=GRANT, issuer=self._issuer.name, subject=principal.identity_id)
        row, who = await self.gate.change(caller, act, log_in)
        actor = _actor(body.subject_token)
        return answer(row, self._issuer.sign(row, who, principal.partner_id, actor))

    async def _proven(self, caller: Caller, body: wire.ExchangeBody) -> Principal:
        """Whose token it is; what is checked of any request with it is checked here."""
        known = await self._authentication.authenticate(body.subject_token, caller.now)
        principal = known.principal
        if principal.issuer != model.LOCAL:
            # What it may depends on its issuer's word, which the narrower one would not have.
            raise Refusal(
                "invalid_request",
                "only tokens that this vault issued are narrowed; use this one as it is",
                reason="foreign_token",
            )
        check_address(principal, caller.source_ip)
        caller.principal = principal
        self._tenancy.resolve(caller, None)
        own_role = body.role in {None, principal.identity_id}
        if not own_role or body.tenant_id not in {None, principal.tenant_id}:
            raise Refusal("access_denied", "a token of this vault stays its own identity's")
        return principal


def _actor(text: str) -> Any:
    """Whose token the subject was itself exchanged for."""
    return None if text.startswith(codes.TOKEN) else jwt.parse(text).claims.get("act")
