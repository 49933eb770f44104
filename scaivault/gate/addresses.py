"""The addresses that a token may be used from."""

from __future__ import annotations

from functools import lru_cache

from scaivault.errors import Refusal
from scaivault.gate.caller import Principal
from scaivault.wire.addresses import Range, in_ranges, parse_address, parse_range


def check_address(principal: Principal, source_ip: str | None) -> None:
    """``ip_not_allowed`` when the token is bound to other addresses than the client's; an address
    that is not known lies in no range."""
    if not principal.ip_ranges:
        return
    ranges = _parsed(principal.ip_ranges)
    if source_ip is None or not in_ranges(parse_address(source_ip), ranges):
        raise Refusal("ip_not_allowed", "this token must not be used from your address")


def common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...] | None:
    """The ranges of all addresses that lie in ranges of both; None: there are none such. No ranges
    at all stand for every address. Two blocks are apart, or one lies in the other."""
    if not one or not other:
        return one or other
    inner = (_inner(first, second) for first in other for second in one)
    return tuple(dict.fromkeys(text for text in inner if text is not None)) or None


def _inner(one: str, other: str) -> str | None:
    a, b = parse_range(one), parse_range(other)
    if a.version != b.version or (a.network ^ b.network) & a.mask & b.mask:
        return None
    return one if a.mask >= b.mask else other


@lru_cache(maxsize=1024)
def _parsed(ranges: tuple[str, ...]) -> tuple[Range, ...]:
    return tuple(parse_range(text) for text in ranges)
