"""Who is calling. A token that was seen before costs one keyed hash and one look-up; anything
that could take it away (revocation, suspension, a changed role or scope) empties that memory on
the event loop before the change is answered."""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from scaivault.clock import MINUTE, instant
from scaivault.crypto import codes
from scaivault.errors import Refusal
from scaivault.gate.caller import RANK, TENANT_ADMIN, Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import groups_store, model, store
from scaivault.identity.issuer import SKEW, Issuer
from scaivault.identity.model import Account, Token
from scaivault.identity.reach import check_rank, holder
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as wire

_REMEMBERED: Final = 10_000
_TOKEN_LONGEST: Final = 8 * 1024
_CLIENT: Final = re.compile(r"sa_[0-9a-v]{20,32}\Z")


def _unknown() -> Refusal:
    return Refusal("token_invalid", "this token is not known here; check it or get a new one")


def _no_client() -> Refusal:
    return Refusal("token_invalid", "client_id and client_secret do not fit together")


class _Held(NamedTuple):
    """A token's row, whose it is, and the groups that count for him, all of one instant."""

    token: Token
    account: Account | None
    groups: tuple[str, ...]


class Identity:
    """One per open vault."""

    def __init__(self, gate: Gate, keyring: Keyring, tenancy: Tenancy, issuer: Issuer) -> None:
        self.gate: Final = gate
        self.issuer: Final = issuer
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._salt: Final = os.urandom(32)
        self._known: dict[bytes, tuple[Principal, int]] = {}
        self._changes = 0
        # (tx, tenant_id, canonical id): what other rooms keep of an identity that is deleted.
        self.on_deleted: Callable[[Transaction, str, str], object] = lambda _tx, _tenant, _id: None
        self.used: dict[str, int] = {}

    # -- authentication ------------------------------------------------------------------------

    async def authenticate(self, token: str, now: int) -> Principal:
        """The principal of a bearer token; a refusal of the 401 family otherwise."""
        if len(token) > _TOKEN_LONGEST or not token.isascii():
            raise _unknown()
        # Found again by a hash under a key of this process: a third of the time that the stored
        # hash takes, whose key stays in guarded memory.
        name = blake2b(token.encode(), digest_size=16, key=self._salt).digest()
        known = self._known.get(name)
        if known is None:
            known = await self._remember(token, name, now)
        principal, ends = known
        if now >= ends:
            self._known.pop(name, None)
            raise Refusal("token_expired", "this token is over; get a new one")
        self.used[principal.token_id] = now
        return principal

    async def _remember(self, token: str, name: bytes, now: int) -> tuple[Principal, int]:
        changes = self._changes
        hashed = self._keyring.token_hash(token.encode())
        if token.startswith(codes.TOKEN):
            known = await self._personal(token, hashed)
        else:
            known = await self._issued(token, now)
        if changes == self._changes:  # else a revocation may have come in between
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[name] = known
        return known

    def forget(self) -> None:
        """Something about an identity changed: look everybody up again."""
        self._changes += 1
        self._known.clear()

    async def _personal(self, token: str, hashed: bytes) -> tuple[Principal, int]:
        if not codes.is_token(codes.TOKEN, token):
            raise _unknown()

        principal = self._principal(
            await self.gate.ask(lambda db: _held(db, store.token_by_hash(db, hashed)))
        )
        return principal, principal.expires_at

    async def _issued(self, token: str, now: int) -> tuple[Principal, int]:
        claims = self.issuer.verify(token, now)

        principal = self._principal(
            await self.gate.ask(lambda db: _held(db, store.token_by_id(db, claims.token_id)))
        )
        return principal, claims.expires_at + SKEW

    def _principal(self, held: _Held | None) -> Principal:
        if held is None:
            raise _unknown()
        row, account = held.token, held.account
        if row.revoked_at is not None or account is None or account.status != model.ACTIVE:
            raise Refusal("token_revoked", "this token was revoked; get a new one")
        tenant = self._tenancy.tenants.get(row.tenant_id)
        if tenant is None:
            raise _unknown()
        scopes = frozenset(row.scopes) & frozenset(account.scopes)
        return Principal(
            identity_id=account.identity_id,
            identity_type="service_account",
            display_name=account.display_name,
            tenant_id=row.tenant_id,
            partner_id=tenant.partner_id,
            scopes=scopes,
            roles=frozenset(account.roles),
            token_id=row.id,
            token_kind=row.kind,
            issuer="local",
            issued_at=row.created_at,
            expires_at=row.expires_at,
            groups=held.groups,
        )

    # -- who am I ------------------------------------------------------------------------------

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
            store.revoke_token(tx, row.id)
            tx.note(token_id=row.id)
            tx.extra["for"] = row.identity_id
            tx.then(self.forget)

        await self.gate.change(caller, Act("token_revoke"), revoke)

    def issue_personal(
        self,
        tx: Transaction,
        account: Account,
        name: str,
        scopes: tuple[str, ...],
        ttl: int,
        text: str | None = None,
    ) -> tuple[str, Token]:
        """A personal access token: (its text, its row). Only a keyed hash of the text is kept.
        ``text`` is given for throw-away vaults only."""
        text = text or codes.token(codes.TOKEN, os.urandom(32))
        row = Token(
            random_id("tok_"), model.PAT, account.tenant_id, account.identity_id, name, scopes,
            None, tx.now, tx.now + ttl, None, None,
        )  # fmt: skip
        store.add_token(tx, row, self._keyring.token_hash(text.encode()))
        tx.note(token_id=row.id, scopes=list(scopes), expires_at=instant(row.expires_at))
        tx.extra["for"] = account.identity_id
        return text, row

    def _reachable(self, db: Connection, caller: Caller, token_id: str) -> Token:
        """A token that the caller may see: his own, or with ``identity:admin`` and the rank in its
        tenant another's. Anything else is simply not there."""
        principal = holder(caller)
        row = store.token_by_id(db, principal.token_id if token_id == "self" else token_id)
        if row is not None:
            scope = not principal.scopes.isdisjoint(("identity:admin", "admin"))
            ranks = principal.rank >= RANK[TENANT_ADMIN]
            sees = self._tenancy.sees(principal, row.tenant_id)
            if _is_own(principal, row) or (scope and ranks and sees):
                return row
        raise Refusal("token_not_found", "there is no such token", id=token_id[:64])

    # -- client credentials --------------------------------------------------------------------

    async def grant(self, caller: Caller, request: wire.Grant) -> wire.AccessToken:
        """RFC 6749 section 4.4: an access token for a client id and secret."""
        body = request.body
        if _CLIENT.match(body.client_id or ""):  # nothing else: it may be a secret in a wrong place
            caller.notes["client_id"] = body.client_id
        account, credential_id, scopes = await self._checked(body, caller.now)
        act = Act("auth_login")
        act.extra.update(grant=model.CLIENT_CREDENTIALS, credential_id=credential_id)
        caller.principal = _as_client(account, self._tenancy)
        caller.tenant_id = account.tenant_id
        caller.partner_id = caller.principal.partner_id
        row = Token(
            random_id("tok_"), model.CLIENT_CREDENTIALS, account.tenant_id, account.identity_id,
            "", scopes, credential_id, caller.now, caller.now + self.issuer.ttl, None, None,
        )  # fmt: skip

        def login(tx: Transaction) -> None:
            # What ends an account or a credential ends its tokens too, but not one made after.
            if not store.still_lets_in(tx, account, credential_id):
                raise _no_client()
            store.add_token(tx, row, None)
            store.credential_used(tx, credential_id)
            tx.note(token_id=row.id)

        await self.gate.change(caller, act, login)
        text = self.issuer.sign(row, account, caller.partner_id)
        return wire.AccessToken(text, "Bearer", self.issuer.ttl // 1_000_000, " ".join(scopes))

    async def _checked(
        self, body: wire.GrantBody, now: int
    ) -> tuple[Account, str, tuple[str, ...]]:
        """The account, the credential and the scopes of a grant."""
        if body.grant_type != model.CLIENT_CREDENTIALS:
            raise Refusal(
                "invalid_request",
                "grant_type must be client_credentials",
                reason="unsupported_grant_type",
            )
        found = await self._client(body.client_id or "", body.client_secret or "", now)
        if found is None:
            raise _no_client()
        return *found, _granted(body.scope, found[0])

    async def _client(self, client: str, secret: str, now: int) -> tuple[Account, str] | None:
        """The account and credential that fit, with equal work whether the client exists."""
        hashed = self._keyring.token_hash(secret.encode())

        def question(db: Connection) -> tuple[Account | None, list[tuple[str, bytes, int | None]]]:
            return store.account_by_id(db, client), store.credential_hashes(db, client)

        account, kept = await self.gate.ask(question)
        fitting = None
        for credential_id, known, expires_at in kept or [("", bytes(32), None)]:
            alive = expires_at is None or expires_at > now
            if hmac.compare_digest(hashed, known) and alive:
                fitting = credential_id
        if account is None or fitting is None or account.status != model.ACTIVE:
            return None
        tenant = self._tenancy.tenants[account.tenant_id]
        partner = self._tenancy.partners[tenant.partner_id]
        if tenant.status != model.ACTIVE or partner.status != model.ACTIVE:
            return None
        return account, fitting

    # -- upkeep --------------------------------------------------------------------------------

    async def flush(self, caller: Caller) -> int:
        """Write down which tokens were used, to the minute; how many."""
        if not self.used:
            return 0
        used, self.used = self.used, {}

        def flush(tx: Transaction) -> None:
            for token_id, at in used.items():
                store.used(tx, token_id, at // MINUTE * MINUTE)

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
    groups = groups_store.effective(db, *place)
    return _Held(token, store.account_by_identity(db, *place), groups)


def _is_own(principal: Principal, row: Token) -> bool:
    """Names repeat from tenant to tenant."""
    return (principal.tenant_id, principal.identity_id) == (row.tenant_id, row.identity_id)


def _check_owner(tx: Transaction, caller: Caller, row: Token) -> None:
    """Nobody ends a token of somebody who ranks above."""
    principal = holder(caller)
    account = store.account_by_identity(tx.connection, row.tenant_id, row.identity_id)
    if account is not None and not _is_own(principal, row):
        check_rank(principal, account)


def _granted(asked: str | None, account: Account) -> tuple[str, ...]:
    """The scopes of a new token: those asked for, within the account's; all when none are."""
    if asked is None or not asked.split():
        return account.scopes
    wanted = tuple(dict.fromkeys(asked.split()))
    missing = [scope for scope in wanted if scope not in account.scopes]
    if missing:
        raise Refusal(
            "insufficient_scope",
            "the account does not hold every scope that was asked for",
            required_scope=missing[0][:64],
        )
    return wanted


def _as_client(account: Account, tenancy: Tenancy) -> Principal:
    return Principal(
        identity_id=account.identity_id,
        identity_type="service_account",
        display_name=account.display_name,
        tenant_id=account.tenant_id,
        partner_id=tenancy.tenants[account.tenant_id].partner_id,
        scopes=frozenset(),
        roles=frozenset(),
        token_id="",
        token_kind=model.CLIENT_CREDENTIALS,
        issuer="local",
        issued_at=0,
        expires_at=0,
    )
