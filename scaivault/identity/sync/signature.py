"""Signatures of ScaiKey's webhooks: ``t=<unix>,v1=<hex>``, v1 = HMAC-SHA-256(secret, t "." body)
(RFC 2104). A sender that changes its secret sends several ``v1``."""

from __future__ import annotations

import hmac
import re
from typing import Final, NamedTuple

from scaivault.clock import SECOND

APART: Final = 300 * SECOND
_PARTS_MOST: Final = 16
_TIME: Final = re.compile(r"[0-9]{1,12}")
_MAC: Final = re.compile(r"[0-9a-fA-F]{64}")


class Signature(NamedTuple):
    """``time``: as it was written."""

    time: str
    macs: tuple[bytes, ...]

    @property
    def at(self) -> int:
        """Instant at which the sender signed."""
        return int(self.time) * SECOND


def parse(header: str) -> Signature | None:
    """None for a header that is no signature; parts of other kinds are passed over."""
    parts = header.split(",")
    if len(parts) > _PARTS_MOST:
        return None
    times, macs = [], []
    for part in parts:
        name, equals, value = part.strip(" \t").partition("=")
        if not equals:
            return None
        if name == "t":
            times.append(value)
        elif name == "v1":
            macs.append(value)
    if len(times) != 1 or not macs or not _TIME.fullmatch(times[0]):
        return None
    if not all(_MAC.fullmatch(mac) for mac in macs):
        return None
    return Signature(times[0], tuple(bytes.fromhex(mac) for mac in macs))


def is_genuine(signature: Signature, secret: bytes, body: bytes) -> bool:
    """Whether any of the signatures is that of the body, in constant time."""
    wanted = hmac.digest(secret, signature.time.encode() + b"." + body, "sha256")
    found = False
    for mac in signature.macs:
        found |= hmac.compare_digest(mac, wanted)
    return found


def is_fresh(signature: Signature, now: int) -> bool:
    return abs(now - signature.at) <= APART
