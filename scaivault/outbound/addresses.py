"""Which addresses may be called.

An address that holds an IPv4 address (mapped, translated, compatible, NAT64, 6to4, Teredo) is
judged as that one: whoever routes it ends up there.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_network
from typing import Final

from scaivault.wire.addresses import Address, Range, in_ranges, parse_range

# Also when listed as allowed: nothing that answers there is meant to be called by its users.
NEVER: Final = tuple(
    map(
        parse_range,
        (
            "0.0.0.0/8", "::/128", "169.254.0.0/16", "fe80::/10", "224.0.0.0/4", "ff00::/8",
            "240.0.0.0/4",
            # Metadata services of clouds, outside the link-local range: AWS, Alibaba, Oracle.
            "fd00:ec2::254/128", "100.100.100.200/32", "192.0.0.192/32",
        ),
    )
)  # fmt: skip
PRIVATE: Final = tuple(
    map(
        parse_range,
        (
            "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16",
            "100.64.0.0/10", "198.18.0.0/15", "192.0.0.0/24", "fc00::/7", "fec0::/10",
            # NAT64 of a network's own (RFC 8215), wherever in it the IPv4 address stands.
            "64:ff9b:1::/48",
        ),
    )
)  # fmt: skip

_LOW: Final = (IPv6Address("::"), IPv6Address("::1"))
_TAIL: Final = tuple(
    ip_network(text)
    for text in ("::ffff:0:0/96", "::ffff:0:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/96")
)  # the last 32 bits are the IPv4 address


class AddressRefused(Exception):
    """The address may not be called; the message names it and the setting."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """``networks``: private ones that may be called; ``ports``: those of the vault's own
    listeners, which only callers within ``networks`` reach."""

    networks: tuple[Range, ...] = ()
    ports: frozenset[int] = frozenset()
    setting: str = "webhooks.allowed_networks"

    def check(self, address: Address, port: int, *, encrypted: bool) -> None:
        """``AddressRefused`` for an address that may not be called; without TLS only networks
        that are listed may."""
        judged = effective(address)
        if in_ranges(judged, NEVER):
            raise AddressRefused(f"{address} is never called: it is no host of the network")
        if in_ranges(judged, self.networks):
            return
        if in_ranges(judged, PRIVATE):
            raise AddressRefused(f"{address} is private: list its network in {self.setting}")
        if not encrypted:
            raise AddressRefused(f"{address} is called by https only, unless {self.setting} has it")
        if port in self.ports and _is_own(judged):
            raise AddressRefused(f"{address} port {port} is the vault itself")


def effective(address: Address) -> Address:
    """The address, or the IPv4 address that it holds."""
    if isinstance(address, IPv4Address) or address in _LOW:
        return address
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if any(isinstance(network, IPv6Network) and address in network for network in _TAIL):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_own(address: Address) -> bool:
    """Whether this host has the address: nobody else's can be bound to."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
    return True
