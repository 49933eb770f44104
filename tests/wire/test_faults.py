"""Bodies into types: all faults at once, in words that never quote the value."""

from __future__ import annotations

import enum
import json
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from scaivault.errors import Refusal
from scaivault.wire.faults import MAX_FAULTS, decode

Number = Annotated[int, Meta(ge=1, le=100)]
Name = Annotated[str, Meta(min_length=1, max_length=8)]


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


class Options(Struct, forbid_unknown_fields=True):
    max_versions: Number = 10
    ratio: Annotated[float, Meta(gt=0, lt=1)] = 0.5
    mode: Mode = Mode.SAFE
    expires_at: str | UnsetType | None = UNSET


class Rule(Struct, forbid_unknown_fields=True):
    path: Annotated[str, Meta(pattern="^[a-z/]+$", max_length=16)]
    permissions: Annotated[list[Literal["read", "write"]], Meta(min_length=1, max_length=2)]


class Basic(Struct, tag="basic", tag_field="kind", forbid_unknown_fields=True):
    user: str


class Bearer(Struct, tag="bearer", tag_field="kind", forbid_unknown_fields=True):
    token: str


class Body(Struct, forbid_unknown_fields=True, rename={"from_": "from"}):
    name: Name
    from_: str = ""
    active: bool = True
    data: Raw | UnsetType = UNSET
    options: Options = msgspec.field(default_factory=Options)
    rules: Annotated[list[Rule], Meta(max_length=60)] = []
    labels: dict[str, Number] = {}
    notify: list[str] | Literal["never"] | None = None
    auth: Basic | Bearer | None = None
    hosts: tuple[Name, ...] = ()


class Patch(Struct, forbid_unknown_fields=True):
    title: str | UnsetType = UNSET
    owner: str | UnsetType | None = UNSET


class Window(Struct):
    first: int
    last: int

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise ValueError("last must not lie before first")


class Windows(Struct):
    main: Window
    others: list[Window] = []
    limit: Number = 1


class Chosen(Struct):
    one: int = 0

    def __post_init__(self) -> None:
        if self.one == 13:
            raise Refusal("invalid_policy", "thirteen is no rule", field="one")


def fields(body: object, type_: type[Struct] = Body) -> dict[str, str]:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(Refusal) as caught:
        decode(raw, type_)
    assert caught.value.code == "validation_error"
    found = caught.value.details["fields"]
    assert isinstance(found, dict)
    return found


def test_the_message_tells_the_first_faults_and_counts_the_rest() -> None:
    sent = b'{"a":1,"b":1,"c":1,"d":1,"name":"n","from":"f"}'
    with pytest.raises(Refusal) as caught:
        decode(sent, Body)
    fault = "is not a field here"
    assert caught.value.message == f"a: {fault}; b: {fault}; c: {fault}; 1 more in details.fields"
    with pytest.raises(Refusal, match=r"^name: is required$"):
        decode(b'{"from":"f"}', Body)


class Noted(Struct):
    head: Annotated[str, Meta(pattern="^[0-9]+:[0-9a-f]+$", description="SEQ:HASH")]


@pytest.mark.parametrize(("sent", "fault"), [("12", "must be SEQ:HASH"), (12, "must be a string")])
def test_a_pattern_with_a_description_says_what_it_wants(sent: object, fault: str) -> None:
    assert fields({"head": sent}, Noted) == {"head": fault}


def test_a_good_body_becomes_its_type() -> None:
    body = decode(b'{"name":"a","from":"b","options":{"mode":"fast"},"data":{"n":1e5}}', Body)
    assert (body.name, body.from_, body.options.mode) == ("a", "b", Mode.FAST)
    assert isinstance(body.data, Raw)
    assert bytes(body.data) == b'{"n":1e5}'


def test_all_faults_at_once() -> None:
    body = {
        "nmae": "typo",
        "active": "yes",
        "options": {"max_versions": 1000, "mode": "slow", "ratio": 1, "extra": 1},
        "rules": [
            {"path": "A", "permissions": ["read", "fly"]},
            {"permissions": []},
            "text",
        ],
        "labels": {"a": 1, "b": 0},
        "hosts": ["fine", "", 3],
    }
    assert fields(body) == {
        "nmae": "is not a field here",
        "active": "must be true or false",
        "options.max_versions": "must be 1 to 100",
        "options.mode": "must be one of: fast, safe",
        "options.ratio": "must be above 0 and below 1",
        "options.extra": "is not a field here",
        "rules[0].path": "has a form that is not allowed here",
        "rules[0].permissions[1]": "must be one of: read, write",
        "rules[1].permissions": "must have 1 to 2 items",
        "rules[1].path": "is required",
        "rules[2]": "must be an object",
        "labels.b": "must be 1 to 100",
        "hosts[1]": "must have 1 to 8 characters",
        "hosts[2]": "must be a string",
        "name": "is required",
    }


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        (0, "must be 1 to 100"),
        (101, "must be 1 to 100"),
        (10**30, "must be 1 to 100"),
        (-5, "must be 1 to 100"),
        (1.5, "must be an integer"),
        (1.0, "must be an integer"),
        ("1", "must be an integer"),
        (True, "must be an integer"),
        ([], "must be an integer"),
    ],
)
def test_integers_are_strict(value: object, fault: str) -> None:
    found = fields({"name": "a", "options": {"max_versions": value}})
    assert found == {"options.max_versions": fault}


@pytest.mark.parametrize("body", [b"[]", b'"a"', b"null", b"1", b"true"])
def test_a_body_that_is_no_object(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decode(body, Body)
    assert (caught.value.code, caught.value.details) == (
        "invalid_request",
        {"reason": "not_an_object"},
    )


@pytest.mark.parametrize("body", [b"", b"{", b'{"name":"\xff"}', b'{"name":"a"} x'])
def test_text_that_is_no_json(body: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        decode(body, Body)
    assert (caught.value.code, caught.value.details) == ("invalid_request", {"reason": "json"})


def test_null_is_absent_where_the_field_has_a_default() -> None:
    wide = (
        b'{"name":"a","from":null,"active":null,"options":{"max_versions":null,'
        b'"expires_at":null},"rules":null,"labels":null,"notify":null,"auth":null,"hosts":null}'
    )
    body = decode(wide, Body)
    assert (body.from_, body.active, body.rules, body.hosts) == ("", True, [], ())
    assert (body.options.max_versions, body.options.expires_at) == (10, None)


def test_null_is_missing_where_the_field_is_required() -> None:
    assert fields({"name": None}) == {"name": "is required"}
    body = {"name": "a", "rules": [{"path": None, "permissions": ["read"]}]}
    assert fields(body) == {"rules[0].path": "is required"}


def test_null_in_a_list_or_a_map_is_a_fault() -> None:
    body = {"name": "a", "labels": {"x": None}, "hosts": [None], "rules": [None]}
    assert fields(body) == {
        "labels.x": "must be an integer",
        "hosts[0]": "must be a string",
        "rules[0]": "must be an object",
    }


def test_dropping_a_null_keeps_the_spelling_of_the_rest() -> None:
    body = decode(b'{"active":null,"name":"a","data":{"n":1.50,"m":%s}}' % (b"9" * 5000), Body)
    assert isinstance(body.data, Raw)
    assert bytes(body.data) == b'{"n":1.50,"m":' + b"9" * 5000 + b"}"


def test_patch_clears_only_what_can_be_empty() -> None:
    assert decode(b'{"owner":null}', Patch).owner is None
    assert decode(b"{}", Patch).owner is UNSET
    assert fields({"title": None, "owner": 1}, Patch) == {
        "title": "must not be null",
        "owner": "must be a string",
    }


def test_unions_are_chosen_by_kind() -> None:
    assert decode(b'{"name":"a","notify":"never"}', Body).notify == "never"
    assert fields({"name": "a", "notify": ["x", 1]}) == {"notify[1]": "must be a string"}
    assert fields({"name": "a", "notify": "often"}) == {"notify": "must be one of: never"}
    assert fields({"name": "a", "notify": 5}) == {"notify": "must be a list or a string"}


def test_unions_of_objects_are_chosen_by_tag() -> None:
    auth = decode(b'{"name":"a","auth":{"kind":"bearer","token":"t"}}', Body).auth
    assert isinstance(auth, Bearer)
    assert fields({"name": "a", "auth": {"kind": "basic", "user": 1, "token": "t"}}) == {
        "auth.user": "must be a string",
        "auth.token": "is not a field here",
    }
    unknown = {"auth.kind": "must be one of: basic, bearer"}
    for kind in ({"kind": "digest"}, {"kind": 1}, {"kind": ["basic"]}, {}):
        assert fields({"name": "a", "auth": kind}) == unknown


def test_a_sentence_of_a_type_is_the_fault_of_its_place() -> None:
    words = "last must not lie before first"
    good, bad = {"first": 1, "last": 2}, {"first": 2, "last": 1}
    assert fields({"main": bad}, Windows) == {"main": words}
    assert fields({"main": good, "others": [good, bad]}, Windows) == {"others[1]": words}
    assert fields(bad, Window) == {"body": words}
    assert fields({"main": {"first": "x", "last": 1}}, Windows) == {
        "main.first": "must be an integer"
    }
    assert fields({"main": bad, "limit": 0}, Windows) == {"limit": "must be 1 to 100"}


def test_a_refusal_of_a_type_passes_through() -> None:
    with pytest.raises(Refusal) as caught:
        decode(b'{"one":13}', Chosen)
    assert caught.value.code == "invalid_policy"


def test_faults_are_bounded() -> None:
    assert len(fields({f"x{n}": 1 for n in range(500)})) == MAX_FAULTS
    assert fields({"name": "a", "rules": [1] * 60})["rules[49]"] == "must be an object"
    assert fields({"name": "a", "rules": [1] * 61}) == {"rules": "must have at most 60 items"}


def test_no_more_is_looked_at_than_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body of 1 MiB takes 100,000 names, and some endpoints take it from anybody."""
    looked: list[str] = []

    def shown(name: str) -> str:
        looked.append(name)
        return name

    monkeypatch.setattr("scaivault.wire.faults.shown", shown)
    assert len(fields({f"x{n}": 1 for n in range(5000)})) == MAX_FAULTS
    assert len(looked) < 3 * MAX_FAULTS


def test_a_name_of_the_sender_is_shortened_and_printable() -> None:
    found = fields({"name": "a", "x" * 5000: 1, "a\nb\u202e": 1})
    assert set(found) == {"x" * 64, "a\ufffdb\ufffd"}


SECRET = "hunter2-canary"
NAMES = (
    *("name", "from", "active", "data", "options", "rules", "labels", "notify", "auth", "hosts"),
    *("max_versions", "mode", "path", "permissions", "kind", "user", "token", "first", "last"),
)
hostile = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 200),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from([SECRET, "a", "read", "never", "basic", "fast", ""]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.sampled_from(NAMES),
            inner,
            max_size=6,
        ),
    ),
    max_leaves=25,
)


@given(
    st.dictionaries(
        st.sampled_from([field.encode_name for field in msgspec.structs.fields(Body)]), hostile
    )
)
def test_any_body_is_decoded_or_refused_without_its_values(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    try:
        decode(raw, Body)
    except Refusal as refusal:
        told = refusal.message + repr(refusal.details)
    else:
        told = ""
    assert SECRET not in told
    assert ("validation_error" in told) is False


@given(
    st.dictionaries(
        st.sampled_from([field.encode_name for field in msgspec.structs.fields(Body)]), hostile
    )
)
def test_what_msgspec_takes_is_never_refused(body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    try:
        plain = msgspec.json.decode(raw, type=Body)
    except msgspec.ValidationError:
        return
    assert decode(raw, Body) == plain
