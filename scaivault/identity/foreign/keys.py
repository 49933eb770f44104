"""Public keys of issuers (RFC 7517, RFC 7518 section 6, RFC 8037)."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers

from scaivault.crypto.signing import IssuerPublic, from_base64url

ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
SET_LONGEST: Final = 1024 * 1024
KEYS_MOST: Final = 100
RSA_SMALLEST: Final = 2048
# What a set of keys asks us to compute with is bounded: a check takes time by their size.
_RSA_LARGEST: Final = 8192
_EXPONENT_BYTES: Final = 4
_FITTING: Final[dict[str, type]] = {
    "RS256": RSAPublicKey,
    "ES256": EllipticCurvePublicKey,
    "EdDSA": Ed25519PublicKey,
}

Public = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey


class Key(NamedTuple):
    """``algorithm``: the only one that the key is for, if it says so."""

    kid: str
    algorithm: str | None
    key: Public

    def fits(self, algorithm: str) -> bool:
        """Whether signatures of this algorithm are this key's to make."""
        return isinstance(self.key, _FITTING[algorithm]) and self.algorithm in {None, algorithm}


KeySet = tuple[Key, ...]


def key_set(raw: bytes) -> KeySet:
    """The keys of a JWK set that can prove a token; others are left out (RFC 7517 section 5).
    ``ValueError`` for what is no set, or too large."""
    if len(raw) > SET_LONGEST:
        raise ValueError("the key set is too long")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError("the key set is no JSON") from None
    return keys_of(document)


def keys_of(document: object) -> KeySet:
    """As ``key_set``, of a set that is read already."""
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        raise ValueError("the key set has no list of keys")
    if len(listed) > KEYS_MOST:
        raise ValueError(f"the key set has more than {KEYS_MOST} keys")
    return tuple(key for jwk in listed if (key := _key(jwk)) is not None)


def find(keys: KeySet, kid: str, algorithm: str) -> Key | None:
    """The key of this name for this algorithm."""
    return next((key for key in keys if key.kid == kid and key.fits(algorithm)), None)


def _key(jwk: object) -> Key | None:
    if not isinstance(jwk, dict) or not _is_for_signatures(jwk):
        return None
    kid, algorithm = jwk.get("kid"), jwk.get("alg")
    if not isinstance(kid, str) or not isinstance(algorithm, str | None):
        return None
    try:
        public = _READERS[jwk["kty"]](jwk)
    except (KeyError, TypeError, ValueError):
        return None
    return Key(kid, algorithm, public)


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    operations = jwk.get("key_ops", ["verify"])
    return (
        jwk.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    )


def _rsa(jwk: Mapping[str, Any]) -> RSAPublicKey:
    modulus, exponent = from_base64url(jwk["n"]), from_base64url(jwk["e"])
    if len(modulus) > _RSA_LARGEST // 8 + 1 or len(exponent) > _EXPONENT_BYTES:
        raise ValueError("an RSA key of this size is not used")
    n, e = int.from_bytes(modulus, "big"), int.from_bytes(exponent, "big")
    if not RSA_SMALLEST <= n.bit_length() <= _RSA_LARGEST:
        raise ValueError("an RSA key of this size is not used")
    return RSAPublicNumbers(e, n).public_key()


def _elliptic(jwk: Mapping[str, Any]) -> EllipticCurvePublicKey:
    return IssuerPublic.from_jwk(jwk).key


def _edwards(jwk: Mapping[str, Any]) -> Ed25519PublicKey:
    if jwk.get("crv") != "Ed25519":
        raise ValueError("the only Edwards curve is Ed25519")
    return Ed25519PublicKey.from_public_bytes(from_base64url(jwk["x"]))


_READERS: Final[dict[str, Callable[[Mapping[str, Any]], Public]]] = {
    "RSA": _rsa,
    "EC": _elliptic,
    "OKP": _edwards,
}
