"""Trusts: which tokens of foreign issuers are exchanged, and for what.

Whoever makes or changes one hands out what it gives: it must be his to give, also when he changes
another field of a trust that somebody else made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Final

from scaivault.errors import Refusal, faults
from scaivault.gate.caller import TENANT_ADMIN, Caller, Principal
from scaivault.gate.cursors import Cursors, Pages, Place
from scaivault.gate.gate import Act, Gate
from scaivault.gate.rules import reaches
from scaivault.gate.transaction import Transaction
from scaivault.identity import subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.foreign.key_sets import Source
from scaivault.identity.model import ACTIVE, Account, Subject, check_held
from scaivault.identity.reach import Reach, check_local, check_rank, holder
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.trusts import store
from scaivault.identity.trusts.checks import Checks, patched, review_paths
from scaivault.identity.trusts.model import Review, Trust, info
from scaivault.ids import random_id
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import trusts as wire

_NEWEST: Final = [2**62, ""]
_ACCOUNTS: Final = ("sa:", "sa_")


class Trusts:
    """One per open vault. ``forget_source`` is called on the loop with keys' whereabouts that no
    trust names any more."""

    def __init__(
        self,
        gate: Gate,
        authentication: Authentication,
        tenancy: Tenancy,
        cursors: Cursors,
        checks: Checks,
    ) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)
        self._pages: Final = Pages(cursors, "trusts")
        self._checks: Final = checks
        self.forget_source: Callable[[Source], None] = lambda _source: None

    async def page(self, caller: Caller, request: wire.ListTrusts) -> wire.TrustPage:
        """One page of the tenant's trusts, newest first."""
        holder(caller, TENANT_ADMIN)
        act = Act("identity_read")
        act.extra["object_type"] = "trust"

        async def look() -> wire.TrustPage:
            place = self._pages.place(caller, request, _NEWEST)
            found = await self.gate.ask(lambda db: _page(db, caller, place))
            page = self._pages.cut(caller, place, found, lambda one: [one.created_at, one.id])
            return wire.TrustPage([info(one) for one in page.items], page.cursor, page.has_more)

        return await self.gate.read(caller, act, look)

    async def get(self, caller: Caller, request: wire.TrustId) -> wire.Trust:
        """One trust."""
        holder(caller, TENANT_ADMIN)
        act = Act("identity_read")
        act.extra["object_type"] = "trust"

        async def look() -> wire.Trust:
            trust = await self.gate.ask(lambda db: self._found(db, caller, request.id))
            if not _is_shown(caller, trust):
                raise _not_found(request.id)
            self._tenancy.concern(caller, trust.tenant_id)
            act.extra["object_id"] = trust.id
            return info(trust)

        return await self.gate.read(caller, act, look)

    async def create(self, caller: Caller, request: wire.NewTrust) -> wire.Trust:
        """Trust tokens of an issuer, for one service account of the caller's tenant or of one that
        his role reaches."""
        body = request.body
        holder(caller, TENANT_ADMIN)
        self._reach.aim(caller, body.tenant_id)
        self._checks.check(body)
        self._permit(caller, review_paths(body))

        def create(tx: Transaction) -> wire.Trust:
            account = self._account(tx, caller, body)
            trust = _made(body, account, random_id("trust_"), tx.now)
            _put(tx, trust)
            return info(trust)

        return await self.gate.change(caller, Act("trust_create"), create)

    async def change(self, caller: Caller, request: wire.ChangeTrust) -> wire.Trust:
        """Change what is sent; the tokens issued under the trust end."""
        holder(caller, TENANT_ADMIN)
        seen = await self.gate.ask(lambda db: self._found(db, caller, request.id))
        paths = review_paths(patched(seen, request.body))
        self._permit(caller, paths)

        def change(tx: Transaction) -> wire.Trust:
            before = self._to_change(tx, caller, request.id)
            body = patched(before, request.body)
            self._checks.check(body)
            if not set(review_paths(body)) <= set(paths):
                raise Refusal(
                    "invalid_state", "the trust was changed meanwhile; try again", reason="changed"
                )
            account = self._account(tx, caller, body)
            after = _made(body, account, before.id, tx.now)
            after = after._replace(created_at=before.created_at, last_used_at=before.last_used_at)
            _put(tx, after)
            self._end(tx, before)
            return info(after)

        return await self.gate.change(caller, Act("trust_update"), change)

    async def delete(self, caller: Caller, request: wire.TrustId) -> None:
        """Trust these tokens no longer; those issued under the trust end."""
        holder(caller, TENANT_ADMIN)

        def delete(tx: Transaction) -> None:
            trust = self._to_change(tx, caller, request.id)
            store.drop(tx, trust.id)
            self._end(tx, trust)

        await self.gate.change(caller, Act("trust_delete"), delete)

    def disable(self, tx: Transaction, who: Subject) -> dict[str, int]:
        """For when all access of an identity ends: no trust gives it any more."""
        ended = store.active_for(tx.connection, who.tenant_id, who.identity_id)
        store.disable_of(tx, who.tenant_id, who.identity_id)
        for trust in ended:
            self._drop_source(tx, trust)
        return {"trusts_disabled": len(ended)}

    # -- what is named -------------------------------------------------------------------------

    def _found(self, db: Connection, caller: Caller, trust_id: str) -> Trust:
        """A trust of a tenant that the caller reaches; others are simply not there."""
        trust = store.trust(db, trust_id)
        if trust is None or not self._tenancy.sees(holder(caller), trust.tenant_id):
            raise _not_found(trust_id)
        return trust

    def _to_change(self, tx: Transaction, caller: Caller, trust_id: str) -> Trust:
        """A trust whose account does not rank above the caller."""
        trust = self._found(tx.connection, caller, trust_id)
        if self._tenancy.is_gone(trust.tenant_id):
            raise _not_found(trust_id)
        tx.concern(*self._tenancy.places(trust.tenant_id))
        tx.note(trust_id=trust.id)
        account = subjects.subject(tx.connection, trust.tenant_id, trust.identity_id)
        if account is not None:
            check_rank(holder(caller), account)
        return trust

    def _account(self, tx: Transaction, caller: Caller, body: wire.TrustBody) -> Account:
        """The account that a trust gives, if it and the scopes are the caller's to give."""
        if not body.identity.startswith(_ACCOUNTS):
            raise faults({"identity": "must be a service account, by canonical id or record id"})
        account = self._reach.account(tx.connection, caller, body.identity)
        if account.tenant_id != caller.tenant:
            raise faults({"identity": "must be a service account of the trust's own tenant"})
        principal = holder(caller)
        check_rank(principal, account)
        # Its scopes are told in each of its issuer's tokens: none here would bound the trust's.
        check_local(account.issuer)
        if body.is_active and account.status != ACTIVE:
            raise Refusal(
                "invalid_state",
                "this service account is not active",
                state=account.status,
                reason="identity_not_active",
            )
        _check_scopes(principal, account, body)
        return account

    def _permit(self, caller: Caller, paths: list[str]) -> None:
        """A trust may have the vault read only what its maker may read."""
        for path in paths:
            self.gate.permit(caller, "read", path)

    def _end(self, tx: Transaction, trust: Trust) -> None:
        """What came of a trust as it was."""
        tokens_store.revoke_of_trust(tx, trust.tenant_id, trust.id)
        tx.then(self._authentication.forget)
        self._drop_source(tx, trust)

    def _drop_source(self, tx: Transaction, trust: Trust) -> None:
        """An issuer that no active trust names is not called, by no job either."""
        source = trust.source
        if not store.is_named(tx.connection, source):
            tx.then(lambda: self.forget_source(source))


def _not_found(trust_id: str) -> Refusal:
    return Refusal("trust_not_found", "there is no such trust", id=trust_id[:64])


def _page(db: Connection, caller: Caller, place: Place) -> list[Trust]:
    """One more than the page takes, of those that may be told."""
    found: list[Trust] = []
    behind, most = place.position, place.limit + 1
    while len(found) < most:
        some = store.page(db, caller.tenant, behind, most)
        found += [trust for trust in some if _is_shown(caller, trust)]
        if len(some) < most:
            break
        behind = [some[-1].created_at, some[-1].id]
    return found[:most]


def _is_shown(caller: Caller, trust: Trust) -> bool:
    """A trust names the secrets that the vault reads for it: not to a token that is narrowed to
    others."""
    review, lists = trust.token_review, holder(caller).allowed_paths
    paths = () if review is None else (review.credentials_path, review.ca_cert_path)
    return all(path is None or reaches(lists, path) for path in paths)


def _check_scopes(principal: Principal, account: Account, body: wire.TrustBody) -> None:
    """Also of a trust that is switched off: whoever switches it on may not look at all of it."""
    scopes = frozenset(body.max_scopes)
    if account.within(scopes) != scopes:
        raise faults({"max_scopes": "must be within the scopes of the service account"})
    check_held(scopes, principal)


def _made(body: wire.TrustBody, account: Account, trust_id: str, now: int) -> Trust:
    review = body.token_review
    return Trust(
        tenant_id=account.tenant_id,
        id=trust_id,
        name=body.name,
        issuer=body.issuer,
        jwks_url=body.jwks_url,
        jwks=None if body.jwks is None else json.dumps(body.jwks),
        algorithms=tuple(dict.fromkeys(body.algorithms)),
        audience=tuple(dict.fromkeys(body.audience)),
        subject=body.subject,
        claims_equal=body.claims_equal,
        identity_id=account.identity_id,
        max_scopes=tuple(sorted(set(body.max_scopes))),
        max_ttl=body.max_ttl,
        allowed_paths=tuple(body.allowed_paths or ()),
        single_use=None if body.single_use is None else int(body.single_use),
        token_review=None
        if review is None
        else Review(review.url, review.credentials_path, review.ca_cert_path),
        is_active=int(body.is_active),
        created_at=now,
        updated_at=now,
    )


def _put(tx: Transaction, trust: Trust) -> None:
    other = store.named(tx.connection, trust.tenant_id, trust.name)
    if other is not None and other.id != trust.id:
        raise Refusal("already_exists", "a trust has this name already", field="name")
    store.put(tx, trust)
    tx.note(trust_id=trust.id)
