"""Any k of n shares restore the secret, k-1 or a wrong one give another."""

import hashlib
from itertools import combinations
from random import Random  # noqa: TID251 - Hypothesis hands in a seeded one

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.crypto import shamir
from scaivault.crypto.memory import Guarded, Wiped, wipe

RAW = bytes(range(32))


def _tables() -> tuple[list[int], dict[int, int]]:
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value ^= (value << 1) ^ (0x11B if value & 0x80 else 0)
        value &= 0xFF
    return powers, {power: at for at, power in enumerate(powers)}


POWERS, LOGS = _tables()


def by_table(a: int, b: int) -> int:
    return 0 if 0 in (a, b) else POWERS[(LOGS[a] + LOGS[b]) % 255]


def test_the_product_agrees_with_log_tables() -> None:
    for a in range(256):
        assert [shamir.product(a, b) for b in range(256)] == [by_table(a, b) for b in range(256)]


SHAPES = st.integers(2, 32).flatmap(lambda n: st.tuples(st.just(n), st.integers(2, n)))


@settings(max_examples=40)
@given(SHAPES, st.binary(min_size=32, max_size=32), st.randoms(use_true_random=False))
def test_any_k_of_n_restore(shape: tuple[int, int], raw: bytes, dice: Random) -> None:
    n, k = shape
    shares = shamir.split(Guarded().load(raw), n, k)
    assert [index for index, _ in shares] == list(range(1, n + 1))
    chosen = dice.sample(shares, k)
    assert shamir.combine(dict(chosen)).reveal() == raw
    assert shamir.combine(dict(shares)).reveal() == raw


def test_every_choice_of_three_of_five_restores_and_no_two_do() -> None:
    secret = Guarded.random()
    shares = shamir.split(secret, 5, 3)
    for chosen in combinations(shares, 3):
        assert shamir.combine(dict(chosen)).equals(secret)
    for pair in combinations(shares, 2):
        assert not shamir.combine(dict(pair)).equals(secret)


def test_shares_by_an_independent_computation_combine() -> None:
    terms = [RAW, bytes((7 * i + 3) % 256 for i in range(32)), bytes(range(200, 232))]
    shares = {}
    for x in (2, 9, 32):
        factors = [1, x, by_table(x, x)]
        shares[x] = bytes(
            by_table(a, factors[0]) ^ by_table(b, factors[1]) ^ by_table(c, factors[2])
            for a, b, c in zip(*terms, strict=True)
        )
    assert shamir.combine(shares).reveal() == RAW


@given(st.integers(0, 2), st.integers(0, 31), st.integers(1, 255))
def test_a_wrong_share_gives_another_key(which: int, byte: int, mask: int) -> None:
    shares = dict(shamir.split(Guarded().load(RAW), 3, 3))
    shares[which + 1][byte] ^= mask
    assert shamir.combine(shares).reveal() != RAW


def test_shares_of_one_split_say_nothing_of_another() -> None:
    secret = Guarded().load(RAW)
    first, second = (dict(shamir.split(secret, 3, 2)) for _ in range(2))
    assert shamir.combine({1: first[1], 2: second[2]}).reveal() != RAW


def test_a_single_share_is_uniform() -> None:
    # Of a secret of zeros, share 1 byte 0 is a coefficient: every value must occur, zero too.
    secret = Guarded(16384)
    seen = set(shamir.split(secret, 2, 2)[0][1])
    assert seen == set(range(256))


@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 1), (2, 3), (33, 2), (3, 0), (0, 0), (3, -1)])
def test_shapes_out_of_bounds_are_refused(n: int, k: int) -> None:
    with pytest.raises(ValueError, match="threshold"):
        shamir.split(Guarded(), n, k)


@pytest.mark.parametrize(
    "shares",
    [{}, {1: RAW}, {0: RAW, 1: RAW}, {1: RAW, 33: RAW}, {1: RAW, 2: RAW[:-1]}, {1: RAW, -1: RAW}],
)
def test_shares_that_cannot_be_combined_are_refused(shares: dict[int, bytes]) -> None:
    with pytest.raises(ValueError, match="two or more"):
        shamir.combine(shares)


def test_what_combining_leaves_in_plain_memory_is_wiped(monkeypatch: pytest.MonkeyPatch) -> None:
    left: list[bytearray] = []

    def watched(buffer: bytearray) -> None:
        left.append(buffer)
        wipe(buffer)

    monkeypatch.setattr(shamir, "wipe", watched)
    shamir.combine(dict(shamir.split(Guarded().load(RAW), 3, 2)))
    shamir.digest(1, RAW)
    assert [bytes(buffer) for buffer in left] == [bytes(32), bytes(33)]


def test_a_wiped_secret_is_not_split() -> None:
    gone = Guarded()
    gone.wipe()
    with pytest.raises(Wiped):
        shamir.split(gone, 3, 2)


def test_the_digest_binds_index_and_share() -> None:
    expected = hashlib.blake2b(b"\x07" + RAW, digest_size=32).digest()
    assert shamir.digest(7, RAW) == shamir.digest(7, bytearray(RAW)) == expected
    assert shamir.digest(8, RAW) != expected
