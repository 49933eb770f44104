"""Fetching keys: how often, from where, and from whom what is believed."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE, SECOND, FakeClock
from scaivault.errors import Refusal
from scaivault.identity.foreign import KeySets, Source, key_sets
from scaivault.identity.foreign.key_sets import Unreachable
from scaivault.outbound import Allowance, Guard
from scaivault.wire.addresses import Address, parse_address
from tests.identity.foreign.asking import code
from tests.identity.foreign.conftest import Open
from tests.support.certificates import self_signed
from tests.support.house import House
from tests.support.issuing import DISCOVERY, KEYS, Provider, jwk


@pytest.fixture
def sets(provider: Provider) -> KeySets:
    return KeySets(provider.clock, Guard(Allowance()), 10 * MINUTE)


async def found(sets: KeySets, source: Source, kid: str = "one") -> str:
    """``key``, ``none`` or why no set came."""
    try:
        key = await sets.key(source, kid, "ES256")
    except Refusal as refusal:
        return {"token_invalid": "none"}[refusal.code]
    except Unreachable as fault:
        return str(fault)
    assert key.kid == kid
    return "key"


# -- how often ---------------------------------------------------------------------------------


async def test_keys_are_fetched_once(house: House, provider: Provider) -> None:
    tokens = [provider.token(jti=str(n)) for n in range(10)]
    assert set(await asyncio.gather(*(code(house, token) for token in tokens))) == {"ok"}
    assert provider.calls == [DISCOVERY, KEYS]


async def test_a_flood_of_unknown_key_ids_makes_one_call_in_thirty_seconds(
    house: House, provider: Provider
) -> None:
    assert await code(house, provider.token()) == "ok"

    async def flood() -> int:
        before = provider.calls.count(KEYS)
        tokens = [provider.sealed(provider.claims()) for _ in range(20)]
        real, provider.kid = provider.kid, "x"
        tokens += [provider.token(jti=f"f{n}") for n in range(20)]
        provider.kid = real
        await asyncio.gather(*(code(house, token) for token in tokens))
        return provider.calls.count(KEYS) - before

    assert await flood() == 1
    provider.clock.advance(30 * SECOND - 1)
    assert await flood() == 0
    provider.clock.advance(1)
    assert await flood() == 1


async def test_a_new_key_counts_from_its_first_token(house: House, provider: Provider) -> None:
    assert await code(house, provider.token()) == "ok"
    provider.rotate("two")
    assert await code(house, provider.token(jti="new")) == "ok"


async def test_an_issuer_that_is_away_is_asked_once_in_thirty_seconds(
    house: House, provider: Provider
) -> None:
    provider.answer(DISCOVERY, {}, 503)
    for _ in range(5):
        assert await code(house, provider.token()) == "token_invalid"
    assert provider.calls == [DISCOVERY]
    provider.answer(DISCOVERY, {"issuer": provider.url, "jwks_uri": provider.url + KEYS})
    provider.clock.advance(30 * SECOND)
    assert await code(house, provider.token()) == "ok"


# -- from where --------------------------------------------------------------------------------


async def test_the_configured_address_comes_before_discovery(
    opened: Open, provider: Provider
) -> None:
    house = await opened(jwks_url=provider.url + KEYS)
    assert await code(house, provider.token()) == "ok"
    assert provider.calls == [KEYS]


async def test_a_set_that_is_given_is_never_fetched(sets: KeySets, provider: Provider) -> None:
    text = json.dumps({"keys": [jwk(provider.key, "one")]})
    source = Source(provider.url, jwks=text)
    assert await found(sets, source) == "key"
    assert await found(sets, source, "two") == "none"
    assert provider.calls == []


async def test_what_a_tenant_names_is_called_only_where_the_guard_allows(
    provider: Provider,
) -> None:
    source = Source(provider.url, guarded=True)
    strict = KeySets(provider.clock, Guard(Allowance()), MINUTE)
    assert await found(strict, source) == "no key set of this issuer is known"
    assert provider.calls == []
    loopback = Guard(Allowance(key_sets._ANYWHERE.networks))
    assert await found(KeySets(provider.clock, loopback, MINUTE), source) == "key"


async def test_metadata_addresses_are_never_called(sets: KeySets) -> None:
    for host in ("169.254.169.254", "[fd00:ec2::254]", "0.0.0.0"):
        assert await found(sets, Source(f"http://{host}")) == "no key set of this issuer is known"


# -- what is believed --------------------------------------------------------------------------


async def _outcome(provider: Provider, url: str | None = None) -> str:
    sets = KeySets(provider.clock, Guard(Allowance()), MINUTE)
    return await found(sets, Source(provider.url, url))


async def test_discovery_documents_that_do_not_count(provider: Provider) -> None:
    good = {"issuer": provider.url, "jwks_uri": provider.url + KEYS}
    bad: list[Any] = [
        {**good, "issuer": provider.url + "/"},
        {**good, "issuer": "https://other.example"},
        {**good, "issuer": None},
        {**good, "jwks_uri": None},
        {**good, "jwks_uri": "file:///etc/passwd"},
        {**good, "jwks_uri": "http://user@127.0.0.1/keys"},
        {**good, "jwks_uri": "//127.0.0.1/keys"},
        {**good, "jwks_uri": "http://169.254.169.254/keys"},
        [good], "x", b"", b"{", b"[" * 100_000, b'{"x":' * 50_000,
    ]  # fmt: skip
    for document in bad:
        provider.answer(DISCOVERY, document)
        assert await _outcome(provider) == "no key set of this issuer is known", document
    provider.answer(DISCOVERY, {**good, "more": {"deep": [1, 2]}})
    assert await _outcome(provider) == "key"


async def test_key_sets_that_do_not_count(provider: Provider) -> None:
    one = jwk(provider.key, "one")
    bad: list[Any] = [
        [one], {"keys": one}, {}, "x", b"", b"{", b"[" * 500_000,
        {"keys": [one] * 101},
        {"keys": [one], "pad": "x" * 1024 * 1024},
    ]  # fmt: skip
    for document in bad:
        provider.answer(KEYS, document)
        assert await _outcome(provider) == "no key set of this issuer is known", str(document)[:80]
    provider.answer(KEYS, {"keys": [jwk(provider.key, str(n)) for n in range(99)] + [one]})
    assert await _outcome(provider) == "key"
    provider.publish()
    assert await _outcome(provider) == "none"


async def test_answers_that_lead_elsewhere_or_are_none(provider: Provider) -> None:
    good = provider.answers[KEYS][2]
    for status in (301, 302, 307, 308):
        provider.answer("/moved", good)
        provider.answer(KEYS, b"", status, {"location": provider.url + "/moved"})
        assert await _outcome(provider) == "no key set of this issuer is known"
    for status in (201, 204, 206, 401, 404, 500):
        provider.answer(KEYS, good, status)
        assert await _outcome(provider) == "no key set of this issuer is known"
    provider.answer(KEYS, good, 200, {"content-encoding": "gzip"})
    assert await _outcome(provider) == "key"  # as it was sent: nothing is unpacked
    assert "/moved" not in provider.calls


async def test_a_slow_issuer_is_not_waited_for(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "SECONDS", 0.05)
    provider.hangs = True
    assert await _outcome(provider) == "no key set of this issuer is known"


async def test_a_bad_answer_leaves_the_last_good_set(sets: KeySets, provider: Provider) -> None:
    source = Source(provider.url)
    assert await found(sets, source) == "key"
    for bad in (b"{", b'{"keys": 7}'):
        provider.answer(KEYS, bad)
        assert await sets.refresh() == 1
        assert await found(sets, source) == "key"


async def test_a_certificate_file_that_is_not_there_is_no_way_in(
    sets: KeySets, tmp_path: Path
) -> None:
    source = Source("https://127.0.0.1:1", ca_file=tmp_path / "none.pem")
    assert await found(sets, source) == "no key set of this issuer is known"


async def test_a_certificate_counts_by_the_file_that_is_configured(
    sets: KeySets, tmp_path: Path
) -> None:
    context, trusted = self_signed(tmp_path)
    async with Provider(FakeClock(), context) as secure:
        stranger = Source(secure.url)
        assert await found(sets, stranger) == "no key set of this issuer is known"
        assert secure.calls == []
        assert await found(sets, stranger._replace(ca_file=trusted)) == "key"


async def test_an_issuer_with_https_has_its_keys_there_too(
    provider: Provider, tmp_path: Path
) -> None:
    context, trusted = self_signed(tmp_path)
    async with Provider(provider.clock, context) as secure:
        secure.answer(DISCOVERY, {"issuer": secure.url, "jwks_uri": provider.url + KEYS})
        source = Source(secure.url, ca_file=trusted)
        sets = KeySets(secure.clock, Guard(Allowance()), MINUTE)
        assert await found(sets, source) == "no key set of this issuer is known"
        assert (secure.calls, provider.calls) == ([DISCOVERY], [])


async def test_the_next_address_of_a_host_is_tried(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``localhost`` is often ::1 first, where nobody listens."""

    async def look_up(_guard: Guard, _target: object) -> list[Address]:
        return [parse_address("127.0.0.2"), parse_address("127.0.0.1")]

    monkeypatch.setattr(Guard, "look_up", look_up)
    named = provider.url.replace("127.0.0.1", "localhost")
    provider.answer(DISCOVERY, {"issuer": named, "jwks_uri": named + KEYS})
    assert await found(KeySets(provider.clock, Guard(Allowance()), MINUTE), Source(named)) == "key"


async def test_what_nobody_asks_for_is_forgotten(sets: KeySets, provider: Provider) -> None:
    clock = provider.clock
    assert await found(sets, Source(provider.url)) == "key"
    clock.advance(24 * 60 * MINUTE)
    assert await sets.refresh() == 0
    assert len(provider.calls) == 2


async def test_what_tenants_name_pushes_out_no_issuer_of_the_operators(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "_SOURCES_MOST", 4)
    sets = KeySets(provider.clock, Guard(Allowance(key_sets._ANYWHERE.networks)), 10 * MINUTE)
    own, theirs = Source(provider.url), Source(provider.url, provider.url + KEYS, guarded=True)
    assert await found(sets, own) == "key"
    assert await found(sets, theirs) == "key"
    for number in range(8):
        provider.clock.advance(SECOND)
        other = theirs._replace(jwks_url=f"{provider.url}/{number}")
        assert await found(sets, other) == "no key set of this issuer is known"
    await provider.stop()
    assert await found(sets, own) == "key"
    assert await found(sets, theirs) == "no key set of this issuer is known"


async def test_keys_that_come_and_go_at_a_tenants_issuer_concern_nobody_else(
    provider: Provider,
) -> None:
    sets = KeySets(provider.clock, Guard(Allowance(key_sets._ANYWHERE.networks)), 10 * MINUTE)
    dropped: list[int] = []
    sets.on_dropped = lambda: dropped.append(1)
    assert await found(sets, Source(provider.url, guarded=True)) == "key"
    provider.rotate("two", keep=False)
    assert await sets.refresh() == 0
    assert await found(sets, Source(provider.url, guarded=True)) == "none"
    assert dropped == []
    assert await found(sets, Source(provider.url), "two") == "key"
    provider.rotate("three", keep=False)
    await sets.refresh()
    assert dropped == [1]


async def test_the_job_fetches_the_operators_first_and_few_at_a_time(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "_AT_ONCE", 2)
    sets = KeySets(provider.clock, Guard(Allowance(key_sets._ANYWHERE.networks)), 10 * MINUTE)
    for number in range(5):
        provider.answer(f"/{number}", {"keys": [jwk(provider.key, "one")]})
        theirs = Source(provider.url, f"{provider.url}/{number}", guarded=True)
        assert await found(sets, theirs) == "key"
    assert await found(sets, Source(provider.url, provider.url + KEYS)) == "key"
    provider.calls.clear()
    provider.answer("/3", {}, 500)
    assert await sets.refresh() == 1
    assert KEYS in provider.calls[:2]
    assert sorted(provider.calls) == ["/0", "/1", "/2", "/3", "/4", KEYS]
