"""Second factors of local users: time-based one-time passwords (RFC 6238).

Steps of ``verify``, all in the writer, so that no two requests can use one code or guess past the
limit together:

1. The calling token is still live, and a row of our own: the mark goes there, nowhere else.
2. Fewer than five wrong codes within a quarter of an hour, over all of the user's tokens.
3. The code is of the last, this or the next time step, and of a step that was not used before. A
   wrong one is written down, though the request is refused.
4. The first right code of a new factor confirms it; any other factor of the user ends, with all
   that was proven by it.
"""

from __future__ import annotations

import os
from typing import Final

from scaivault.clock import MINUTE, SECOND, instant
from scaivault.crypto import totp
from scaivault.crypto.memory import wipe
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.limits import Allowance, RateLimited
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, names
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Token, User
from scaivault.identity.reach import Reach, check_local, holder, is_self
from scaivault.identity.store import mfa as store
from scaivault.identity.store import tokens as tokens_store
from scaivault.identity.store import users as users_store
from scaivault.identity.store.mfa import Totp
from scaivault.ids import random_id
from scaivault.tenancy import Tenancy
from scaivault.wire import identity as who_is
from scaivault.wire import tokens as wire
from scaivault.wire import users

FRESH: Final = 15 * MINUTE
_GUESSES: Final = 5
_WITHIN: Final = 15 * MINUTE
_CATEGORY: Final = "auth_tokens"
_WINDOW: Final = 2  # steps from the first to the last that is taken at one time


def is_fresh(verified_at: int | None, now: int) -> bool:
    """Whether a second factor was proven within the last quarter of an hour."""
    return verified_at is not None and 0 <= now - verified_at <= FRESH


class Mfa:
    """One per open vault."""

    def __init__(self, gate: Gate, authentication: Authentication, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._reach: Final = Reach(tenancy)

    async def enrol(self, caller: Caller, _request: who_is.Nothing) -> wire.Enrolled:
        """A new authenticator, which counts once a code of it was verified; until then the one
        before stays."""
        principal = _user(caller)

        def enrol(tx: Transaction) -> wire.Enrolled:
            user, token = self._calling(tx, principal)
            if store.is_confirmed(tx.connection, user):
                _check_fresh(token, tx.now)
            secret = os.urandom(totp.SECRET_BYTES)
            store.add(tx, user, random_id("totp_"), secret)
            told = wire.Enrolled(
                secret=totp.text(secret),
                otpauth_uri=totp.uri(secret, user.identity_id.removeprefix("user:")),
                confirmed=False,
            )
            wipe(secret)
            return told

        return await self.gate.change(caller, _act("mfa_enrol", principal), enrol)

    async def verify(self, caller: Caller, request: wire.VerifyCode) -> wire.Verified:
        """Prove a code to the calling token, and to no other; the first one confirms the
        authenticator."""
        principal = _user(caller)
        if principal.issuer != model.LOCAL:
            raise Refusal(
                "forbidden",
                "the issuer of this token says itself when a second factor was proven",
                reason="externally_managed",
            )

        def verify(tx: Transaction) -> wire.Verified | Refusal:
            user, token = self._calling(tx, principal)
            wrong = _recent(store.wrong(tx.connection, user), tx.now)
            found = _fitting(tx, user, request.body.code)
            if found is None:
                store.put_wrong(tx, user, [*wrong, tx.now])
                return _rejected(tx, enrolled=bool(store.factors(tx.connection, user)))
            self._take(tx, user, *found)
            tokens_store.verified(tx, token.id)
            tx.then(self._authentication.forget)
            return wire.Verified(instant(tx.now))

        outcome = await self.gate.change(caller, _act("mfa_verify", principal), verify)
        if isinstance(outcome, Refusal):
            raise outcome
        return outcome

    async def remove(self, caller: Caller, _request: who_is.Nothing) -> None:
        """No second factor any more. Repeatable."""
        principal = _user(caller)

        def remove(tx: Transaction) -> None:
            user, token = self._calling(tx, principal)
            _check_fresh(token, tx.now)
            self._drop(tx, user)

        await self.gate.change(caller, _act("mfa_reset", principal), remove)

    async def reset(self, caller: Caller, request: users.UserId) -> None:
        """Take the second factor from a user who lost it. Repeatable. One's own takes a proof of
        it here too."""
        principal = holder(caller)

        def reset(tx: Transaction) -> None:
            user = self._reach.user_below(tx, caller, request.id)
            if is_self(principal, user):
                _check_fresh(self._authentication.calling(tx.connection, principal), tx.now)
            self._drop(tx, user)

        await self.gate.change(caller, Act("mfa_reset"), reset)

    # -- inside a transaction ------------------------------------------------------------------

    def _calling(self, tx: Transaction, principal: Principal) -> tuple[User, Token]:
        """The user who calls, who must be one of our own, and his token."""
        token = self._authentication.calling(tx.connection, principal)
        place = principal.tenant_id, principal.identity_id
        user = users_store.user_by_identity(tx.connection, *place)
        if user is None or user.status != model.ACTIVE:
            raise Refusal("token_revoked", "this token was revoked; get a new one")
        check_local(user.issuer)
        return user, token

    def _take(self, tx: Transaction, user: User, factor: Totp, step: int) -> None:
        """The code of a step is used up; it confirms a factor that was not."""
        used = (*factor.used, step)
        store.use(tx, user, factor.id, tuple(one for one in used if one >= max(used) - _WINDOW))
        if factor.confirmed_at is None:
            store.confirm(tx, user, factor.id)
            users_store.put_user(tx, user._replace(mfa_enabled=1))
            tokens_store.unverify(tx, user.tenant_id, user.identity_id)

    def _drop(self, tx: Transaction, user: User) -> None:
        store.drop(tx, user)
        users_store.put_user(tx, user._replace(mfa_enabled=0))
        tokens_store.unverify(tx, user.tenant_id, user.identity_id)
        tx.then(self._authentication.forget)


def _user(caller: Caller) -> Principal:
    principal = holder(caller)
    if principal.identity_type != names.USER:
        raise Refusal("forbidden", "second factors are for users", reason="not_a_user")
    return principal


def _act(action: str, principal: Principal) -> Act:
    act = Act(action)
    act.extra["for"] = principal.identity_id
    return act


def _check_fresh(token: Token, now: int) -> None:
    if not is_fresh(token.mfa_verified_at, now):
        raise Refusal(
            "mfa_required", "verify a code of the present authenticator first, then call again"
        )


def _recent(wrong: list[int], now: int) -> list[int]:
    """Those of the last quarter of an hour; ``rate_limited`` when they are too many."""
    recent = [at for at in wrong if at > now - _WITHIN]
    if len(recent) >= _GUESSES:
        free = recent[-_GUESSES] + _WITHIN
        wait = -(-(free - now) // SECOND)
        allowance = Allowance(_GUESSES, 0, -(-free // SECOND))
        raise RateLimited(_CATEGORY, allowance, wait, "wrong codes")
    return recent


def _fitting(tx: Transaction, user: User, code: str) -> tuple[Totp, int] | None:
    """The factor that gave a code, and the time step, which was not used before. The clock may
    have gone back: what lies behind the window of the last step that was used counts as used."""
    for factor in store.factors(tx.connection, user):
        secret = tx.open(user.tenant_id, store.place(factor.id), 0, factor.sealed)
        steps = totp.steps_of(secret, code, tx.now // SECOND)
        wipe(secret)
        oldest = max(factor.used, default=0) - _WINDOW
        for step in steps:
            if step >= oldest and step not in factor.used:
                return factor, step
    return None


def _rejected(tx: Transaction, *, enrolled: bool) -> Refusal:
    """Not raised in the change: that would take back what it wrote down."""
    wrong = "this code is not the authenticator's present one, or it was used; wait for the next"
    refused = Refusal(
        "mfa_required",
        wrong if enrolled else "there is no second factor yet: enrol one first",
        reason="code_rejected",
    )
    tx.fail(refused.code)
    refused.recorded = True
    return refused
