"""Whether a foreign token is genuine, as the trusts that name its issuer check it.

Each trust has its own keys, algorithms and audiences; those that agree are checked once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final, NamedTuple

from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.identity.foreign import jwt
from scaivault.identity.foreign.jwt import Accepted, Unverified, refused
from scaivault.identity.foreign.key_sets import KeySets, Source, Unreachable
from scaivault.identity.foreign.keys import Key
from scaivault.identity.token_review import Reviews
from scaivault.identity.trusts_model import Review, Trust

# Of several failures the one that says most: what was proven but is over, then what may pass.
_TELLING: Final = ("token_expired", "upstream_error", "token_invalid")
# Key sets that one token may have us ask for. Tenants that trust the same issuer mostly ask for the
# same one; a tenant that names very many must not make every exchange of that issuer slow.
_MOST: Final = 32


class _Demand(NamedTuple):
    """What one or several trusts ask of a token. ``tenant_id``: whose secrets a review takes."""

    source: Source
    algorithms: tuple[str, ...]
    audience: tuple[str, ...]
    review: Review | None
    tenant_id: str | None


def _demand(trust: Trust) -> _Demand:
    review = trust.token_review
    return _Demand(
        trust.source,
        trust.algorithms,
        trust.audience,
        review,
        None if review is None else trust.tenant_id,
    )


class Proving:
    """One per open vault. ``skew``: how far clocks may be apart, in microseconds."""

    def __init__(self, key_sets: KeySets, reviews: Reviews, skew: int) -> None:
        self._key_sets: Final = key_sets
        self._reviews: Final = reviews
        self.skew: Final = skew

    async def proven(
        self, caller: Caller, token: Unverified, trusts: Iterable[Trust]
    ) -> list[Trust]:
        """Those of the trusts, which all name the token's issuer, whose checks it passes (3 to 7,
        then the cluster's word); the refusal of a check when it passes none's."""
        kinds: dict[_Demand, list[Trust]] = {}
        for trust in trusts:
            kinds.setdefault(_demand(trust), []).append(trust)
        if len(kinds) > _MOST:
            raise Refusal(
                "invalid_request",
                "too many trusts could be meant: name the tenant_id that you want",
                reason="ambiguous_role",
            )
        faults = await asyncio.gather(*(self._fault(caller, token, one) for one in kinds))
        found = [
            trust
            for fault, listed in zip(faults, kinds.values(), strict=True)
            if fault is None
            for trust in listed
        ]
        if not found:
            raise min((one for one in faults if one is not None), key=_rank, default=refused())
        return found

    async def _fault(self, caller: Caller, token: Unverified, demand: _Demand) -> Refusal | None:
        try:
            await self._check(caller, token, demand)
        except Refusal as refusal:
            return refusal
        return None

    async def _check(self, caller: Caller, token: Unverified, demand: _Demand) -> None:
        accepted = Accepted(token.issuer, demand.algorithms, demand.audience, self.skew)
        key = await self._key(token, demand)
        if key is not None:
            jwt.verify(token, key, accepted, caller.now)
        else:
            jwt.check_claims(token, accepted, caller.now)
        if demand.review is not None and demand.tenant_id is not None:
            await self._reviews.check(
                caller, demand.tenant_id, demand.review, token, demand.audience
            )

    async def _key(self, token: Unverified, demand: _Demand) -> Key | None:
        """The key that the token names; None where no set can be had and the cluster is asked."""
        if token.algorithm not in demand.algorithms:
            raise refused()
        try:
            return await self._key_sets.key(demand.source, token.kid, token.algorithm)
        except Unreachable:
            if demand.review is None:
                raise refused() from None
            return None


def _rank(fault: Refusal) -> int:
    return _TELLING.index(fault.code) if fault.code in _TELLING else len(_TELLING)
