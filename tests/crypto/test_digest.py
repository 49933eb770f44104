"""Digests agree with hashlib; canonical JSON is one text for one value; the chain follows its
vectors."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto import digest
from scaivault.crypto.memory import Guarded, Wiped

RAW = bytes(range(32))
VAULT = "vlt_00000000000000000000"


@given(st.binary(max_size=300))
def test_keyed_agrees_with_hashlib(data: bytes) -> None:
    expected = hashlib.blake2b(data, key=RAW, digest_size=32).digest()
    assert digest.keyed(Guarded().load(RAW), data) == expected


@pytest.mark.parametrize("size", [1, 16, 31, 33, 64])
def test_keyed_refuses_other_key_sizes(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        digest.keyed(Guarded(size), b"")


def test_a_wiped_key_digests_nothing() -> None:
    gone = Guarded.random()
    gone.wipe()
    with pytest.raises(Wiped):
        digest.keyed(gone, b"")


@given(st.binary(min_size=16, max_size=16), st.binary(max_size=80))
def test_personal_agrees_with_hashlib(person: bytes, data: bytes) -> None:
    expected = hashlib.blake2b(data, digest_size=32, person=person).digest()
    assert digest.personal(person, data) == expected


@pytest.mark.parametrize("size", [0, 15, 17])
def test_personal_takes_exactly_16_bytes(size: int) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        digest.personal(bytes(size), b"")


def test_canonical_json_sorts_at_every_level_and_escapes_little() -> None:
    value = {"b": [1, {"z": None, "a": True}], "a": 'é"\\\b\f\n\r\t\x01\x1f\x7f/', "B": -7}
    assert (
        digest.jcs(value)
        == (
            '{"B":-7,"a":"é\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u001f\x7f/","b":[1,{"a":true,"z":null}]}'
        ).encode()
    )


ATOMS = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(
    st.characters(exclude_categories=["Cs"])
)  # fmt: skip
KEYS = st.text(st.characters(max_codepoint=127), max_size=5)
VALUES = st.recursive(ATOMS, lambda v: st.lists(v) | st.dictionaries(KEYS, v), max_leaves=20)


@given(VALUES)
def test_canonical_json_is_stable_and_means_the_same(value: object) -> None:
    text = digest.jcs(value)
    assert json.loads(text) == value
    assert digest.jcs(json.loads(text)) == text


@pytest.mark.parametrize(
    "value",
    [1.0, {"a": [0.5]}, float("nan"), 2**53, -(2**53), [2**70], {"é": 1}, {1: 2}, b"bytes",
     {"a": {1}}, {"a": object()}, "\ud800", {"\udc00": 1}],
)  # fmt: skip
def test_what_has_no_canonical_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - lone surrogates are refused by the codec
        digest.jcs(value)


def test_the_chain_follows_its_vector() -> None:
    h0 = digest.chain_start(VAULT)
    d1 = bytes.fromhex("812ec77181eb571faf653f44bbac50ae257c215248b82f3efc1ff10cfa2bc035")
    d2 = bytes.fromhex("be32fee1785660333dcf0274493d0dccdd0d8c37170a4cab6f80dd08f43a9bcc")
    h1 = digest.link(h0, d1)
    assert h0.hex() == "ccd75c863ddb8690e3ad48113f2dc9d4635ba2d4354462f3dd36307ba18cb9cd"
    assert h1.hex() == "ec02362e9e0e9e79be76815492a62d7d49bfb8029d0ed90644589e9fa7d81b7d"
    assert digest.link(h1, d2).hex() == (
        "6060a10cd24f11381f2469a1f551d8073b61d97f4c5ed0a51b7a750029ab5e6e"
    )


def test_a_changed_row_changes_its_digest_to_the_vector() -> None:
    row = {
        "action": "write",
        "actor_tenant_id": "tnt_h",
        "duration_ms": 7,
        "extra_data": {"version": 1, "created": True},
        "id": "log_01o3f5e7g00000000000000001",
        "identity_id": "user:mira@harbor.example",
        "identity_type": "user",
        "partner_id": "ptn_h",
        "request_id": "req_01o3f5e7g00000000000000002",
        "secret_path": "shop/prod/mailer",
        "seq": 1,
        "source_ip": "192.0.2.14",
        "success": True,
        "tenant_id": "tnt_h",
        "timestamp": "2031-02-03T09:00:00.000001Z",
        "user_agent": "curl/8",
    }
    changed = digest.row_digest(digest.jcs(row))
    intact = digest.row_digest(digest.jcs(row | {"duration_ms": 6}))
    assert changed.hex() == "91ea633fae508a88068b0b7af6cce7db824af2aefcf3d90c68247f4b76c85013"
    assert intact.hex() == "812ec77181eb571faf653f44bbac50ae257c215248b82f3efc1ff10cfa2bc035"


def test_the_pruned_set_counts_content_not_order() -> None:
    assert digest.pruned_set([1]).hex() == (
        "6f81bd7ce9df8cab49a93a9dd2983b822876f9de193e5b11ef56909d9fbee17c"
    )
    assert digest.pruned_set([3, 1, 2]) == digest.pruned_set(iter([1, 2, 3]))
    assert digest.pruned_set([1, 2]) != digest.pruned_set([1, 3])
