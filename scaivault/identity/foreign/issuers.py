"""The issuers of the configuration, found by the ``iss`` of a token."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final, NamedTuple

from scaivault.config.identity import Issuer as Settings
from scaivault.errors import Refusal
from scaivault.identity.foreign import claims
from scaivault.identity.foreign.jwt import Accepted, Unverified
from scaivault.identity.foreign.key_sets import Source

PLACEHOLDER: Final = "{tenant_id}"


class Found(NamedTuple):
    """A configured issuer as one token names it."""

    settings: Settings
    source: Source
    accepted: Accepted


class Issuers:
    """``skew``: how far clocks may be apart, in microseconds."""

    def __init__(self, configured: Iterable[Settings], skew: int) -> None:
        listed = tuple(configured)
        self._skew: Final = skew
        self.listed: Final = listed
        # By the issuer's name. A pattern has one for each tenant that came, at most.
        self.sources: Final[dict[str, set[Source]]] = {one.name: set() for one in listed}
        self._exact: Final = {one.issuer: one for one in listed if PLACEHOLDER not in one.issuer}
        self._patterns: Final = tuple(one for one in listed if PLACEHOLDER in one.issuer)

    def of(self, token: Unverified, tenants: Container[str]) -> Found | None:
        """Check 2: the issuer whose name the token has, byte for byte. A name with a placeholder
        is one with the token's own tenant in its place, which must be one of ``tenants``: no
        token makes the vault call an address of its own making."""
        exact = self._exact.get(token.issuer)
        if exact is not None:
            return self._found(exact, token.issuer)
        for one in self._patterns:
            tenant = _tenant(one, token)
            if tenant in tenants and one.issuer.replace(PLACEHOLDER, str(tenant)) == token.issuer:
                return self._found(one, token.issuer)
        return None

    def _found(self, settings: Settings, issuer: str) -> Found:
        url = settings.jwks_url
        # One key set for all tenants is fetched once; else each tenant's issuer tells its own.
        source = Source(settings.issuer if url else issuer, url, ca_file=settings.ca_file)
        self.sources[settings.name].add(source)
        accepted = Accepted(issuer, settings.algorithms, settings.audience, self._skew)
        return Found(settings, source, accepted)


def _tenant(issuer: Settings, token: Unverified) -> str | None:
    """None for a claim that this issuer would not send: the token may be the next one's, to whom
    the claim means something else."""
    try:
        return claims.tenant(issuer, token.claims)
    except Refusal:
        return None
