"""New personal access tokens."""

from __future__ import annotations

import os
from typing import Final, NamedTuple

from scaivault.clock import SECOND, instant, parse_instant
from scaivault.config.identity import Identity as Settings
from scaivault.crypto import codes
from scaivault.errors import Refusal, faults, invalid
from scaivault.gate.addresses import common
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.globs import check_glob
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Subject, Token
from scaivault.identity.people.mfa import is_fresh
from scaivault.identity.reach import Reach, check_rank, holder, is_self
from scaivault.identity.store import tokens as tokens_store
from scaivault.ids import random_id
from scaivault.seal.keyring import Keyring
from scaivault.storage.file import Connection
from scaivault.tenancy import Tenancy
from scaivault.wire import tokens as wire
from scaivault.wire.addresses import parse_range
from scaivault.wire.names import name_fault
from scaivault.wire.values import duration_field, duration_text

_LISTS_MOST: Final = 10

Lists = tuple[tuple[str, ...], ...]


def personal(
    tx: Transaction,
    keyring: Keyring,
    who: Subject,
    name: str,
    scopes: tuple[str, ...],
    ttl: int,
    text: str | None = None,
    *,
    allowed_paths: Lists = (),
    ip_ranges: tuple[str, ...] = (),
    parent_id: str | None = None,
) -> tuple[str, Token]:
    """A personal access token: (its text, its row). Only a keyed hash of the text is kept.
    ``text`` is given for throw-away vaults only."""
    text = text or codes.token(codes.TOKEN, os.urandom(32))
    row = Token(
        random_id("tok_"), model.PAT, who.tenant_id, who.identity_id, name, scopes,
        None, tx.now, tx.now + ttl, allowed_paths=allowed_paths, ip_ranges=ip_ranges,
        parent_id=parent_id,
    )  # fmt: skip
    tokens_store.add_token(tx, row, keyring.token_hash(text.encode()))
    tx.note(token_id=row.id, scopes=list(scopes), expires_at=instant(row.expires_at))
    tx.extra["for"] = who.identity_id
    return text, row


class _Wanted(NamedTuple):
    """A request, checked; ``ttl`` in microseconds. ``expires_at``: the instant that was sent."""

    name: str
    scopes: tuple[str, ...]
    ttl: int
    expires_at: int | None
    allowed_paths: tuple[str, ...]
    ip_ranges: tuple[str, ...]
    identity_id: str | None


class Minting:
    """One per open vault."""

    def __init__(
        self,
        gate: Gate,
        keyring: Keyring,
        tenancy: Tenancy,
        authentication: Authentication,
        settings: Settings,
    ) -> None:
        self.gate: Final = gate
        self._keyring: Final = keyring
        self._tenancy: Final = tenancy
        self._reach: Final = Reach(tenancy)
        self._authentication: Final = authentication
        self._settings: Final = settings

    async def create(self, caller: Caller, request: wire.NewToken) -> wire.MadeToken:
        """A token for oneself or, with ``identity:admin``, for another user who does not rank
        above; its text is told once. It reaches no path and no address that the calling token
        does not reach."""
        principal = holder(caller)
        wanted = self._checked(request.body, principal, caller.now)
        await self._check_may(caller, principal, wanted.identity_id)

        def create(tx: Transaction) -> wire.MadeToken:
            calling = self._authentication.calling(tx.connection, principal)
            who = self._whom(tx, caller, principal, wanted.identity_id)
            parent = calling if _is_child(principal, who, calling, tx.now) else None
            ttl = _life(wanted, parent, tx.now)
            text, row = personal(
                tx,
                self._keyring,
                who,
                wanted.name,
                wanted.scopes,
                ttl,
                allowed_paths=narrowed(calling.allowed_paths, wanted.allowed_paths),
                ip_ranges=_within(calling.ip_ranges, wanted.ip_ranges),
                parent_id=None if parent is None else parent.id,
            )
            shown = model.token_info(row, tx.now)
            return wire.MadeToken(
                **{name: getattr(shown, name) for name in shown.__struct_fields__}, token=text
            )

        return await self.gate.change(caller, Act("token_create"), create)

    # -- what is asked for ---------------------------------------------------------------------

    def _checked(self, body: wire.TokenBody, principal: Principal, now: int) -> _Wanted:
        """All fields, all faults at once."""
        found: dict[str, str] = {}
        if (fault := name_fault(body.name)) is not None:
            found["name"] = fault
        if body.identity_id is not None and _is_no_user(body.identity_id):
            found["identity_id"] = "must be a user: others have no personal access tokens"
        if (fault := model.scopes_fault(body.scopes)) is not None:
            found["scopes"] = fault
        for index, text in enumerate(body.ip_ranges or ()):
            if not _is_range(text):
                found[f"ip_ranges.{index}"] = "must be an address or a CIDR block"
        ttl, expires_at = self._ttl(body, now, found)
        if found:
            raise faults(found)
        for index, pattern in enumerate(body.allowed_paths or ()):
            check_glob(pattern, f"allowed_paths.{index}")
        return _Wanted(
            body.name,
            model.check_scopes(body.scopes, principal),
            ttl,
            expires_at,
            tuple(body.allowed_paths or ()),
            tuple(body.ip_ranges or ()),
            body.identity_id,
        )

    def _ttl(self, body: wire.TokenBody, now: int, found: dict[str, str]) -> tuple[int, int | None]:
        """How long the token lives from ``now``, in microseconds, and the end that was named."""
        field, ttl = "expires_in", self._settings.pat_default_ttl * SECOND
        expires_at = None
        if body.expires_in is not None and body.expires_at is not None:
            found["expires_at"] = "send expires_in or expires_at, not both"
        elif body.expires_in is not None:
            ttl = duration_field("expires_in", body.expires_in) * SECOND
        elif body.expires_at is not None:
            field = "expires_at"
            try:
                expires_at = parse_instant(body.expires_at)
                ttl = expires_at - now
            except (ValueError, OverflowError):
                found[field] = "must be an RFC 3339 timestamp or a date"
        if ttl <= 0:
            found[field] = "must be later than now"
        elif ttl > self._settings.pat_max_ttl * SECOND:
            most = duration_text(self._settings.pat_max_ttl)
            found[field] = f"is longer than identity.pat_max_ttl: {most}"
        return ttl, expires_at

    async def _check_may(self, caller: Caller, principal: Principal, reference: str | None) -> None:
        """For oneself as a user; for others with the scope. Who lacks it is told nothing about
        whom there is."""
        if reference is None:
            if principal.identity_type != names.USER:
                raise Refusal(
                    "forbidden",
                    "service accounts have no personal access tokens; use their client secret, or"
                    " name a user in identity_id",
                    reason="service_account",
                )
            return
        if not principal.scopes.isdisjoint(("identity:admin", "admin")):
            return
        if not await self.gate.ask(lambda db: self._is_own(db, caller, principal, reference)):
            raise Refusal(
                "forbidden",
                "a token for another user takes the scope identity:admin",
                reason="scope_not_held",
            )

    def _is_own(self, db: Connection, caller: Caller, principal: Principal, reference: str) -> bool:
        try:
            return is_self(principal, self._reach.user(db, caller, reference))
        except Refusal:
            return False

    # -- inside the transaction ----------------------------------------------------------------

    def _whom(
        self, tx: Transaction, caller: Caller, principal: Principal, reference: str | None
    ) -> Subject:
        """Whose token it will be; the ledger names the tenant."""
        who: Subject | None
        if reference is None:
            who = subjects.subject(tx.connection, principal.tenant_id, principal.identity_id)
        else:
            who = self._reach.user(tx.connection, caller, reference)
            self._reach.check_there(who.tenant_id, who.id)
        if who is None or who.status != model.ACTIVE:
            raise Refusal(
                "invalid_state",
                "this user is not active",
                state=model.DELETED if who is None else who.status,
                reason="not_active",
            )
        # Of oneself too: a session of an outside issuer may be trusted with fewer roles than one
        # has, and a token of our own would have them all.
        check_rank(principal, who)
        tx.concern(*self._tenancy.places(who.tenant_id))
        return who


def _life(wanted: _Wanted, parent: Token | None, now: int) -> int:
    """How long the token lives from ``now``, which is a little later than it was checked."""
    if parent is not None and parent.expires_at <= now:
        raise Refusal("token_expired", "this token is over; get a new one")
    ttl = wanted.ttl if wanted.expires_at is None else wanted.expires_at - now
    if ttl <= 0:
        raise invalid(expires_at="must be later than now")
    return ttl if parent is None else min(ttl, parent.expires_at - now)


def narrowed(lists: Lists, further: tuple[str, ...]) -> Lists:
    """A token's lists of globs with one more, of which a path must match one too. ``faults`` for
    more lists than are kept: each token would be longer than the one that it was made from, and
    every request with it slower."""
    if not further or further in lists:
        return lists
    if len(lists) >= _LISTS_MOST:
        raise invalid(allowed_paths=f"your token is bound to {_LISTS_MOST} lists of paths already")
    return (*lists, further)


def _within(ranges: tuple[str, ...], further: tuple[str, ...]) -> tuple[str, ...]:
    """The ranges of a token that is bound to ``further`` and made with one bound to ``ranges``."""
    found = common(ranges, further)
    if found is None:
        raise invalid(ip_ranges="lies outside of the ranges of your own token")
    return found


def _is_child(principal: Principal, who: Subject, calling: Token, now: int) -> bool:
    """Whether a token ends with the one that it was made with: what a user makes for himself,
    unless he proved a second factor. Also what he makes with a session that is itself a child, or
    that would be a way around."""
    local = principal.issuer == model.LOCAL
    return local and is_self(principal, who) and not is_fresh(calling.mfa_verified_at, now)


def _is_no_user(reference: str) -> bool:
    named = names.canonical(reference)
    if named is not None:
        return named[0] != names.USER
    return reference.startswith(("sa_", "grp_"))


def _is_range(text: str) -> bool:
    try:
        parse_range(text)
    except ValueError:
        return False
    return True
