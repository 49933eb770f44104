"""Network addresses and ranges of them.

An IPv4 address that arrives in IPv6 form (``::ffff:198.51.100.7``) is the IPv4 address: rules,
token ranges and rate limits must not be avoided by changing the spelling.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NamedTuple

Address = IPv4Address | IPv6Address

_MAPPED: Final = IPv6Network("::ffff:0:0/96")


class Range(NamedTuple):
    """A block of addresses: ``address & mask == network`` within one IP version (4 or 6)."""

    version: int
    network: int
    mask: int


@lru_cache(maxsize=4096)
def parse_address(text: str) -> Address:
    """One address; a zone (``fe80::1%eth0``) is dropped. ``ValueError`` when it is none."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def parse_range(text: str) -> Range:
    """CIDR notation, or a bare address for one host.

    ``ValueError`` when it is neither, also with host bits set, a zone, or a mask that is
    written as an address.
    """
    _, slash, bits = text.partition("/")
    if "%" in text or (slash and not (bits.isascii() and bits.isdigit())):
        raise ValueError("not in CIDR notation")
    block = ip_network(text)
    network, mask = int(block.network_address), int(block.netmask)
    if isinstance(block, IPv6Network) and block.subnet_of(_MAPPED):
        return Range(4, network & 0xFFFFFFFF, mask & 0xFFFFFFFF)
    return Range(block.version, network, mask)


def in_ranges(address: Address, ranges: Iterable[Range]) -> bool:
    """Whether one of the ranges holds the address; IPv4 and IPv6 never mix."""
    version, value = address.version, int(address)
    return any(kind == version and value & mask == network for kind, network, mask in ranges)
