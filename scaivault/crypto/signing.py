"""Signatures: Ed25519 under audit checkpoints, ES256 under the vault's own access tokens.

Private halves go in and out as 32 bytes (Ed25519 seed; P-256 scalar, big-endian) and are
stored in sealed boxes only.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from scaivault.crypto.digest import jcs

_CHECKPOINT: Final = b"scaivault-audit-checkpoint-v1\n"
_SHA256: Final = ec.ECDSA(hashes.SHA256())
_COORDINATE: Final = 32


class CheckpointKey:
    """Ed25519 private key (RFC 8032) that signs audit checkpoints and nothing else."""

    __slots__ = ("_key", "key_id", "public")

    def __init__(self, private: bytes) -> None:
        self._key: Final = ed25519.Ed25519PrivateKey.from_private_bytes(private)
        self.public: Final = self._key.public_key().public_bytes_raw()
        self.key_id: Final = checkpoint_key_id(self.public)

    @classmethod
    def generate(cls) -> Self:
        return cls(ed25519.Ed25519PrivateKey.generate().private_bytes_raw())

    def private(self) -> bytes:
        """32 bytes; to be sealed."""
        return self._key.private_bytes_raw()

    def sign(self, checkpoint: Mapping[str, Any]) -> str:
        """Signature, base64url, over the fields of ``checkpoint`` (without ``signature``)."""
        return base64url(self._key.sign(_CHECKPOINT + jcs(dict(checkpoint))))

    def __repr__(self) -> str:
        return "<secret>"


def checkpoint_key_id(public: bytes) -> str:
    """16 hex characters: BLAKE2b of the raw public key, 8 bytes out."""
    return hashlib.blake2b(public, digest_size=8).hexdigest()


def checkpoint_verified(public: bytes, checkpoint: Mapping[str, Any], signature: str) -> bool:
    """Whether ``signature`` is that of ``public`` (32 bytes) over the checkpoint's fields."""
    try:
        key = ed25519.Ed25519PublicKey.from_public_bytes(public)
        key.verify(from_base64url(signature), _CHECKPOINT + jcs(dict(checkpoint)))
    except (InvalidSignature, ValueError):
        return False
    return True


class IssuerPublic:
    """Public half of an ES256 key (RFC 7518 section 3.4). ``kid`` = RFC 7638 thumbprint."""

    __slots__ = ("_key", "kid")

    def __init__(self, key: ec.EllipticCurvePublicKey) -> None:
        self._key: Final = key
        self.kid: Final = thumbprint(self._required())

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, str]) -> Self:
        """From ``kty crv x y``; ``ValueError`` for another kind or a point off the curve."""
        if jwk.get("kty") != "EC" or jwk.get("crv") != "P-256":
            raise ValueError("an issuer key is an EC key on P-256")
        x, y = (from_base64url(jwk.get(name, "")) for name in "xy")
        if len(x) != _COORDINATE or len(y) != _COORDINATE:
            raise ValueError("coordinates on P-256 have 32 bytes")
        point = int.from_bytes(x, "big"), int.from_bytes(y, "big")
        return cls(ec.EllipticCurvePublicNumbers(*point, ec.SECP256R1()).public_key())

    @property
    def key(self) -> ec.EllipticCurvePublicKey:
        """For a JOSE library to verify with."""
        return self._key

    def jwk(self) -> dict[str, str]:
        """As it stands in the published key set."""
        return self._required() | {"kid": self.kid, "use": "sig", "alg": "ES256"}

    def verified(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` (r and s, 32 bytes each) is this key's over ``message``."""
        if len(signature) != 2 * _COORDINATE:
            return False
        r, s = signature[:_COORDINATE], signature[_COORDINATE:]
        pair = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        try:
            self._key.verify(pair, message, _SHA256)
        except InvalidSignature:
            return False
        return True

    def _required(self) -> dict[str, str]:
        point = self._key.public_numbers()
        x, y = (base64url(n.to_bytes(_COORDINATE, "big")) for n in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}


class IssuerKey:
    """ES256 private key that signs the vault's own access tokens."""

    __slots__ = ("_key", "public")

    def __init__(self, private: bytes) -> None:
        if len(private) != _COORDINATE:
            raise ValueError("a P-256 private key has 32 bytes")
        self._key: Final = ec.derive_private_key(int.from_bytes(private, "big"), ec.SECP256R1())
        self.public: Final = IssuerPublic(self._key.public_key())

    @classmethod
    def generate(cls) -> Self:
        key = ec.generate_private_key(ec.SECP256R1())
        return cls(_scalar(key))

    def private(self) -> bytes:
        """32 bytes; to be sealed."""
        return _scalar(self._key)

    @property
    def key(self) -> ec.EllipticCurvePrivateKey:
        """For a JOSE library to sign with."""
        return self._key

    def sign(self, message: bytes) -> bytes:
        """64 bytes: r and s, as JWS wants them. ``message`` = signing input of the token."""
        r, s = decode_dss_signature(self._key.sign(message, _SHA256))
        return r.to_bytes(_COORDINATE, "big") + s.to_bytes(_COORDINATE, "big")

    def __repr__(self) -> str:
        return "<secret>"


_REQUIRED: Final = {
    "EC": ("crv", "kty", "x", "y"),
    "OKP": ("crv", "kty", "x"),
    "RSA": ("e", "kty", "n"),
}


def thumbprint(jwk: Mapping[str, str]) -> str:
    """RFC 7638 (RFC 8037 for OKP): base64url SHA-256 of the required members only."""
    names = _REQUIRED.get(jwk.get("kty", ""))
    if names is None or any(name not in jwk for name in names):
        raise ValueError("this key set member lacks what its kty requires")
    return base64url(hashlib.sha256(jcs({name: jwk[name] for name in names})).digest())


def base64url(raw: bytes) -> str:
    """RFC 4648 section 5 without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_base64url(text: str) -> bytes:
    """Strict: ``ValueError`` for padding, foreign characters and spare bits."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("this is not base64url") from error
    if base64url(raw) != text:
        raise ValueError("this is not base64url in its one form")
    return raw


def _scalar(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_numbers().private_value.to_bytes(_COORDINATE, "big")
