"""What ends with an identity: its tokens, its client secrets, and what other rooms keep for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from scaivault.clock import instant
from scaivault.errors import faults
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.identity import model, subjects
from scaivault.identity.authentication import Authentication
from scaivault.identity.model import Account, Subject, User
from scaivault.identity.reach import Reach
from scaivault.identity.store import groups as groups_store
from scaivault.identity.store import mfa as mfa_store
from scaivault.tenancy import Tenancy
from scaivault.wire import users as wire

S = TypeVar("S", Account, User)
Hook = Callable[[Transaction, Subject], dict[str, int]]

_COUNTERS: Final = (
    "tokens_revoked", "credentials_revoked", "trusts_disabled", "subscriptions_disabled",
    "leases_revoked", "leases_pending",
)  # fmt: skip


class Revoking:
    """One per open vault. ``on_revoked``: what other rooms do about an identity whose access ends,
    in the same transaction; each tells its counters."""

    def __init__(self, gate: Gate, authentication: Authentication, tenancy: Tenancy) -> None:
        self.gate: Final = gate
        self._authentication: Final = authentication
        self._reach: Final = Reach(tenancy)
        self.on_revoked: Final[list[Hook]] = []

    async def revoke_access(self, caller: Caller, request: wire.RevokeAccess) -> wire.AccessRevoked:
        """End every token, client secret, trust, subscription and lease of a user or a service
        account, all at once. The identity and what is bound to it stay. Repeatable."""
        if request.type not in subjects.KINDS:
            raise faults({"type": f"must be one of: {', '.join(subjects.KINDS)}"})

        def revoke(tx: Transaction) -> wire.AccessRevoked:
            who = self._reach.subject_below(tx, caller, request.type, request.id)
            counters = self.end_access(tx, who)
            tx.note(**counters)
            if request.body.reason is not None:
                tx.note(reason=request.body.reason)
            until = instant(subjects.ended_by(tx, who))
            return wire.AccessRevoked(identity_id=who.identity_id, revoked_before=until, **counters)

        return await self.gate.change(caller, Act("access_revoke"), revoke)

    # -- inside a transaction ------------------------------------------------------------------

    def end_access(self, tx: Transaction, who: Subject) -> dict[str, int]:
        """Nothing that ``who`` was given until now lets anybody in any more; how much that was."""
        counters = dict.fromkeys(_COUNTERS, 0)
        ended = subjects.end_access(tx, who)
        counters["tokens_revoked"], counters["credentials_revoked"] = ended
        for hook in self.on_revoked:
            for name, count in hook(tx, who).items():
                counters[name] += count
        tx.then(self._authentication.forget)
        return counters

    def suspend(self, tx: Transaction, who: S) -> S:
        """``who`` as a suspended identity: all its access ends, its bindings stay.
        ``invalid_state`` for the last super_admin."""
        return self._end(tx, who._replace(status=model.SUSPENDED))

    def delete(self, tx: Transaction, who: S) -> S:
        """``who`` as a deleted identity: its access, roles, second factor, memberships and
        bindings end; its id is never given out again. ``invalid_state`` for the last
        super_admin."""
        gone = who._replace(status=model.DELETED, roles=())
        if isinstance(gone, User):
            gone = gone._replace(mfa_enabled=0)
        gone = self._end(tx, gone)
        if isinstance(gone, User):
            mfa_store.drop(tx, gone)
        groups_store.drop_memberships(tx, gone.tenant_id, gone.identity_id)
        self._authentication.on_deleted(tx, gone.tenant_id, gone.identity_id)
        return gone

    def _end(self, tx: Transaction, after: S) -> S:
        subjects.check_last(tx, after)
        after = after._replace(revoked_before=subjects.ended_by(tx, after))
        subjects.put(tx, after)
        self.end_access(tx, after)
        return after
