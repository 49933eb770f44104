"""The addresses of a token, and of one that is made with it."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

from hypothesis import given
from hypothesis import strategies as st

from scaivault.gate.addresses import common
from scaivault.wire.addresses import in_ranges, parse_address, parse_range


@st.composite
def blocks(draw: st.DrawFn) -> str:
    """Few different ones, so that they often meet; IPv4 in both spellings."""
    version = draw(st.sampled_from((4, 6, 46)))
    bits = draw(st.integers(0, 4))
    low = draw(st.integers(0, 2**bits - 1))
    if version == 6:
        return str(ip_network((low << (128 - bits), bits)))
    block = ip_network((low << (32 - bits), bits))
    return str(block) if version == 4 else f"::ffff:{block.network_address}/{96 + bits}"


ADDRESSES = st.one_of(
    st.integers(0, 15).map(lambda top: str(ip_address(top << 28))),
    st.integers(0, 15).map(lambda top: str(ip_address(top << 124))),
)
RANGES = st.lists(blocks(), max_size=4).map(tuple)


def holds(ranges: tuple[str, ...], address: str) -> bool:
    return not ranges or in_ranges(parse_address(address), map(parse_range, ranges))


@given(RANGES, RANGES, ADDRESSES)
def test_what_both_hold(one: tuple[str, ...], other: tuple[str, ...], address: str) -> None:
    found = common(one, other)
    within = found is not None and holds(found, address)
    assert within == (holds(one, address) and holds(other, address))
