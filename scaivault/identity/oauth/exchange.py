"""The exchange of tokens (RFC 8693): a foreign one, which a trust vouches for, against one of a
service account of ours; or one of ours against one that may less."""

from __future__ import annotations

from typing import Final, NamedTuple

from scaivault.clock import SECOND
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.globs import check_glob
from scaivault.gate.transaction import Transaction
from scaivault.identity import model
from scaivault.identity.foreign import jwt
from scaivault.identity.foreign.jwt import Unverified, refused
from scaivault.identity.foreign.room import token_id_of
from scaivault.identity.issuer import Issuer
from scaivault.identity.model import Account, Token
from scaivault.identity.oauth.issued import GRANT, answer, issued, logging_in, no_scope, shrunk
from scaivault.identity.oauth.narrowing import Narrowing
from scaivault.identity.store import accounts as accounts_store
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.trusts import store as trusts_store
from scaivault.identity.trusts.model import Trust
from scaivault.identity.trusts.proving import Proof, Proving, too_many
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import grants as wire
from scaivault.wire.values import duration_field, parse_duration

_SUBJECT_SHOWN: Final = 256
# Trusts that one token is held against; each takes 7 us, and 0.3 ms with the longest subject and
# pattern.
_MOST: Final = 200
_FEW: Final = 32


class _Candidate(NamedTuple):
    """A trust that names the token's issuer, and whom it gives."""

    trust: Trust
    account: Account


class _Login(NamedTuple):
    """What is about to be given: the row, and whose token it is given for."""

    chosen: _Candidate
    row: Token
    token: Unverified


class Exchange:
    """One per open vault."""

    def __init__(
        self, gate: Gate, tenancy: Tenancy, issuer: Issuer, proving: Proving, narrowing: Narrowing
    ) -> None:
        self.gate: Final = gate
        self._tenancy: Final = tenancy
        self._issuer: Final = issuer
        self._proving: Final = proving
        self._narrowing: Final = narrowing

    async def exchange(self, caller: Caller, request: wire.Exchange) -> wire.Exchanged:
        """Another token for the one that is sent: for the token of a foreign issuer one of the
        service account that a trust names, for one of ours one that may less."""
        self._issuer.check_enabled()
        body = request.body
        for index, glob in enumerate(body.allowed_paths or ()):
            check_glob(glob, f"allowed_paths[{index}]")
        ttl = None if body.ttl is None else duration_field("ttl", body.ttl) * SECOND
        if body.subject_token_type == wire.ACCESS_TOKEN:
            return await self._narrowing.narrow(caller, body, ttl)
        return await self._foreign(caller, body, ttl)

    async def _foreign(
        self, caller: Caller, body: wire.ExchangeBody, ttl: int | None
    ) -> wire.Exchanged:
        token = jwt.parse(body.subject_token)
        found = await self.gate.ask(lambda db: _named(db, token.issuer, body))
        named = [one for one in found if not self._tenancy.is_gone(one.trust.tenant_id)]
        if not named or token.issuer == self._issuer.name:
            raise refused()  # nobody outside was called
        notes: dict[str, object] = {"issuer": token.issuer}
        try:
            chosen = await self._chosen(caller, body, token, named, notes)
            return await self._given(caller, body, _login(chosen, body, token, caller.now, ttl))
        except Refusal as refusal:
            refusal.notes.update(notes)
            raise

    # -- which trust ---------------------------------------------------------------------------

    async def _chosen(
        self,
        caller: Caller,
        body: wire.ExchangeBody,
        token: Unverified,
        named: list[_Candidate],
        notes: dict[str, object],
    ) -> _Candidate:
        """The one trust that the token and the request fit. What the token says is believed for
        less work only: whoever sends an unproven one is told of that alone."""
        wanted = [one for one in named if _is_wanted(one, body)]
        fitting = [one for one in wanted if one.trust.admits(token.claims)]
        asked = [one.trust for one in fitting or wanted or named]
        proof = await self._proving.proof(token, asked, caller.now)
        shown = str(token.claims.get("sub", ""))[:_SUBJECT_SHOWN]
        if proof.proven:
            notes["subject"] = shown
        chosen = _only(fitting, proof)
        await self._proving.vouched(caller, chosen.trust, token)
        notes["subject"] = shown
        return chosen

    # -- what it gives -------------------------------------------------------------------------

    async def _given(
        self, caller: Caller, body: wire.ExchangeBody, login: _Login
    ) -> wire.Exchanged:
        trust, account = login.chosen
        caller.tenant_id, caller.partner_id = self._tenancy.places(trust.tenant_id)
        if not self._tenancy.admits(trust.tenant_id, account.roles):
            raise Refusal("forbidden", "this tenant is suspended", reason="tenant_suspended")
        if not login.row.scopes:
            raise no_scope(body.scope)
        claims = login.token.claims
        act = Act("auth_login")
        act.records_refusal = False
        act.extra.update(
            grant=GRANT,
            trust_id=trust.id,
            issuer=trust.issuer,
            subject=str(claims["sub"])[:_SUBJECT_SHOWN],
            token_id=login.row.id,
        )
        with logging_in(caller, self._tenancy, account, model.EXCHANGED):
            await self.gate.change(caller, act, lambda tx: self._log_in(tx, login))
        actor = {"iss": trust.issuer, "sub": claims["sub"]}
        text = self._issuer.sign(login.row, account, caller.partner_id or "", actor)
        return answer(login.row, text)

    def _log_in(self, tx: Transaction, login: _Login) -> None:
        """All as it was when it was looked at, and the token not one that counts once and came
        before."""
        trust, account = login.chosen
        kept = trusts_store.trust(tx.connection, trust.id)
        if kept is None or kept.as_used() != trust.as_used():
            raise _not_trusted()
        now = accounts_store.account_by_identity(
            tx.connection, account.tenant_id, account.identity_id
        )
        if now is None or now.status != model.ACTIVE:
            raise Refusal("token_revoked", "what this token would give was revoked")
        self._spend(tx, trust, login.token)
        tokens_store.add_token(tx, login.row, None)
        trusts_store.used(tx, trust.id)

    def _spend(self, tx: Transaction, trust: Trust, token: Unverified) -> None:
        times = jwt.times(token.claims, tx.now, self._proving.skew)
        if not trust.is_spent_by(token.claims, times.expires - times.issued):
            return
        if not isinstance(token.claims.get("jti"), str) or not token.claims["jti"]:
            raise Refusal("token_invalid", "this trust takes tokens with a jti only")
        until = times.expires + self._proving.skew
        if not trusts_store.spend(tx, trust.tenant_id, token_id_of(token), until):
            raise Refusal("token_invalid", "this token was exchanged before; get a new one")


def _login(
    chosen: _Candidate, body: wire.ExchangeBody, token: Unverified, now: int, ttl: int | None
) -> _Login:
    trust, account = chosen
    scopes = shrunk(body.scope, account.within(trust.max_scopes))
    longest = parse_duration(trust.max_ttl) * SECOND
    row = issued(model.EXCHANGED, account, scopes, now, min(ttl or longest, longest))
    lists = (trust.allowed_paths, tuple(body.allowed_paths or ()))
    paths = tuple(globs for globs in lists if globs)
    return _Login(chosen, row._replace(trust_id=trust.id, allowed_paths=paths), token)


def _named(db: Connection, issuer: str, body: wire.ExchangeBody) -> list[_Candidate]:
    """The active trusts that name an issuer, with their accounts: those that are asked for, or a
    few of the others, so that it can be told who is not trusted from what is no token at all."""
    role = body.role if body.role is not None and body.role.startswith("sa:") else None
    found = trusts_store.active_of(db, issuer, body.tenant_id, role, _MOST + 1)
    if len(found) > _MOST:
        raise too_many()
    return _with_accounts(db, found or trusts_store.active_of(db, issuer, None, None, _FEW))


def _with_accounts(db: Connection, trusts: list[Trust]) -> list[_Candidate]:
    found = []
    for trust in trusts:
        account = accounts_store.account_by_identity(db, trust.tenant_id, trust.identity_id)
        if account is not None and account.status == model.ACTIVE:
            found.append(_Candidate(trust, account))
    return found


def _is_wanted(one: _Candidate, body: wire.ExchangeBody) -> bool:
    tenant, role = body.tenant_id, body.role
    return tenant in {None, one.trust.tenant_id} and role in {
        None, one.account.identity_id, one.account.id,
    }  # fmt: skip


def _only(fitting: list[_Candidate], proof: Proof) -> _Candidate:
    """The one trust that is left. A token that nobody has proven yet learns of no other."""
    left = [one for one in fitting if one.trust.id in proof.proven | proof.untold]
    if len(left) != 1 and not proof.proven:
        raise refused()
    if not left:
        raise _not_trusted()
    if len(left) > 1:
        raise Refusal(
            "invalid_request",
            "several trusts fit this token: name the role, and the tenant_id, that you want",
            reason="ambiguous_role",
        )
    return left[0]


def _not_trusted() -> Refusal:
    """The same whether a trust is missing or gives somebody else."""
    return Refusal("access_denied", "no trust lets this token in as what you ask for")
