"""All policies and bindings in memory, and the rules of those who ask, ready to decide.

``rules_of`` is asked on the event loop and, for lists, in readers. So what it looks into without
the lock is replaced, never changed in place; the lock keeps a change and the making of compiled
rules apart, so that none are kept that an older state made. Changes come in on the loop, once they
are on disk and before their request is answered.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

from scaivault.gate.caller import Caller
from scaivault.gate.gate import NO_RULES
from scaivault.gate.rules import Compiled
from scaivault.policies import store
from scaivault.policies.model import Binding, Held, Policy, held
from scaivault.storage.file import Connection

RULES_MAX: Final = 50_000
"""Compiled rules that are kept in all, for all callers together: about 70 MB."""

_Who = tuple[str, str, tuple[str, ...]]  # tenant, identity, its groups


class Grant(NamedTuple):
    """A binding that counts, and the policy that it gives."""

    binding: Binding
    held: Held


class _Kept:
    """Compiled rules of one caller. ``until``: a binding ends then; ``policies``: all that are
    bound, the inactive too."""

    __slots__ = ("policies", "rules", "until", "used")

    def __init__(
        self, rules: Compiled, policies: frozenset[str], until: int | None, used: int
    ) -> None:
        self.rules: Final = rules
        self.policies: Final = policies
        self.until: Final = until
        self.used = used


class Shelf:
    """One per open vault. ``mfa_max_age``: seconds, where a rule names none; ``ttl``: how long
    (us) compiled rules are kept that nobody asks for."""

    def __init__(self, mfa_max_age: int, ttl: int) -> None:
        self.mfa_max_age: Final = mfa_max_age
        self._ttl: Final = ttl
        self._policies: Final[dict[str, Held]] = {}
        self._bindings: Final[dict[tuple[str, str], tuple[Binding, ...]]] = {}
        self._kept: Final[dict[_Who, _Kept]] = {}
        self._weight = 0
        self._lock: Final = threading.Lock()

    def load(self, connection: Connection) -> None:
        """Take up what the file holds."""
        for policy in store.all_policies(connection):
            self._policies[policy.id] = held(policy, self.mfa_max_age)
        grouped: dict[tuple[str, str], list[Binding]] = {}
        for binding in store.all_bindings(connection):
            grouped.setdefault((binding.tenant_id, binding.identity_id), []).append(binding)
        self._bindings.update((who, tuple(bound)) for who, bound in grouped.items())

    def clear(self) -> None:
        """Hold nothing any more."""
        with self._lock:
            self._policies.clear()
            self._bindings.clear()
            self._kept.clear()
            self._weight = 0

    # -- who may what --------------------------------------------------------------------------

    def rules_of(self, caller: Caller) -> Compiled:
        """The rules that count for the caller where he acts: none outside his own tenant, where
        only roles count."""
        principal, tenant = caller.principal, caller.tenant_id
        if principal is None or tenant is None or principal.tenant_id != tenant:
            return NO_RULES
        who = (tenant, principal.identity_id, principal.groups)
        kept = self._kept.get(who)
        if kept is None or (kept.until is not None and kept.until <= caller.now):
            kept = self._compile(who, caller.partner_id, caller.now)
        kept.used = caller.now
        return kept.rules

    def grants(
        self, tenant: str, partner: str | None, subjects: Iterable[str], now: int
    ) -> list[Grant]:
        """What live bindings give to an identity and its groups, in this order."""
        found = []
        for subject in subjects:
            for binding in self._bindings.get((tenant, subject), ()):
                bound = self._policies.get(binding.policy_id)
                if (
                    bound is not None
                    and bound.policy.is_active
                    and bound.policy.owner_id in (tenant, partner)
                    and binding.is_live(now)
                ):
                    found.append(Grant(binding, bound))
        return found

    def policy(self, policy_id: str) -> Held | None:
        return self._policies.get(policy_id)

    def _compile(self, who: _Who, partner: str | None, now: int) -> _Kept:
        tenant, identity, groups = who
        with self._lock:
            known = [self._bindings.get((tenant, one), ()) for one in (identity, *groups)]
            live = [binding for binding in chain.from_iterable(known) if binding.is_live(now)]
            ends = [binding.expires_at for binding in live if binding.expires_at is not None]
            kept = _Kept(
                compiled(self.grants(tenant, partner, (identity, *groups), now)),
                frozenset(binding.policy_id for binding in live),
                min(ends, default=None),
                now,
            )
            self._forget([who])
            self._make_room(len(kept.rules.rules) + 1)
            self._kept[who] = kept
            return kept

    # -- changes, on the loop ------------------------------------------------------------------

    def put(self, policy: Policy) -> None:
        """A policy is new or changed."""
        ready = held(policy, self.mfa_max_age)
        with self._lock:
            self._policies[policy.id] = ready
            self._forget_policy(policy.id)

    def drop(self, policy_id: str) -> None:
        """A policy is gone."""
        with self._lock:
            self._policies.pop(policy_id, None)
            self._forget_policy(policy_id)

    def bind(self, binding: Binding) -> None:
        """A binding is new."""
        self._rebind(binding, (binding,))

    def unbind(self, binding: Binding) -> None:
        """A binding is gone."""
        self._rebind(binding, ())

    def _rebind(self, binding: Binding, added: tuple[Binding, ...]) -> None:
        who = (binding.tenant_id, binding.identity_id)
        with self._lock:
            others = [one for one in self._bindings.get(who, ()) if one.id != binding.id]
            if others or added:
                self._bindings[who] = (*others, *added)
            else:
                self._bindings.pop(who, None)
            self._forget(
                [
                    known
                    for known in self._kept
                    if known[0] == who[0] and (known[1] == who[1] or who[1] in known[2])
                ]
            )

    def _forget_policy(self, policy_id: str) -> None:
        self._forget([who for who, kept in self._kept.items() if policy_id in kept.policies])

    # -- upkeep --------------------------------------------------------------------------------

    def sweep(self, now: int) -> int:
        """Forget compiled rules that nobody asked for lately; how many callers'."""
        with self._lock:
            idle = [who for who, kept in self._kept.items() if kept.used + self._ttl <= now]
            self._forget(idle)
        return len(idle)

    def _make_room(self, weight: int) -> None:
        """Down to three quarters at once: looking for the oldest costs a sort."""
        self._weight += weight
        if self._weight <= RULES_MAX:
            return
        for who in sorted(self._kept, key=lambda who: self._kept[who].used):
            if self._weight <= RULES_MAX * 3 // 4:
                break
            self._forget([who])

    def _forget(self, whose: Iterable[_Who]) -> None:
        for who in whose:
            kept = self._kept.pop(who, None)
            if kept is not None:
                self._weight -= len(kept.rules.rules) + 1


def compiled(grants: Iterable[Grant]) -> Compiled:
    """The rules of the policies given, each once however often it is bound."""
    policies = {grant.held.policy.id: grant.held for grant in grants}
    return Compiled(chain.from_iterable(one.rules for one in policies.values()))
