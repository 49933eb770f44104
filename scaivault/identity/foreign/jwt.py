"""JSON Web Tokens of others (RFC 7515, RFC 7519), read as something that an attacker wrote.

The steps are those of the contract, in its order: ``parse`` is the first, ``verify`` the fourth to
the seventh; the issuer and its key come in between (``issuers``, ``key_sets``)."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

from jwt.algorithms import get_default_algorithms

from scaivault.clock import DAY, SECOND
from scaivault.crypto.signing import from_base64url
from scaivault.errors import Refusal
from scaivault.identity.foreign.keys import ALGORITHMS, Key
from scaivault.wire import strict

LONGEST: Final = 8 * 1024
KID_LONGEST: Final = 256
LONGEST_LIFE: Final = DAY
_SIGNATURES: Final = {name: get_default_algorithms()[name] for name in ALGORITHMS}
# RFC 8725 section 3.11: what the issuer signed to be something else (a logout token, a security
# event) is no proof of who is calling. JOSE is how SPIFFE says JWT.
_TYPES: Final = frozenset(("jwt", "at+jwt", "jose"))
_LATEST: Final = 253_402_300_800  # seconds: the year 10000


class Unverified(NamedTuple):
    """A token that reads well and is not proven: whoever sent it chose every word.

    ``claims``: the payload's members; ``issuer``: its ``iss``, or empty."""

    text: str
    header: dict[str, Any]
    claims: dict[str, Any]
    algorithm: str
    kid: str
    issuer: str


class Accepted(NamedTuple):
    """What an issuer's tokens must say. ``algorithms``: subset of ``keys.ALGORITHMS``;
    ``audiences``: one of these; ``skew``: how far clocks may be apart, in microseconds."""

    issuer: str
    algorithms: tuple[str, ...]
    audiences: tuple[str, ...]
    skew: int


class Times(NamedTuple):
    """Of a token, as instants."""

    issued: int
    expires: int


def refused() -> Refusal:
    """401 that does not say which check failed: its answer would help to forge."""
    return Refusal("token_invalid", "this token cannot be verified; get a new one")


def parse(text: str) -> Unverified:
    """Check 1: size, three parts, a header that is plain JSON with an algorithm of the list, a key
    id and nothing critical. ``token_invalid`` otherwise. Keys that the token brings along or
    points to (``jwk``, ``x5c``, ``jku``, ``x5u``) are not looked at."""
    parts = text.split(".", 3) if len(text) <= LONGEST else []
    if len(parts) != 3:
        raise refused()
    header, claims = _object(parts[0]), _object(parts[1])
    algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ", "JWT")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or "crit" in header:
        raise refused()
    if not isinstance(kid, str) or not 0 < len(kid) <= KID_LONGEST:
        raise refused()
    if not isinstance(kind, str) or kind.lower().removeprefix("application/") not in _TYPES:
        raise refused()
    issuer = claims.get("iss")
    return Unverified(
        text, header, claims, algorithm, kid, issuer if isinstance(issuer, str) else ""
    )


def verify(unverified: Unverified, key: Key, accepted: Accepted, now: int) -> dict[str, Any]:
    """Checks 4 to 7: signature, times, audience. The claims, which are proven from here on;
    ``token_invalid`` or ``token_expired`` otherwise."""
    if not key.fits(unverified.algorithm) or not _is_signed(unverified, key):
        raise refused()
    return check_claims(unverified, accepted, now)


def check_claims(unverified: Unverified, accepted: Accepted, now: int) -> dict[str, Any]:
    """Checks 5 to 7 alone: for what somebody else vouches for, and proves nothing by itself."""
    algorithm, claims = unverified.algorithm, unverified.claims
    if unverified.issuer != accepted.issuer or algorithm not in accepted.algorithms:
        raise refused()
    if times(claims, now, accepted.skew).expires + accepted.skew <= now:
        raise Refusal("token_expired", "this token is over; get a new one")
    if audiences(claims).isdisjoint(accepted.audiences):
        raise refused()
    return claims


def times(claims: dict[str, Any], now: int, skew: int) -> Times:
    """Check 5. ``iat`` is required: without it neither the life of the token nor what came before
    a revocation can be told."""
    expires, issued = _instant(claims.get("exp")), _instant(claims.get("iat"))
    begins = _instant(claims["nbf"]) if "nbf" in claims else issued
    if max(begins, issued) > now + skew or expires - issued > LONGEST_LIFE:
        raise refused()
    return Times(issued, expires)


def audiences(claims: dict[str, Any]) -> frozenset[str]:
    """``aud``: a string, or a list of them."""
    audience = claims.get("aud")
    listed = audience if isinstance(audience, list) else [audience]
    return frozenset(one for one in listed if isinstance(one, str))


def _is_signed(unverified: Unverified, key: Key) -> bool:
    signed, _, signature = unverified.text.rpartition(".")
    try:
        return _SIGNATURES[unverified.algorithm].verify(
            signed.encode("ascii"), key.key, from_base64url(signature)
        )
    except ValueError:  # not ASCII, not base64url, not of the key's size
        return False


def _instant(seconds: object) -> int:
    """Microseconds of a NumericDate (RFC 7519 section 2)."""
    if not isinstance(seconds, int | float) or isinstance(seconds, bool):
        raise refused()
    if not 0 <= seconds < _LATEST:
        raise refused()
    return int(seconds * SECOND)


def _object(part: str) -> dict[str, Any]:
    """The JSON object in one part of a token, read as strictly as a request's body: of two members
    with the same name (RFC 7515 section 4) another reader might take the other one."""
    try:
        found = json.loads(strict.check(from_base64url(part)))
    except (Refusal, ValueError):  # also numbers of thousands of digits
        raise refused() from None
    if not isinstance(found, dict):
        raise refused()
    return found
