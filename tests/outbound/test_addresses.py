"""Which addresses may be called, in every spelling."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.outbound import AddressRefused, Allowance, Guard, client, parse_target
from scaivault.outbound.addresses import effective
from scaivault.outbound.client import tls_context
from scaivault.outbound.guard import Unresolved
from scaivault.outbound.targets import Target
from scaivault.wire.addresses import Address, parse_range
from tests.support.certificates import self_signed

NONE = Allowance()
ALL = Allowance((parse_range("0.0.0.0/0"), parse_range("::/0")))

NEVER = (
    "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "169.254.0.1", "fe80::1", "224.0.0.1", "ff02::1",
    "240.0.0.1", "255.255.255.255", "fd00:ec2::254", "100.100.100.200", "192.0.0.192",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::a9fe:a9fe",
    "::ffff:0:169.254.169.254", "64:ff9b:1::a9fe:a9fe",
)  # fmt: skip
UNLESS = (
    "127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "100.64.0.1", "198.18.0.1", "192.0.0.1", "fc00::1", "fd12::1", "fec0::1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "::ffff:0:127.0.0.1", "64:ff9b:1::7f00:1", "64:ff9b:1:a9fe:a9:fe00::",
)  # fmt: skip
OPEN = ("93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "::ffff:93.184.216.34")


@pytest.mark.parametrize("text", NEVER)
def test_never(text: str) -> None:
    for allowance in (NONE, ALL):
        with pytest.raises(AddressRefused, match="never"):
            allowance.check(ip_address(text), 443, encrypted=True)


@pytest.mark.parametrize("text", UNLESS)
def test_only_if_listed(text: str) -> None:
    with pytest.raises(AddressRefused, match="private"):
        NONE.check(ip_address(text), 443, encrypted=True)
    ALL.check(ip_address(text), 80, encrypted=False)


@pytest.mark.parametrize("text", OPEN)
def test_public(text: str) -> None:
    NONE.check(ip_address(text), 443, encrypted=True)
    with pytest.raises(AddressRefused, match="https"):
        NONE.check(ip_address(text), 443, encrypted=False)


def test_the_vaults_own_listeners(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaivault.outbound.addresses._is_own", lambda address: True)
    own = Allowance(ports=frozenset((8443,)))
    with pytest.raises(AddressRefused, match="itself"):
        own.check(ip_address("93.184.216.34"), 8443, encrypted=True)
    own.check(ip_address("93.184.216.34"), 443, encrypted=True)
    monkeypatch.undo()
    own.check(ip_address("93.184.216.34"), 8443, encrypted=True)


@given(st.integers(0, 2**32 - 1))
def test_an_embedded_address_is_judged_as_itself(number: int) -> None:
    plain = IPv4Address(number)
    forms = (
        (0xFFFF << 32) | number,
        (0xFFFF << 48) | number,
        (0x64FF9B << 96) | number,
        (0x64FF9B0001 << 80) | number,
        (0x2002 << 112) | (number << 80),
        (0x20010000 << 96) | (number ^ 0xFFFFFFFF),
    )
    assert [effective(IPv6Address(form)) for form in forms] == [plain] * len(forms)


@pytest.mark.parametrize(
    "url",
    [
        "https://127.1/", "https://0x7f000001/", "https://2130706433/", "https://017700000001/",
        "https://0177.0.0.1/", "https://127.0.0.1./", "https://1.2.3.4.5/", "https://[::1%25lo]/",
        "https://user@host/", "https://host/#x", "ftp://host/", "https:///x", "https://host:0/",
        "https://host:99999/", "https://ho st/", "https://höst/", "https://host\\@evil/", "",
        "https://-x/", "//host/", "https://[::1/", "https://1.2.3.0x4",
    ],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_target(url)


def test_urls() -> None:
    assert parse_target("https://a.example/x?y=1") == Target("https", "a.example", 443, None)
    assert parse_target("http://10.0.0.1:9000") == Target(
        "http", "10.0.0.1", 9000, ip_address("10.0.0.1")
    )
    assert parse_target("https://[2001:db8::1]").literal == ip_address("2001:db8::1")


class Told(Guard):
    """A resolver that says what it is told, and counts."""

    def __init__(self, allowance: Allowance, *answers: list[str]) -> None:
        super().__init__(allowance)
        self.answers = list(answers)

    async def look_up(self, target: Target) -> list[Address]:
        return [ip_address(text) for text in self.answers.pop(0)]


async def test_one_refused_address_refuses_all() -> None:
    guard = Told(NONE, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(AddressRefused):
        await guard.addresses(parse_target("https://two.example"))


async def test_the_connection_goes_to_the_checked_address() -> None:
    """A second look-up would say otherwise; there is none."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        guard = Told(Allowance((parse_range("127.0.0.1"),)), ["127.0.0.1"], ["10.0.0.1"])
        async with client(guard, seconds=0.2) as http:
            with pytest.raises(httpx.ReadTimeout):
                await http.get(f"http://name.example:{port}/x")
            peer, _ = server.accept()
            with peer:
                assert b"Host: name.example" in peer.recv(4096).replace(b"host:", b"Host:")
            with pytest.raises(httpx.UnsupportedProtocol):
                await http.get(f"http://name.example:{port}/x")


async def test_names_that_lead_nowhere() -> None:
    async with client(Told(NONE, []), seconds=1) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get("https://nowhere.example")


async def test_names_that_are_never_answered_hold_up_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To seal takes a thread too."""
    answered = threading.Event()

    def wait(*_: object, **__: object) -> list[object]:
        answered.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", wait)
    guard = Guard(NONE)
    names = [parse_target(f"https://slow-{number}.example") for number in range(40)]
    waiting = [asyncio.create_task(guard.addresses(name)) for name in names]
    await asyncio.sleep(0)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "done"), 10) == "done"
    finally:
        answered.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert {type(one) for one in found} == {Unresolved}


def test_the_hosts_roots_are_read_again_when_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And only then: that stops everything else for a tenth of a second."""
    _, first = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(first))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path / "none"))
    before = tls_context()
    assert before is tls_context()
    assert len(before.get_ca_certs()) == 1
    first.write_text("")
    os.utime(first, ns=(1, 1))
    assert tls_context().get_ca_certs() == []
    assert before is not tls_context()


def test_literals_are_told_without_looking_up() -> None:
    for url in ("https://127.0.0.1", "http://93.184.216.34", "http://name.example"):
        with pytest.raises(AddressRefused):
            Guard(NONE).check_literal(parse_target(url))
    Guard(NONE).check_literal(parse_target("https://name.example"))
