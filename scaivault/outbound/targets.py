"""Addresses of services, as callers write them."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from scaivault.wire.addresses import Address

LONGEST: Final = 2048
_NAME: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*\.?"
)
_NUMERIC: Final = re.compile(r"(?:0[xX][0-9A-Fa-f]*|[0-9]+)\.?")
_PORTS: Final = {"https": 443, "http": 80}


class Target(NamedTuple):
    """``host``: a name, or the text of ``literal``."""

    scheme: str
    host: str
    port: int
    literal: Address | None

    @property
    def encrypted(self) -> bool:
        return self.scheme == "https"


def parse_target(url: str) -> Target:
    """Where a URL leads; ``ValueError`` with the fault as a sentence for people.

    Resolvers read ``127.1``, ``0x7f000001`` and ``017700000001`` as addresses: of numeric hosts
    only dotted quads and bracketed IPv6 are taken."""
    if not (0 < len(url) <= LONGEST and url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"must be a URL of at most {LONGEST} visible ASCII characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError("must be a URL such as https://storage.example.org") from None
    if parts.scheme not in _PORTS:
        raise ValueError("must begin with https://")
    if any(sign in parts.netloc for sign in "@%") or "#" in url or "\\" in url:
        raise ValueError("must have no user part, zone, fragment or backslash")
    host = parts.hostname or ""
    literal = _literal(host, bracketed="[" in parts.netloc)
    if literal is None and _NAME.fullmatch(host) is None:
        raise ValueError("must name a host")
    if port == 0:
        raise ValueError("must not name port 0")
    return Target(parts.scheme, host, port or _PORTS[parts.scheme], literal)


def _literal(host: str, *, bracketed: bool) -> Address | None:
    last = host.removesuffix(".").rpartition(".")[2]
    if not bracketed and not _NUMERIC.fullmatch(last):
        return None
    try:
        return ip_address(host)  # refuses zones of IPv4, leading zeros and short forms
    except ValueError:
        raise ValueError("must write an address as a dotted quad or bracketed IPv6") from None
