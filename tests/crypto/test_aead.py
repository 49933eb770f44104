"""Boxes, wrapped keys and envelopes open in their own place and nowhere else."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto import aead
from scaivault.crypto.aead import Damaged
from scaivault.crypto.kdf import derive
from scaivault.crypto.memory import Guarded, Wiped

RAW = bytes(range(32))
PARTS = ("value", "vlt_1", "tnt_1", "secret:a/b", 3, 0)
PLACE = aead.context(*PARTS)
DEK = aead.context("dek", "vlt_1", "tnt_1", "secret:a/b", 3, 2)


def key(raw: bytes = RAW) -> Guarded:
    return Guarded(len(raw)).load(raw)


def test_the_vector_of_the_contract() -> None:
    box_key = derive(key(), 1, b"svroot01")
    box = aead.seal_with(box_key, bytes(range(24)), b"hi", PLACE)
    sealed = "75a6f97acc95aecfd6f1f92710ade61016ec"
    assert box == b"\x01" + bytes(range(24)) + bytes.fromhex(sealed)
    assert aead.unseal(box_key, box, PLACE) == b"hi"


def test_context_is_a_head_and_six_length_prefixed_parts() -> None:
    spelled = b"scaivault-aad-1"
    for part in (b"value", b"vlt_1", b"tnt_1", "secret:é".encode(), b"12", b"0"):
        spelled += len(part).to_bytes(4, "big") + part
    assert aead.context("value", "vlt_1", "tnt_1", "secret:é", 12, 0) == spelled


@pytest.mark.parametrize(
    ("purpose", "version"), [("values", 1), ("", 1), ("VALUE", 1), ("value", -1)]
)
def test_context_knows_its_purposes_and_versions(purpose: str, version: int) -> None:
    with pytest.raises(ValueError, match=r"purpose|negative"):
        aead.context(purpose, "vlt_1", "tnt_1", "secret:a", version, 0)


@given(st.tuples(*[st.text(max_size=6)] * 3), st.tuples(*[st.text(max_size=6)] * 3))
def test_two_places_never_share_a_context(
    one: tuple[str, str, str], other: tuple[str, str, str]
) -> None:
    contexts = {aead.context("value", *place, 0, 0) for place in (one, other)}
    assert len(contexts) == len({one, other})


@pytest.mark.parametrize(
    "moved",
    [
        ("dek", "vlt_1", "tnt_1", "secret:a/b", 3, 0),
        ("value", "vlt_2", "tnt_1", "secret:a/b", 3, 0),
        ("value", "vlt_1", "tnt_2", "secret:a/b", 3, 0),
        ("value", "vlt_1", "tnt_1", "secret:a/c", 3, 0),
        ("value", "vlt_1", "tnt_1", "secret:a/b", 4, 0),
        ("value", "vlt_1", "tnt_1", "secret:a/b", 3, 1),
        ("value", "vlt_1", "tnt_1secret:a/b", "", 3, 0),
    ],
)
def test_a_box_does_not_open_elsewhere(moved: tuple[str, str, str, str, int, int]) -> None:
    box = aead.seal(key(), b"hi", PLACE)
    dek, value = aead.seal_value(key(), b"hi", DEK, PLACE)
    elsewhere = aead.context(*moved)
    with pytest.raises(Damaged):
        aead.unseal(key(), box, elsewhere)
    with pytest.raises(Damaged):
        aead.open_value(key(), dek, value, DEK, elsewhere)
    with pytest.raises(Damaged):
        aead.open_value(key(), dek, value, elsewhere, PLACE)
    with pytest.raises(Damaged):
        aead.rewrap(key(), key(), dek, elsewhere, DEK)


@given(st.binary(max_size=300), st.binary(max_size=40))
def test_what_was_sealed_opens(plaintext: bytes, aad: bytes) -> None:
    box = aead.seal(key(), plaintext, aad)
    assert len(box) == len(plaintext) + aead.OVERHEAD
    assert aead.unseal(key(), box, aad) == plaintext
    assert aead.open_value(key(), *aead.seal_value(key(), plaintext, b"d", aad), b"d", aad) == (
        plaintext
    )


@given(st.lists(st.tuples(st.binary(max_size=60), st.integers(0, 4)), max_size=6))
def test_many_values_open_as_each_does_alone(some: list[tuple[bytes, int]]) -> None:
    envelopes: list[tuple[bytes, bytes, bytes, bytes]] = []
    expected: list[bytes | None] = []
    for plaintext, fault in some:
        dek, value = aead.seal_value(key(), plaintext, DEK, PLACE)
        whole = [dek, value, DEK, PLACE]
        changed = [dek[:-1], value[: aead.OVERHEAD - 1], PLACE, DEK, None][fault]
        if changed is not None:
            whole[fault] = changed
        envelopes.append((whole[0], whole[1], whole[2], whole[3]))
        try:
            expected.append(aead.open_value(key(), *envelopes[-1]))
        except Damaged:
            expected.append(None)
    assert aead.open_values(key(), envelopes) == expected


def test_of_many_values_every_flipped_bit_is_damage() -> None:
    dek, value = aead.seal_value(key(), b"v", DEK, PLACE)
    flipped = [(flip(dek, at), value, DEK, PLACE) for at in range(8 * len(dek))] + [
        (dek, flip(value, at), DEK, PLACE) for at in range(8 * len(value))
    ]
    whole = (dek, value, DEK, PLACE)
    found = aead.open_values(key(), [whole, *flipped, whole])
    assert found == [b"v", *[None] * len(flipped), b"v"]


def flip(box: bytes, bit: int) -> bytes:
    changed = bytearray(box)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_the_shortest_values_leave_shared_objects_alone(size: int) -> None:
    plaintext = b"\xff" * size
    assert aead.unseal(key(), aead.seal(key(), plaintext, b""), b"") == plaintext
    assert bytes(size) == b"\0" * size
    assert [bytes([n])[0] for n in range(256)] == list(range(256))


def test_a_mebibyte_opens() -> None:
    plaintext = bytes(range(256)) * 4096
    dek, value = aead.seal_value(key(), plaintext, DEK, PLACE)
    assert aead.open_value(key(), dek, value, DEK, PLACE) == plaintext


def test_a_wrapped_key_opens_in_guarded_memory() -> None:
    inner = Guarded.random(64)
    assert aead.unwrap(key(), aead.wrap(key(), inner, DEK), DEK).equals(inner)


def test_boxes_of_the_same_plaintext_differ_throughout() -> None:
    boxes = {aead.seal(key(), b"same", b"")[1:25] for _ in range(200)}
    envelopes = [aead.seal_value(key(), b"same", b"", b"") for _ in range(200)]
    assert len(boxes) == 200
    assert len({box[1:25] for pair in envelopes for box in pair}) == 400
    deks = {bytes(aead.unwrap(key(), dek, b"").reveal()) for dek, _ in envelopes}
    assert len(deks) == 200


def test_rewrap_moves_the_data_key_and_keeps_the_value() -> None:
    old, new = key(), Guarded.random()
    dek, value = aead.seal_value(old, b"kept", b"old", PLACE)
    moved = aead.rewrap(old, new, dek, b"old", b"new")
    assert aead.open_value(new, moved, value, b"new", PLACE) == b"kept"
    with pytest.raises(Damaged):
        aead.open_value(old, moved, value, b"new", PLACE)


OPENERS: list[Callable[[bytes], object]] = [
    lambda box: aead.unseal(key(), box, PLACE),
    lambda box: aead.unwrap(key(), box, PLACE),
    lambda box: aead.rewrap(key(), key(), box, PLACE, PLACE),
    lambda box: aead.open_value(key(), box, box, PLACE, PLACE),
]


@pytest.mark.parametrize("opener", OPENERS)
def test_every_flipped_bit_is_damage(opener: Callable[[bytes], object]) -> None:
    box = aead.wrap(key(), Guarded.random(), PLACE)
    for bit in range(len(box) * 8):
        changed = bytearray(box)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged):
            opener(bytes(changed))


@pytest.mark.parametrize("opener", OPENERS)
def test_every_other_length_is_damage(opener: Callable[[bytes], object]) -> None:
    box = aead.wrap(key(), Guarded.random(), PLACE)
    for length in range(len(box)):
        with pytest.raises(Damaged):
            opener(box[:length])
    for more in (b"\0", box):
        with pytest.raises(Damaged):
            opener(box + more)


def test_a_changed_value_box_is_damage() -> None:
    dek, value = aead.seal_value(key(), b"v" * 20, DEK, PLACE)
    broken = [b"", value[:40], value[:-1], value + b"\0", b"\x02" + value[1:], value[:-1] + b"\0"]
    for box in broken:
        with pytest.raises(Damaged):
            aead.open_value(key(), dek, box, DEK, PLACE)


def test_the_data_key_of_another_value_does_not_fit() -> None:
    one, other = (aead.seal_value(key(), b"v", DEK, PLACE) for _ in range(2))
    with pytest.raises(Damaged):
        aead.open_value(key(), one[0], other[1], DEK, PLACE)


def test_an_empty_wrapped_key_is_damage() -> None:
    with pytest.raises(Damaged):
        aead.unwrap(key(), aead.seal(key(), b"", b""), b"")


@pytest.mark.parametrize("size", [1, 16, 31, 33, 64])
def test_a_key_of_another_size_is_never_read(size: int) -> None:
    odd, box = Guarded(size), aead.wrap(key(), key(), b"")
    calls: list[Callable[[], object]] = [
        lambda: aead.seal(odd, b"", b""),
        lambda: aead.unseal(odd, box, b""),
        lambda: aead.wrap(odd, key(), b""),
        lambda: aead.unwrap(odd, box, b""),
        lambda: aead.seal_value(odd, b"", b"", b""),
        lambda: aead.open_value(odd, box, box, b"", b""),
        lambda: aead.rewrap(odd, key(), box, b"", b""),
        lambda: aead.rewrap(key(), odd, box, b"", b""),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="32 bytes"):
            call()


def test_a_nonce_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="24 bytes"):
        aead.seal_with(key(), bytes(12), b"", b"")


def test_text_is_not_taken_for_bytes() -> None:
    with pytest.raises(TypeError):
        aead.seal(key(), "text", b"")  # type: ignore[arg-type]  # what a caller may get wrong


def test_a_wiped_key_is_told_from_damage() -> None:
    gone, box = key(), aead.wrap(key(), key(), b"")
    gone.wipe()
    calls: list[Callable[[], object]] = [
        lambda: aead.seal(gone, b"", b""),
        lambda: aead.unseal(gone, box, b""),
        lambda: aead.wrap(gone, key(), b""),
        lambda: aead.wrap(key(), gone, b""),
        lambda: aead.unwrap(gone, box, b""),
        lambda: aead.seal_value(gone, b"", b"", b""),
        lambda: aead.open_value(gone, box, box, b"", b""),
        lambda: aead.open_values(gone, [(box, box, b"", b"")]),
        lambda: aead.rewrap(gone, key(), box, b"", b""),
        lambda: aead.rewrap(key(), gone, box, b"", b""),
    ]
    for call in calls:
        with pytest.raises(Wiped):
            call()


def test_scratch_memory_holds_nothing_between_calls() -> None:
    dek, value = aead.seal_value(key(), b"v", b"", b"")
    aead.open_value(key(), dek, value, b"", b"")
    with pytest.raises(Damaged):
        aead.open_value(key(), dek, value, b"", b"elsewhere")
    aead.open_values(key(), [(dek, value, b"", b""), (dek, value, b"", b"elsewhere")])
    assert aead._idle
    for scratch in aead._idle:
        assert not any(scratch.dek[i] for i in range(80))
