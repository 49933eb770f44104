"""Time-based one-time passwords (RFC 6238): HMAC-SHA-1, six digits, steps of 30 seconds from the
Unix epoch. What all authenticator apps know."""

from __future__ import annotations

import base64
import hmac
from typing import Final

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.hotp import HOTP
from cryptography.hazmat.primitives.twofactor.totp import TOTP

SECRET_BYTES: Final = 20  # RFC 4226 section 4, R6
_DIGITS: Final = 6
_SECONDS: Final = 30
_ISSUER: Final = "ScaiVault"


def step_at(seconds: int) -> int:
    """The time step of a Unix time."""
    return seconds // _SECONDS


def code(secret: bytes, step: int) -> str:
    """The password of a time step."""
    return HOTP(secret, _DIGITS, SHA1()).generate(step).decode()  # noqa: S303 - RFC 6238


def steps_of(secret: bytes, given: str, now: int) -> list[int]:
    """The time steps whose password was given: of the one before ``now`` (Unix time), its own and
    the next (RFC 6238 section 5.2). Takes as long for any text."""
    here = step_at(now)
    sent = given.encode()
    around = range(max(here - 1, 0), here + 2)
    return [step for step in around if hmac.compare_digest(code(secret, step).encode(), sent)]


def text(secret: bytes) -> str:
    """A secret as people type it into an authenticator."""
    return base64.b32encode(secret).decode()


def uri(secret: bytes, account: str) -> str:
    """A secret as authenticators read it from a QR code."""
    return TOTP(secret, _DIGITS, SHA1(), _SECONDS).get_provisioning_uri(  # noqa: S303 - RFC 6238
        account, _ISSUER
    )
