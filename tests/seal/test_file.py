import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, structs

import scaivault.seal.file as file_module
from scaivault.crypto.memory import Guarded
from scaivault.seal.file import (
    LIMIT,
    SealFile,
    SealFileInvalid,
    Slot,
    WrappedKey,
    dump,
    from_text,
    load,
    to_text,
)

KEY = Guarded().load(bytes(range(32)))


def slot(n: int = 0, **fields: Any) -> Slot:
    base = Slot(
        id=f"slot_{n:020d}",
        type="passphrase",
        label="ops",
        created_at="2031-02-03T04:05:06.000007Z",
        params={"kdf": {"ops": 3, "salt": "AAAA"}, "pcrs": [7]},
        wrapped_root="AQID",
    )
    return structs.replace(base, **fields)


FILE = SealFile(
    format="scaivault-seal",
    version=1,
    vault_id="vlt_" + "5q2m" * 5,
    created_at="2031-02-03T04:05:06.000007Z",
    root_key_version=1,
    generation=1,
    min_program="0.1.0",
    slots=[slot(), slot(1, label="bürö")],
    file_key=WrappedKey(version=1, wrapped="BAUG"),
    mac="",
).signed(KEY)


def fields() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(dump(FILE))
    return loaded


def refused(data: bytes) -> str:
    with pytest.raises(SealFileInvalid) as caught:
        load(data)
    return caught.value.message


def refused_fields(changed: dict[str, Any]) -> str:
    return refused(json.dumps(changed).encode())


def test_round_trip() -> None:
    assert load(dump(FILE)) == FILE
    assert FILE.file_key_next is UNSET
    assert b"file_key_next" not in dump(FILE)


def test_fields_are_those_of_the_format() -> None:
    written = fields()
    assert sorted(written) == [
        "created_at", "file_key", "format", "generation", "mac", "min_program",
        "root_key_version", "slots", "vault_id", "version",
    ]  # fmt: skip
    inner = ["created_at", "id", "label", "params", "type", "wrapped_root"]
    assert sorted(written["slots"][0]) == inner
    assert sorted(written["file_key"]) == ["version", "wrapped"]


def test_mac_is_a_known_answer() -> None:
    """A change here makes every existing vault unreadable."""
    assert FILE.mac == "hNeeQPiIs14hG66RMJfdGRgI-8jQdJpuRL6-fLiTEcQ"
    assert FILE.mac in (Path(__file__).parents[2] / "docs/formats.md").read_text(encoding="utf-8")


def test_second_file_key_while_pages_are_rewritten() -> None:
    both = FILE.changed(KEY, file_key_next=WrappedKey(version=2, wrapped="CAkK"))
    again = load(dump(both))
    assert again.file_key_next == WrappedKey(version=2, wrapped="CAkK")
    assert again.verify(KEY)
    done = again.changed(KEY, file_key=again.file_key_next, file_key_next=UNSET)
    assert done.generation == 3
    assert done.file_key.version == 2
    assert b"file_key_next" not in dump(done)


def test_slot_is_found_by_id() -> None:
    assert FILE.slot("slot_" + "0" * 19 + "1") is FILE.slots[1]
    assert FILE.slot("slot_other") is None


# -- authenticity -----------------------------------------------------------------------------


def test_mac_needs_the_key() -> None:
    assert FILE.verify(KEY)
    assert not FILE.verify(Guarded.random())
    assert not structs.replace(FILE, mac=to_text(bytes(32))).verify(KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"vault_id": "vlt_" + "0" * 20},
        {"created_at": "2031-02-03T04:05:06.000008Z"},
        {"root_key_version": 2},
        {"generation": 2},
        {"min_program": "0.0.9"},
        {"slots": FILE.slots[:1]},
        {"slots": FILE.slots[::-1]},
        {"slots": [slot(), slot(1, label="ops")]},
        {"slots": [slot(), slot(1, label="bürö", params={})]},
        {"file_key": WrappedKey(version=2, wrapped="BAUG")},
        {"file_key_next": WrappedKey(version=2, wrapped="BAUG")},
    ],
)
def test_mac_holds_every_field(change: dict[str, Any]) -> None:
    edited = load(dump(structs.replace(FILE, **change)))
    assert not edited.verify(KEY)
    assert edited.signed(KEY).verify(KEY)


def test_layout_of_the_text_does_not_matter() -> None:
    compact = json.dumps(fields(), separators=(",", ":"), sort_keys=True).encode()
    assert load(compact).verify(KEY)


def test_change_counts_and_signs() -> None:
    changed = FILE.changed(KEY, slots=FILE.slots[:1])
    assert (changed.generation, len(changed.slots)) == (2, 1)
    assert changed.verify(KEY)


# -- refusals ---------------------------------------------------------------------------------


def test_every_truncation_is_refused() -> None:
    data = dump(FILE).rstrip()
    for length in range(len(data)):
        assert "restore it from a backup" in refused(data[:length])
    assert "cut short" in refused(data[:-1])
    assert "cut short" in refused(b"")


@given(st.data())
def test_changed_byte_is_refused_or_not_authentic(data: st.DataObject) -> None:
    raw = bytearray(dump(FILE))
    position = data.draw(st.integers(0, len(raw) - 1))
    raw[position] ^= data.draw(st.integers(1, 255))
    try:
        edited = load(raw)
    except SealFileInvalid:
        return
    assert edited == FILE or not edited.verify(KEY)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    refused(noise)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\xff\xfe{\x00}\x00", "damaged"),
        (b"\xef\xbb\xbf{}", "damaged"),
        (b"[]", "another kind"),
        (b"null", "another kind"),
        (b'{"format":"scaivault-backup"}', "another kind"),
        (b'{"format":"scaivault-seal","format":"scaivault-seal"}', "twice"),
        (b'{"format":"scaivault-seal","slots":[{"id":"a","id":"b"}]}', "twice"),
        (b'{"format":"scaivault-seal","version":1.0}', "whole"),
        (b'{"format":"scaivault-seal","version":NaN}', "whole"),
        (b'{"format":"scaivault-seal","version":' + b"9" * 5000 + b"}", "damaged"),
        (b"[" * 200_000, "damaged"),
        (b" " * (LIMIT + 1), "longer than 262144"),
    ],
)
def test_not_strict_json(data: bytes, words: str) -> None:
    assert words in refused(data)


@pytest.mark.parametrize("name", sorted(fields()))
def test_missing_field(name: str) -> None:
    edited = fields()
    del edited[name]
    refused_fields(edited)


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"version": 0},
        {"version": True},
        {"vault_id": "vlt_UPPER"},
        {"vault_id": FILE.vault_id + "\n"},
        {"generation": 0},
        {"generation": 2**53},
        {"generation": "1"},
        {"root_key_version": 0},
        {"min_program": "0.1"},
        {"min_program": None},
        {"created_at": "yesterday"},
        {"slots": []},
        {"slots": {}},
        {"file_key": None},
        {"file_key_next": None},
        {"file_key": {"version": 1, "wrapped": "BAUG", "more": 1}},
        {"mac": "not+base64url"},
        {"mac": ""},
        {"mac": None},
    ],
)
def test_edited_field(change: dict[str, Any]) -> None:
    assert "restore" in refused_fields(fields() | change)


@pytest.mark.parametrize(
    "change",
    [
        {"surprise": 1},
        {"id": "slot_1"},
        {"type": "Pass"},
        {"label": ""},
        {"label": "\ud800"},
        {"params": []},
        {"params": {"größe": 1}},
        {"params": {"n": 2**53}},
        {"wrapped_root": "="},
    ],
)
def test_edited_slot(change: dict[str, Any]) -> None:
    edited = fields()
    edited["slots"][0] |= change
    assert "was edited" in refused_fields(edited)


def test_slot_named_twice() -> None:
    edited = fields()
    edited["slots"][1]["id"] = edited["slots"][0]["id"]
    assert "names a slot twice" in refused_fields(edited)


def test_newer_format_is_told_apart_from_an_edited_file() -> None:
    newer = fields() | {"version": 2, "surprise": True}
    assert "version 2, this program knows up to 1" in refused_fields(newer)


@pytest.mark.parametrize(
    ("program", "needed", "opens"),
    [
        ("1.4.0", "1.4.0", True),
        ("1.4.0", "1.3.99", True),
        ("1.10.0", "1.9.0", True),
        ("1.4.0", "1.4.1", False),
        ("1.9.0", "1.10.0", False),
        ("1.4.0rc1", "1.4.0", True),
    ],
)
def test_lowest_program_that_may_open(
    monkeypatch: pytest.MonkeyPatch, program: str, needed: str, opens: bool
) -> None:
    monkeypatch.setattr(file_module, "__version__", program)
    data = json.dumps(fields() | {"min_program": needed, "surprise": 1}).encode()
    message = refused(data)
    assert ("unknown field" in message) is opens
    assert (f"needs program {needed} or later, this is {program}" in message) is not opens


def test_what_would_not_load_is_not_written() -> None:
    with pytest.raises(SealFileInvalid):
        dump(structs.replace(FILE, slots=[]))
    with pytest.raises(SealFileInvalid):
        dump(structs.replace(FILE, slots=[slot(n, label="x" * 100) for n in range(1500)]))


# -- base64url --------------------------------------------------------------------------------


@given(st.binary(max_size=64))
def test_text_form_round_trip(raw: bytes) -> None:
    assert from_text(to_text(raw)) == raw


@pytest.mark.parametrize("text", ["AQ==", "AR", "A", "A+/A", "AQ ID", "ÄÖ", "AQID\n"])
def test_text_form_is_strict(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|ASCII|padded"):
        from_text(text)
