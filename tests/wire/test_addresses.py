"""Addresses and ranges: spellings of one address are one address."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.wire.addresses import Range, in_ranges, parse_address, parse_range


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("::FFFF:c633:6407", "198.51.100.7"),
        ("0:0:0:0:0:ffff:c633:6407", "198.51.100.7"),
        ("2001:DB8::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_address(text: str, address: str) -> None:
    assert parse_address(text) == ip_address(address)


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.04", "1.2.3.4:80", "[::1]"])
def test_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be"):
        parse_address(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("198.51.100.0/24", "198.51.100.255", "198.51.101.0"),
        ("198.51.100.7", "198.51.100.7", "198.51.100.8"),
        ("198.51.100.0/24", "::ffff:198.51.100.1", "::198.51.100.1"),
        ("::ffff:198.51.100.0/120", "198.51.100.9", "198.51.101.9"),
        ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
        ("::/0", "2001:db8::1", "203.0.113.1"),
        ("2001:db8::/32", "2001:db8:ffff::1", "2001:db9::1"),
        ("2001:db8::1", "2001:db8:0::1", "2001:db8::2"),
    ],
)
def test_range(text: str, inside: str, outside: str) -> None:
    ranges = (Range(4, 0x0A000000, 0xFF000000), parse_range(text))
    assert in_ranges(parse_address(inside), ranges)
    assert not in_ranges(parse_address(outside), ranges)


@pytest.mark.parametrize(
    "text",
    [
        *("", "/24", "198.51.100.1/24", "198.51.100.0/33", "198.51.100.0/", "198.51.100.0/-1"),
        *("198.51.100.0/255.255.255.0", "198.51.100.0/0.0.0.255", "198.51.100.0/24/1"),
        *("2001:db8::1/32", "fe80::%eth0/64", "fe80::1%eth0", "*", "198.51.100.*", "10/8"),
        "198.51.100.0/\u0662\u0664",
    ],
)
def test_no_range(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the text is that of the standard library
        parse_range(text)


@given(
    st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)
def test_membership_is_that_of_the_standard_library(
    address: IPv4Address | IPv6Address, bits: int, length: int
) -> None:
    width = address.max_prefixlen
    length = min(length, width)
    near = int(address) ^ (bits % 2 ** (width - length))  # differs in the host part only
    for number in (near, bits % 2**width):
        block = ip_network((number, length), strict=False)
        if block.version == address.version == 6 and int(address) >> 32 == 0xFFFF:
            continue
        member = parse_address(str(address)) in block
        assert in_ranges(parse_address(str(address)), [parse_range(str(block))]) is member


def test_no_ranges_hold_nothing() -> None:
    assert not in_ranges(parse_address("198.51.100.7"), ())
