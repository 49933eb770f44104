"""Text of durations, sizes, addresses, networks and URLs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.config import Address, Delay, Duration, Network, Origin, Size, Url

KINDS = [Address, Delay, Duration, Network, Origin, Size, Url]


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("15m", 900), ("1h30m", 5400), ("7d", 604_800)]
)
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert Duration.parse(text) == seconds
    assert Duration.parse(text).microseconds == seconds * 1_000_000


@pytest.mark.parametrize("raw", ["", "0s", "30", 30, "-1s", "1.5h", "30m1h", "1H", "40000d", None])
def test_what_is_no_duration(raw: object) -> None:
    with pytest.raises(ValueError, match="duration"):
        Duration.parse(raw)


def test_only_a_delay_may_be_zero() -> None:
    assert Delay.parse("0s") == 0
    assert Delay.parse("2s") == 2


@pytest.mark.parametrize(
    ("raw", "count"),
    [("1MiB", 1_048_576), ("512KiB", 524_288), ("2GiB", 2**31), ("7", 7), (7, 7), ("7B", 7)],
)
def test_sizes_are_bytes(raw: object, count: int) -> None:
    assert Size.parse(raw) == count


@pytest.mark.parametrize("raw", ["", "1MB", "1 MiB", "-1", -1, True, 1.5, None, "1" * 13])
def test_what_is_no_size(raw: object) -> None:
    with pytest.raises(ValueError, match="size"):
        Size.parse(raw)


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("0.0.0.0:8443", "0.0.0.0", 8443, False),
        ("127.0.0.1:0", "127.0.0.1", 0, True),
        ("127.8.8.8:1", "127.8.8.8", 1, True),
        ("[::1]:8443", "::1", 8443, True),
        ("[::]:65535", "::", 65535, False),
        ("localhost:80", "localhost", 80, True),
        ("localhost.example.org:80", "localhost.example.org", 80, False),
    ],
)
def test_addresses(text: str, host: str, port: int, loopback: bool) -> None:
    address = Address.parse(text)
    assert (address.host, address.port, address.is_loopback) == (host, port, loopback)


@pytest.mark.parametrize(
    "raw",
    [
        "8443",
        ":8443",
        "::1:8443",
        "[127.0.0.1]:1",
        "[::1]",
        "h:65536",
        "h:٣",
        "h: 1",
        "a b:1",
        8443,
    ],
)
def test_what_is_no_address(raw: object) -> None:
    with pytest.raises(ValueError, match="host:port"):
        Address.parse(raw)


def test_a_network_is_ready_to_compare_with() -> None:
    assert Network.parse("10.0.0.0/8").range == Network.parse("::ffff:10.0.0.0/104").range
    assert Network.parse("::1").range.version == 6


@pytest.mark.parametrize("raw", ["10.0.0.1/8", "10.0.0.0/33", "ten", "", "10.0.0.0/255.0.0.0", 10])
def test_what_is_no_network(raw: object) -> None:
    with pytest.raises(ValueError, match="network"):
        Network.parse(raw)


def test_a_url_loses_the_slash_at_its_end() -> None:
    assert Url.parse("https://vault.example.org/base/") == "https://vault.example.org/base"
    assert Url.parse("https://a").is_https
    assert not Url.parse("http://a").is_https


@pytest.mark.parametrize(
    "raw",
    [
        "vault.example.org",
        "ftp://vault.example.org",
        "https://",
        "https://user:word@vault.example.org",
        "https://vault.example.org?x=1",
        "https://vault.example.org#x",
        "https://vault.example.org:99999",
        "https://vault.example.org:x",
        "https://vault example.org",
        "https://vault.example.org\n",
        "https://[::1",
        1,
    ],
)
def test_what_is_no_url(raw: object) -> None:
    with pytest.raises(ValueError, match="must be an address"):
        Url.parse(raw)


@pytest.mark.parametrize("raw", ["*", "https://a.example/", "https://a.example/x", "null", 1])
def test_an_origin_is_scheme_and_host_only(raw: object) -> None:
    with pytest.raises(ValueError, match="must be an"):
        Origin.parse(raw)
    assert Origin.parse("https://a.example:8443") == "https://a.example:8443"


@given(st.sampled_from(KINDS), st.text() | st.integers() | st.none() | st.booleans())
def test_anything_is_parsed_or_refused_without_repeating_it(kind: type[Url], raw: object) -> None:
    message = ""
    try:
        kind.parse(raw)
    except ValueError as fault:
        message = str(fault)
    assert len(str(raw)) < 12 or str(raw) not in message
