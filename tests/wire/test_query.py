"""Query strings: decoded once and strictly, then into the fields of a request type."""

from __future__ import annotations

import enum
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct

from scaivault.errors import Refusal
from scaivault.wire.faults import MAX_FAULTS
from scaivault.wire.query import MAX_PARAMETERS, parse_query, query


class Order(enum.Enum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Search(Struct, rename={"from_": "from"}):
    path: str
    tenant: str
    prefix: Annotated[str, Meta(max_length=8)] | None = None
    limit: Annotated[int, Meta(ge=1, le=200)] | None = None
    deep: bool = False
    order: Order = Order.NEWEST
    from_: str | None = None
    tag: Annotated[tuple[str, ...], Meta(max_length=3)] = ()
    version: list[Annotated[int, Meta(ge=1)]] = []
    kind: list[Literal["json", "text"]] | None = None


class Range(Struct):
    low: int
    high: int

    def __post_init__(self) -> None:
        if self.high < self.low:
            raise ValueError("high must not be below low")


def fields(text: str, type_: type[Struct] = Search, **given: object) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        query(type_, parse_query(text.encode()), **given)
    assert caught.value.code == "validation_error"
    found = caught.value.details["fields"]
    assert isinstance(found, dict)
    return found


def reason(raw: bytes) -> object:
    with pytest.raises(Refusal) as caught:
        parse_query(raw)
    assert caught.value.code == "invalid_request"
    return caught.value.details["reason"]


def test_every_kind_of_field() -> None:
    text = (
        b"tenant=t&prefix=a/b&limit=20&deep=1&order=oldest&from=x&tag=a&tag=b&version=1&version=2"
    )
    found = query(Search, parse_query(text), path="given")
    expected = Search("given", "t", "a/b", 20, True, Order.OLDEST, "x", ("a", "b"), [1, 2])
    assert found == expected


def test_all_faults_at_once() -> None:
    text = (
        "path=x&Limit=3&prefix=123456789&limit=0&limit=5&deep=yes&order=up"
        "&tag=1&tag=2&tag=3&tag=4&version=1&version=x&kind=xml"
    )
    assert fields(text, path="given") == {
        "path": "is not a parameter here",
        "Limit": "is not a parameter here",
        "tenant": "is required",
        "prefix": "must have at most 8 characters",
        "limit": "may be given only once",
        "deep": "must be true or false",
        "order": "must be one of: newest, oldest",
        "tag": "must have at most 3 items",
        "version": "each must be an integer",
        "kind": "each must be one of: json, text",
    }


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("1", True), ("false", False), ("0", False)]
)
def test_booleans(text: str, value: bool) -> None:
    assert query(Search, [("deep", text)], path="p", tenant="t").deep is value


@pytest.mark.parametrize("text", ["", "True", "TRUE", "yes", "on", "2", "01", " true", "null"])
def test_what_is_no_boolean(text: str) -> None:
    assert fields(f"deep={quote(text)}", path="p", tenant="t") == {"deep": "must be true or false"}


@pytest.mark.parametrize(
    "text", ["", "+5", "05", "5.0", "1e2", "0x5", "1_0", " 5", "\u0665", "--5", "9" * 5000, "null"]
)
def test_what_is_no_integer(text: str) -> None:
    found = fields(f"limit={quote(text)}", path="p", tenant="t")
    assert found == {"limit": "must be an integer"}


@pytest.mark.parametrize("text", ["0", "-1", "201", "9" * 19])
def test_integers_out_of_range(text: str) -> None:
    assert fields(f"limit={text}", path="p", tenant="t") == {"limit": "must be 1 to 200"}


class Head(Struct):
    expect: Annotated[str, Meta(pattern="^[0-9]+:[0-9a-f]+$", description="SEQ:HASH")] | None = None


def test_a_form_is_told_where_the_field_may_be_left_out() -> None:
    assert fields("expect=foo", Head) == {"expect": "must be SEQ:HASH"}


def test_items_out_of_range() -> None:
    assert fields("version=0", path="p", tenant="t") == {"version": "each must be at least 1"}


def test_a_given_field_is_no_parameter_even_when_it_is_empty() -> None:
    found = fields("from=x", path="p", tenant="t", from_=None)
    assert found == {"from": "is not a parameter here"}


def test_a_sentence_of_the_type_itself() -> None:
    assert query(Range, [("low", "1"), ("high", "1")]) == Range(1, 1)
    assert fields("low=2&high=1", Range) == {"query": "high must not be below low"}


def test_faults_are_bounded_and_never_quote_a_value() -> None:
    pairs = "&".join(f"x{n}=hunter2" for n in range(MAX_PARAMETERS))
    found = fields(pairs, path="p", tenant="t")
    assert len(found) == MAX_FAULTS
    assert "hunter2" not in repr(fields("order=hunter2&limit=hunter2", path="p", tenant="t"))


def test_text_forms() -> None:
    assert parse_query(b"") == []
    assert parse_query(b"a=1&&b&c=&=d&e=f=g") == [
        ("a", "1"),
        ("b", ""),
        ("c", ""),
        ("", "d"),
        ("e", "f=g"),
    ]
    assert parse_query(b"a+b=c+d%2Be") == [("a b", "c d+e")]


def test_escapes_are_decoded_once() -> None:
    assert parse_query(b"a=%2541%26%3D") == [("a", "%41&=")]
    assert parse_query(b"p=x%2Fy%00") == [("p", "x/y\x00")]


@pytest.mark.parametrize("raw", [b"a=%", b"a=%4", b"a=%zz", b"%=1", b"a=%%41", b"a=% 41"])
def test_a_broken_escape_is_refused(raw: bytes) -> None:
    assert reason(raw) == "percent"


@pytest.mark.parametrize("raw", [b"a=%ff", b"a=\xff", b"a=%c0%af", b"%ed%a0%80=1", b"a=%e2%82"])
def test_what_is_not_utf8_is_refused(raw: bytes) -> None:
    assert reason(raw) == "utf8"


def test_the_number_of_parameters_is_limited() -> None:
    assert len(parse_query(b"&".join([b"a=1"] * MAX_PARAMETERS))) == MAX_PARAMETERS
    assert reason(b"&".join([b"a=1"] * (MAX_PARAMETERS + 1))) == "too_many_parameters"
    assert reason(b"&" * 32_000) == "too_many_parameters"


names = st.text(st.characters(exclude_categories=["Cs"]))


@given(st.lists(st.tuples(names, names), max_size=10))
def test_what_a_client_encodes_comes_back(pairs: list[tuple[str, str]]) -> None:
    assert parse_query(urlencode(pairs).encode()) == pairs
    assert parse_query(urlencode(pairs, quote_via=quote).encode()) == pairs


@given(st.binary(max_size=40))
def test_any_bytes_are_pairs_or_a_refusal(raw: bytes) -> None:
    try:
        pairs = parse_query(raw)
    except Refusal as refusal:
        reasons = refusal.details
        pairs = []
    else:
        reasons = {}
    assert reasons in ({}, {"reason": "percent"}, {"reason": "utf8"})
    assert len(pairs) <= raw.count(b"&") + 1
