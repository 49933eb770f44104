"""Strict JSON: what is accepted survives byte for byte, what parsers disagree on is refused."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scaivault.errors import Refusal
from scaivault.wire.strict import MAX_DEPTH, check, size

MIB = 1 << 20

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**400), 10**400),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
# Bytes that stay near the grammar, so that more than the first byte is reached.
fragments = st.lists(
    st.sampled_from(
        [
            *(b'"', b"\\", b"{", b"}", b"[", b"]", b":", b",", b" ", b"\n", b"\t", b"\r"),
            *(b'"a"', b'"b":', b"\\u0061", b"\\ud83d", b"\\ude00", b"\\u", b'\\"', b"\\\\"),
            *(b"0", b"-", b"1", b".", b"5", b"e", b"E", b"+", b"400", b"null", b"true", b"false"),
            *(b"NaN", b"Infinity", b"\x00", b"\x01", b"\x02\x02", b"\x1f", b"\x7f", b"\xff"),
            *(b"\xc3\xa9", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc2\xa0", b"/", b"'"),
        ]
    ),
    max_size=24,
).map(b"".join)


def reason(body: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        check(body)
    assert caught.value.code == "invalid_request"
    word = caught.value.details["reason"]
    assert isinstance(word, str)
    return word


def spelled(text: bytes) -> Any:
    """The value with numbers as they are spelled and objects as lists of pairs."""
    return json.loads(
        text,
        parse_int=lambda digits: ("int", digits),
        parse_float=lambda digits: ("float", digits),
        object_pairs_hook=lambda pairs: ("object", pairs),
    )


@pytest.mark.parametrize(
    ("body", "compact"),
    [
        (b' { "a" : [ 1 , 2.50 , -0 ] }\r\n', b'{"a":[1,2.50,-0]}'),
        (b'{"b": 1, "a": 2}', b'{"b":1,"a":2}'),
        (b'["a b", "\\" \\\\", "\\\\"]', b'["a b","\\" \\\\","\\\\"]'),
        (b'"\\u00e9 \\/ \\u0000"', b'"\\u00e9 \\/ \\u0000"'),
        (b"\t1E+2 ", b"1E+2"),
        (b"[1e-400]", b"[1e-400]"),
        (b'["\\ud83d\\ude00"]', b'["\\ud83d\\ude00"]'),
        (b'["\\\\ud83d"]', b'["\\\\ud83d"]'),
        (b'{"": {"": 0}}', b'{"":{"":0}}'),
        (b'["a: [{ ", {"x:y": ":"}]', b'["a: [{ ",{"x:y":":"}]'),
        ('{ "é" : "\u2028" }'.encode(), '{"é":"\u2028"}'.encode()),
    ],
)
def test_white_space_goes_and_spelling_stays(body: bytes, compact: bytes) -> None:
    assert check(body) == compact


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "json"),
        (b" \n", "json"),
        (b"{", "json"),
        (b'{"a":1,}', "json"),
        (b"[1,]", "json"),
        (b"{'a':1}", "json"),
        (b'"\x01"', "json"),
        (b'"\t"', "json"),
        (b'"a', "json"),
        (b'"a\\', "json"),
        (b'"\\x41"', "json"),
        (b'"\\u00g0"', "json"),
        (b"[01]", "json"),
        (b"[1.]", "json"),
        (b"[.5]", "json"),
        (b"[+1]", "json"),
        (b"// note\n1", "json"),
        (b"\xc2\xa01", "json"),
        (b"{\x00}", "json"),
        ('"a"'.encode("utf-16-le"), "json"),
        (b"1 2", "trailing"),
        (b"{} {}", "trailing"),
        (b"[]]", "trailing"),
        (b"{}\x00", "trailing"),
        (b"01", "trailing"),
        (b"[NaN]", "not_finite"),
        (b"[-Infinity]", "not_finite"),
        (b"Infinity", "not_finite"),
        (b'{"a":1e400}', "not_finite"),
        (b"[-1E+309]", "not_finite"),
        (b"[1.7976931348623159e308]", "not_finite"),
        (b"[" + b"9" * 400 + b".5]", "not_finite"),
        (b'"\xff"', "utf8"),
        (b'"\xed\xa0\x80"', "utf8"),
        (b'"\xc0\xaf"', "utf8"),
        (b"\xef\xbb\xbf{}", "bom"),
        ("{}".encode("utf-16"), "bom"),
        (b'["\\ud800"]', "surrogate"),
        (b'["\\uDC00\\uD800"]', "surrogate"),
        (b'["\\ud83d\\ud83d\\ude00"]', "surrogate"),
        (b'["\\ud83d","\\ude00"]', "surrogate"),
        (b'["\\ud83d\\\\ude00"]', "surrogate"),
        (b'{"\\udfff":1}', "surrogate"),
        (b'{"a":1,"a":1}', "duplicate_key"),
        (b'{"a":1,"\\u0061":2}', "duplicate_key"),
        (b'[{"x":{"":0 , "":0}}]', "duplicate_key"),
        (b'{"a":{"a":1},"b":{"c":1,"c":2}}', "duplicate_key"),
    ],
)
def test_refused_with_its_reason(body: bytes, word: str) -> None:
    assert reason(body) == word


def test_largest_double_and_exact_integers_pass() -> None:
    digits = b"-" + b"7" * 5000
    assert check(b"[1.7976931348623157e308]") == b"[1.7976931348623157e308]"
    assert check(b"[ " + digits + b"]") == b"[" + digits + b"]"


@pytest.mark.parametrize(("left", "right"), [(b"[", b"]"), (b'{"k":', b"}")])
def test_depth_ends_at_the_limit(left: bytes, right: bytes) -> None:
    core = b"[]" if left == b"[" else b"{}"
    deepest = left * (MAX_DEPTH - 1) + core + right * (MAX_DEPTH - 1)
    assert check(deepest) == deepest
    assert reason(left + deepest + right) == "too_deep"


def test_brackets_in_strings_have_no_depth() -> None:
    body = json.dumps(["[" * 1000, '"{' * 1000, "\\" * 99 + "[" * 99]).encode()
    assert check(body) == body.replace(b", ", b",")


@pytest.mark.parametrize("depth", [200, 100_000, MIB])
@pytest.mark.parametrize("opener", [b"[", b'{"a":', b'[{"a":'])
def test_deep_text_without_end_is_refused_not_recursed(opener: bytes, depth: int) -> None:
    assert reason((opener * depth)[:MIB]) == "too_deep"


def test_broken_text_cannot_hide_its_depth() -> None:
    assert reason(b'["\x01\x01", "\x02\x02" ' + b"[" * 5000) in {"too_deep", "json"}
    assert reason(b"]" * 5000 + b"[" * 5000) in {"json", "trailing"}
    assert reason(b'"' * 3 + b"[" * 100_000) in {"json", "trailing"}


@pytest.mark.parametrize(
    "body",
    [
        b"1" * MIB,
        b"[" + b",".join([b"9" * 4299] * 240) + b"]",
        b'"' + b'\\"' * (MIB // 2) + b'"',
        b'"' + b"\\\\" * (MIB // 2) + b'"',
        b"0." + b"3" * MIB,
        b"[" + b",".join([b"[]"] * 300_000) + b"]",
        b'{"' + b'":0,"'.join(b"%d" % n for n in range(90_000)) + b'":0}',
    ],
    ids=["digits", "integers", "quotes", "backslashes", "fraction", "lists", "keys"],
)
def test_a_mebibyte_passes_unchanged(body: bytes) -> None:
    assert check(body) == body


@pytest.mark.parametrize("byte", [b" ", b"\\", b"-", b":", b",", b"\x00", b"e", b'"', b"\\u"])
def test_a_mebibyte_of_one_thing_is_refused(byte: bytes) -> None:
    assert reason((byte * MIB)[:MIB]) in {"json", "trailing"}


@given(values, st.sampled_from([None, 0, 1, "\t", "\r\n "]), st.booleans())
def test_values_survive(value: Any, indent: int | str | None, ascii_only: bool) -> None:
    wide = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    compact = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    try:
        wide_bytes, expected = wide.encode(), compact.encode()
    except UnicodeEncodeError:
        return
    assert check(wide_bytes) == expected
    assert check(expected) == expected


@given(values, st.booleans())
@example(["\x01\x02", '\\"', "", "\N{EURO SIGN}\U0001f600", "\x7f/\n"], True)
def test_the_size_is_that_of_the_plainest_spelling(value: Any, ascii_only: bool) -> None:
    plain = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        expected = len(plain.encode())
    except UnicodeEncodeError:
        return
    spelled = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only)
    assert size(check(spelled.encode())) == expected


def test_the_size_does_not_count_escapes_that_need_not_be() -> None:
    assert size(rb'{"\u0061":"\/\u000a\u0001"}') == len(rb'{"a":"/\n\u0001"}')


@given(st.dictionaries(st.text(), values, min_size=1, max_size=5), st.data())
def test_a_repeated_key_is_found_at_every_level(members: dict[str, Any], data: Any) -> None:
    key = data.draw(st.sampled_from(sorted(members)))
    escaped = "".join(f"\\u{unit:04x}" for unit in _utf16(key))
    body = json.dumps(members)[:-1] + f', "{escaped}": null}}'
    for level in range(data.draw(st.integers(0, 5))):
        body = f'{{"level{level}": [{body}]}}'
    assert reason(body.encode()) == "duplicate_key"


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


@given(st.binary(max_size=64) | fragments)
@example(b'"\x01\x01\\\\"')
@example(b'"\x02\x02"')
def test_any_bytes_are_refused_or_keep_their_meaning(body: bytes) -> None:
    try:
        compact = check(body)
    except Refusal:
        return
    assert spelled(compact) == spelled(body)
    assert check(compact) == compact
    assert compact == _without_space(body)
    assert all(map(math.isfinite, _floats(spelled(body))))


def _without_space(body: bytes) -> bytes:
    """The plain way: one character after the other."""
    kept, inside, escaped = bytearray(), False, False
    for byte in body:
        if inside or byte not in b" \t\n\r":
            kept.append(byte)
        if escaped:
            escaped = False
        elif byte == ord('"'):
            inside = not inside
        else:
            escaped = inside and byte == ord("\\")
    return bytes(kept)


def _floats(value: Any) -> list[float]:
    match value:
        case ("float", str(digits)):
            return [float(digits)]
        case ("object", list(pairs)):
            return [number for _, inner in pairs for number in _floats(inner)]
        case list(items):
            return [number for inner in items for number in _floats(inner)]
        case _:
            return []


@given(fragments)
def test_plain_parser_agrees_on_what_is_json(body: bytes) -> None:
    """Whatever is refused for its syntax is refused by the standard library too."""
    try:
        check(body)
    except Refusal as refusal:
        if refusal.details["reason"] in {"json", "trailing", "utf8"}:
            assert not _plainly_json(body)


def _plainly_json(body: bytes) -> bool:
    try:
        json.loads(body.decode())
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"data":{"pass\xc3\xa9":hunter}}', "line 1, column 18"),
        (b'\n {"data":\n  {"a" 1}}', "line 3, column 8"),
        (b"  ", "line 1, column 1"),
    ],
)
def test_a_slip_is_placed_and_not_quoted(body: bytes, place: str) -> None:
    with pytest.raises(Refusal) as caught:
        check(body)
    assert caught.value.message == f"the body is not valid JSON ({place})"
