"""Who is calling. A token that was seen before costs one keyed hash and one look-up; anything
that could take it away (revocation, suspension, a changed role or scope) empties that memory on
the event loop before the change is answered."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from scaivault.clock import MINUTE
from scaivault.crypto import codes
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, subjects
from scaivault.identity.foreign import Foreign, jwt
from scaivault.identity.issuer import SKEW, Issuer
from scaivault.identity.model import Subject, Token
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store import tokens as tokens_store
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy

_REMEMBERED: Final = 10_000
# Of the process: what was found out while another vault was open, or this one before it was
# sealed, must not look like something of today.
_CHANGES: Final = itertools.count()
_TOKEN_LONGEST: Final = 8 * 1024


def unknown() -> Refusal:
    """401 for a token that nobody vouches for."""
    return Refusal("token_invalid", "this token is not known here; check it or get a new one")


class Known(NamedTuple):
    """Whom a token stands for, and until when that may be remembered (an instant)."""

    principal: Principal
    ends: int


class _Held(NamedTuple):
    """A token's row, whose it is, and the groups that count for him, all of one instant."""

    token: Token
    subject: Subject | None
    groups: tuple[str, ...]


class Authentication:
    """One per open vault."""

    def __init__(
        self, gate: Gate, keyring: Keyring, tenancy: Tenancy, issuer: Issuer, foreign: Foreign
    ) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._issuer: Final = issuer
        self.foreign: Final = foreign
        self._salt: Final = os.urandom(32)
        self._known: dict[bytes, Known] = {}
        # Another number after each change to identities or tenants: what was found out under
        # another one may not hold.
        self.changes = next(_CHANGES)
        # (tx, tenant_id, canonical id): what other rooms keep of an identity that is deleted.
        self.on_deleted: Callable[[Transaction, str, str], object] = lambda _tx, _tenant, _id: None
        self.used: dict[str, tuple[Principal, int]] = {}
        gate.check_still = self.check_still
        tenancy.on_changed = self.forget

    async def authenticate(self, token: str, now: int) -> Known:
        """Whom a bearer token stands for; a refusal of the 401 family otherwise."""
        known = await self._examined(token, now)
        self.use(known.principal, now)
        return known

    async def examine(self, token: str, now: int) -> Principal:
        """The same, of a token that is only asked about."""
        return (await self._examined(token, now)).principal

    def use(self, principal: Principal, now: int) -> None:
        """A request came with this principal's token."""
        self.used[principal.token_id] = (principal, now)

    async def _examined(self, token: str, now: int) -> Known:
        if len(token) > _TOKEN_LONGEST or not token.isascii():
            raise unknown()
        # Found again by a hash under a key of this process: a third of the time that the stored
        # hash takes, whose key stays in guarded memory.
        name = blake2b(token.encode(), digest_size=16, key=self._salt).digest()
        known = self._known.get(name)
        if known is None:
            known = await self._remember(token, name, now)
        if now >= known.ends:  # over; or of an outside issuer, and due to be checked anew
            self._known.pop(name, None)
            known = await self._remember(token, name, now)
        if now >= known.ends:
            raise Refusal("token_expired", "this token is over; get a new one")
        return known

    def last_used(self, token: Token) -> int | None:
        """When a token was last used, to the minute; its row may not say so yet."""
        known = self.used.get(token.id)
        if known is None:
            return token.last_used_at
        return max(token.last_used_at or 0, known[1] // MINUTE * MINUTE)

    def forget(self) -> None:
        """Something about an identity or a tenant changed: look everybody up again."""
        self.changes = next(_CHANGES)
        self._known.clear()

    async def _remember(self, token: str, name: bytes, now: int) -> Known:
        changes = self.changes
        if token.startswith(codes.TOKEN):
            known = await self._personal(token)
        else:
            known = await self._issued(token, now)
        if changes == self.changes:  # else a revocation may have come in between
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[name] = known
        return known

    async def _personal(self, token: str) -> Known:
        if not codes.is_token(codes.TOKEN, token):
            raise unknown()
        hashed = self._keyring.token_hash(token.encode())
        principal = self.principal(
            await self.gate.ask(lambda db: _held(db, tokens_store.token_by_hash(db, hashed)))
        )
        return Known(principal, principal.expires_at)

    async def _issued(self, token: str, now: int) -> Known:
        unverified = jwt.parse(token)
        if unverified.issuer != self._issuer.name:
            return Known(*await self.foreign.authenticate(unverified, now))
        claims = self._issuer.verify(token, now)
        held = await self.gate.ask(
            lambda db: _held(db, tokens_store.token_by_id(db, claims.token_id))
        )
        principal = self.principal(held)
        if held is not None and held.token.parent_id is not None:
            # Never after the token that it was made from.
            return Known(principal, principal.expires_at)
        return Known(principal, claims.expires_at + SKEW)

    def principal(self, held: _Held | None) -> Principal:
        """Whom a token of our own stands for."""
        if held is None:
            raise unknown()
        row, subject = held.token, held.subject
        if row.revoked_at is not None or subject is None or subject.status != model.ACTIVE:
            raise Refusal("token_revoked", "this token was revoked; get a new one")
        tenant = self._tenancy.tenants.get(row.tenant_id)
        if tenant is None:
            raise unknown()
        if self._tenancy.is_gone(tenant.id):
            raise Refusal("token_revoked", "the tenant of this token was deleted")
        return Principal(
            identity_id=subject.identity_id,
            identity_type=subject.kind,
            display_name=subject.display_name,
            tenant_id=row.tenant_id,
            partner_id=tenant.partner_id,
            scopes=subject.within(row.scopes),
            roles=frozenset(subject.roles),
            token_id=row.id,
            token_kind=row.kind,
            issuer=model.LOCAL,
            issued_at=row.created_at,
            expires_at=row.expires_at,
            mfa_verified_at=row.mfa_verified_at,
            allowed_paths=row.allowed_paths,
            ip_ranges=row.ip_ranges,
            groups=held.groups,
        )

    def calling(self, db: Connection, principal: Principal) -> Token:
        """The row of the token that a request came with, as it is now; for changes that give
        something away that outlasts it. ``token_revoked`` when it ended since."""
        if principal.issuer == model.LOCAL:
            row = tokens_store.token_by_id(db, principal.token_id)
            if row is not None and row.revoked_at is None:
                return row
        elif self.foreign.is_live(db, principal):
            return model.foreign_token(principal)
        raise Refusal("token_revoked", "this token was revoked; get a new one")

    def check_still(self, db: Connection, principal: Principal) -> None:
        """``token_revoked`` or ``forbidden`` when the token or a right of it ended since the
        request came in. What roles the token of an outside issuer brings is its issuer's word."""
        row = self.calling(db, principal)
        if principal.issuer != model.LOCAL:
            return
        who = subjects.subject(db, principal.tenant_id, principal.identity_id)
        if who is None or who.status != model.ACTIVE:
            raise Refusal("token_revoked", "this token was revoked; get a new one")
        if not (principal.roles <= {*who.roles} and principal.scopes <= who.within(row.scopes)):
            raise Refusal(
                "forbidden", "your rights changed meanwhile; call again", reason="rights_changed"
            )

    # -- upkeep --------------------------------------------------------------------------------

    async def flush(self, caller: Caller) -> int:
        """Write down which tokens were used and who called, to the minute; how many tokens."""
        if not self.used:
            return 0
        used, self.used = self.used, {}

        def flush(tx: Transaction) -> None:
            for token_id, (principal, at) in used.items():
                minute = at // MINUTE * MINUTE
                tokens_store.used(tx, token_id, minute)
                subjects.seen(tx, principal.tenant_id, principal.identity_id, minute)

        act = Act("job_control")
        act.extra["job"] = "flush"
        try:
            await self.gate.change(caller, act, flush)
        except BaseException:
            self.used = used | self.used
            raise
        return len(used)


def _held(db: Connection, token: Token | None) -> _Held | None:
    if token is None:
        return None
    place = (token.tenant_id, token.identity_id)
    return _Held(token, subjects.subject(db, *place), groups_store.effective(db, *place))
