"""Whether a foreign token is genuine, as the trusts that name its issuer check it.

Each trust has its own keys, algorithms and audiences; those that agree are checked once. A cluster
is shown a token only for the one trust that it is exchanged through: whoever else trusts the same
issuer must not get to see it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.identity.foreign import jwt
from scaivault.identity.foreign.jwt import Accepted, Unverified, refused
from scaivault.identity.foreign.key_sets import KeySets, Source, Unreachable
from scaivault.identity.trusts.model import Trust
from scaivault.identity.trusts.token_review import Reviews

# Key sets that one token may have us ask for. Tenants that trust the same issuer mostly ask for the
# same one; a tenant that names very many must not make every exchange of that issuer slow.
_MOST: Final = 32


def too_many() -> Refusal:
    """400 where looking at all would take too long."""
    return Refusal(
        "invalid_request",
        "too many trusts could be meant: name the role, and the tenant_id, that you want",
        reason="ambiguous_role",
    )


class Proof(NamedTuple):
    """Ids of trusts: whose checks a token passed, and for which only their cluster can tell, since
    no key set could be had."""

    proven: frozenset[str]
    untold: frozenset[str]


class _Demand(NamedTuple):
    """What one or several trusts ask of a token. ``reviewed``: a cluster is asked besides."""

    source: Source
    algorithms: tuple[str, ...]
    audience: tuple[str, ...]
    reviewed: bool


class Proving:
    """One per open vault. ``skew``: how far clocks may be apart, in microseconds."""

    def __init__(self, key_sets: KeySets, reviews: Reviews, skew: int) -> None:
        self._key_sets: Final = key_sets
        self._reviews: Final = reviews
        self.skew: Final = skew

    async def proof(self, token: Unverified, trusts: Iterable[Trust], now: int) -> Proof:
        """Checks 3 to 7 of the trusts, which all name the token's issuer; the refusal of a check
        when the token passes none's."""
        kinds: dict[_Demand, list[str]] = {}
        for trust in trusts:
            demand = _Demand(
                trust.source, trust.algorithms, trust.audience, trust.token_review is not None
            )
            kinds.setdefault(demand, []).append(trust.id)
        if len(kinds) > _MOST:
            raise too_many()
        found = await asyncio.gather(*(self._checked(token, one, now) for one in kinds))
        faults = [one for one in found if isinstance(one, Refusal)]
        if len(faults) == len(found):
            # What was proven but is over says more than what is not proven.
            raise next((one for one in faults if one.code == "token_expired"), refused())

        def those(wanted: bool) -> frozenset[str]:
            pairs = zip(found, kinds.values(), strict=True)
            return frozenset(name for one, listed in pairs if one is wanted for name in listed)

        return Proof(those(True), those(False))

    async def vouched(self, caller: Caller, trust: Trust, token: Unverified) -> None:
        """The word of the trust's cluster, if it has one: ``token_invalid`` against the token,
        ``upstream_error`` without an answer."""
        if trust.token_review is not None:
            await self._reviews.check(
                caller, trust.tenant_id, trust.token_review, token, trust.audience
            )

    async def _checked(self, token: Unverified, demand: _Demand, now: int) -> bool | Refusal:
        """Whether the token is proven; False when it takes a cluster to tell."""
        accepted = Accepted(token.issuer, demand.algorithms, demand.audience, self.skew)
        try:
            if token.algorithm not in demand.algorithms:
                raise refused()
            try:
                key = await self._key_sets.key(demand.source, token.kid, token.algorithm)
            except Unreachable:
                if not demand.reviewed:
                    raise refused() from None
                jwt.check_claims(token, accepted, now)
                return False
            jwt.verify(token, key, accepted, now)
        except Refusal as refusal:
            return refusal
        return True
