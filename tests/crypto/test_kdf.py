"""Derived keys follow the vector; Argon2id is bounded before it starts."""

import hashlib

import pytest
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto.kdf import argon2id, derive
from scaivault.crypto.memory import Guarded, Wiped

RAW = bytes(range(32))


def key() -> Guarded:
    return Guarded().load(RAW)


def test_the_vector_of_the_contract() -> None:
    derived = derive(key(), 1, b"svroot01").reveal()
    assert derived.hex() == "07f0e4cce16da2c0a0b8b02edcc935ad8f181ca95b6ddf2cab0b9aa3e0668b11"


@given(st.integers(0, 2**64 - 1), st.binary(min_size=8, max_size=8))
def test_it_is_keyed_blake2b_with_salt_and_person(n: int, ctx: bytes) -> None:
    salt = n.to_bytes(16, "little")
    other = hashlib.blake2b(key=RAW, digest_size=32, salt=salt, person=ctx).digest()
    assert derive(key(), n, ctx).reveal() == other


@pytest.mark.parametrize(
    ("size", "n", "ctx"),
    [(32, -1, b"svroot01"), (32, 2**64, b"svroot01"), (32, 1, b"svroot1"), (32, 1, b"svroot012"),
     (31, 1, b"svroot01"), (64, 1, b"svroot01")],
)  # fmt: skip
def test_arguments_out_of_shape_are_refused(size: int, n: int, ctx: bytes) -> None:
    with pytest.raises(ValueError, match="derive takes"):
        derive(Guarded(size), n, ctx)


def test_a_wiped_key_derives_nothing() -> None:
    gone = key()
    gone.wipe()
    with pytest.raises(Wiped):
        derive(gone, 1, b"svroot01")


@pytest.mark.parametrize("words", [b"", b"twelve bytes", "zw\u00f6lf \u00fc\u00f1\u0131".encode()])
def test_argon2id_agrees_with_openssl(words: bytes) -> None:
    salt = bytes(range(16))
    other = Argon2id(salt=salt, length=32, iterations=2, lanes=1, memory_cost=65536)
    expected = other.derive(words)
    assert argon2id(words, salt, 2, 65536).reveal() == expected
    assert argon2id(bytearray(words), salt, 2, 65536).reveal() == expected


@pytest.mark.parametrize(
    ("salt", "ops", "mem_kib", "named"),
    [(16, 0, 65536, "ops"), (16, 11, 65536, "ops"), (16, 3, 65535, "mem_kib"),
     (16, 3, 2 * 1024 * 1024 + 1, "mem_kib"), (15, 3, 65536, "salt"), (17, 3, 65536, "salt"),
     (16, 2**70, 65536, "ops"), (16, 3, 2**70, "mem_kib"), (16, -1, 65536, "ops")],
)  # fmt: skip
def test_argon2id_bounds_hold_before_the_work(
    salt: int, ops: int, mem_kib: int, named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        argon2id(b"passphrase", bytes(salt), ops, mem_kib)
