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


@lru_cache(maxsize=1024)
def _parsed(ranges: tuple[str, ...]) -> tuple[Range, ...]:
    return tuple(parse_range(text) for text in ranges)
