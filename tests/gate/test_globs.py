"""What patterns match, and which are none."""

import re
from typing import SupportsIndex

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaivault.errors import Refusal
from scaivault.gate.globs import Glob, Wild, check_glob, compile, matches  # noqa: A004

TABLE = [
    ("retail/live/card", "retail/live/card", True),
    ("retail/live/card", "retail/live/card/v2", False),
    ("retail/live/card", "retail/live/cards", False),
    ("*", "retail", True),
    ("*", "retail/live", False),
    ("retail/*", "retail/live", True),
    ("retail/*", "retail/live/card", False),
    ("retail/*", "retail", False),
    ("*/live/*", "retail/live/card", True),
    ("retail/db-*", "retail/db-7", True),
    ("retail/db-*", "retail/db-", False),
    ("retail/*-db", "retail/eu-db", True),
    ("retail/*-db", "retail/-db", False),
    ("retail/a*z", "retail/abcz", True),
    ("retail/a*z", "retail/az", False),
    ("retail/node-?", "retail/node-7", True),
    ("retail/node-?", "retail/node-12", False),
    ("retail/node-?", "retail/node-", False),
    ("retail?live", "retail/live", False),
    ("retail/**", "retail/live", True),
    ("retail/**", "retail/live/eu/card", True),
    ("retail/**", "retail", False),
    ("retail/**", "lab/retail/live", False),
    ("retail/**", "retailer/live", False),
    ("**", "retail", True),
    ("**", "retail/live/eu/card", True),
    ("**/tls/*", "edge/tls/leaf", True),
    ("**/tls/*", "edge/eu/tls/leaf", True),
    ("**/tls/*", "tls/leaf", False),
    ("**/tls/*", "edge/tls/leaf/key", False),
    ("**/card", "retail/card", True),
    ("**/card", "card", False),
    ("retail/**/card", "retail/card", True),
    ("retail/**/card", "retail/live/eu/card", True),
    ("retail/**/card", "retail/live/card/v2", False),
    ("retail/**/card/**", "retail/card/v2", True),
    ("retail/**/card/**", "retail/card", False),
    ("retail/*/**", "retail/live", False),
    ("retail/*/**", "retail/live/card", True),
    ("**/*", "retail", False),
    ("**/*", "retail/live", True),
    ("retail/*.pem", "retail/leaf-pem", False),
    ("retail/_*", "retail/_x", True),
]
"""Pattern, path, whether it matches: the contract's own cases."""

MORE = [
    ("**/a/**", "x/a/y", True),
    ("**/a/**", "a/a/a", True),
    ("**/a/**", "x/a", False),
    ("**/a/**", "a/y", False),
    ("a/**/b/**/c", "a/b/c", True),
    ("a/**/b/**/c", "a/c/b/x/b/c", True),
    ("a/**/b/**/c", "a/c/b", False),
    ("a/**/a", "a", False),
    ("a/**/a", "a/a", True),
    ("a/**/b/c/**/d", "a/b/b/c/d", True),
    ("a/**/*", "a/b", True),
    ("a/**/*", "a", False),
    ("*a*", "bab", True),
    ("*a*", "ab", False),
    ("*a*", "ba", False),
    ("*a*b*", "xaxbx", True),
    ("*a*b*", "xabx", False),
    ("a*?", "abc", True),
    ("a*?", "ab", False),
    ("?*?", "abc", True),
    ("?*?", "ab", False),
    ("*ab?*", "xababcx", True),
    ("a?*b?", "axybz", True),
    ("???", "abc", True),
    ("???", "ab", False),
    ("a.b", "a-b", False),
]


@pytest.mark.parametrize(("pattern", "path", "expected"), TABLE + MORE)
def test_table(pattern: str, path: str, expected: bool) -> None:
    check_glob(pattern)
    assert matches(pattern, path) is expected
    assert compile(pattern).matches(path) is expected


def model(pattern: str, path: str) -> bool:
    """The rules of the table at the module's head, tried one way after the other."""
    return pattern == "**" or fits_all(pattern.split("/"), path.split("/"), first=True)


def fits_all(patterns: list[str], segments: list[str], *, first: bool = False) -> bool:
    if not patterns:
        return not segments
    if patterns[0] != "**":
        return (
            bool(segments)
            and fits_one(patterns[0], segments[0])
            and fits_all(patterns[1:], segments[1:])
        )
    at_least = 1 if first or len(patterns) == 1 else 0
    return any(
        fits_all(patterns[1:], segments[taken:]) for taken in range(at_least, len(segments) + 1)
    )


def fits_one(pattern: str, segment: str) -> bool:
    if not pattern:
        return not segment
    if pattern[0] == "*":
        return any(fits_one(pattern[1:], segment[n:]) for n in range(1, len(segment) + 1))
    return bool(segment) and pattern[0] in {"?", segment[0]} and fits_one(pattern[1:], segment[1:])


wild_segments = st.text(alphabet="ab-*?", min_size=1, max_size=6).filter(lambda s: "**" not in s)
glob_segments = st.lists(st.just("**") | wild_segments, min_size=1, max_size=6)
patterns = glob_segments.map("/".join).filter(lambda pattern: "**/**" not in pattern)
paths = st.lists(st.text(alphabet="ab-", min_size=1, max_size=5), min_size=1, max_size=7).map(
    "/".join
)


@settings(max_examples=1000)
@given(patterns, paths)
@example("*a?*b", "xabab")
@example("**/a/b/**/a/**", "a/a/b/a/b/a/a")
def test_a_pattern_matches_what_the_model_matches(pattern: str, path: str) -> None:
    assert Glob(pattern).matches(path) is model(pattern, path)


@settings(max_examples=1000)
@given(
    st.text(alphabet="ab*?", min_size=1, max_size=6).filter(lambda s: "**" not in s),
    st.text(alphabet="ab", min_size=1, max_size=7),
)
def test_a_segment_fits_as_the_model_says(pattern: str, segment: str) -> None:
    assert Wild(pattern).fits(segment) is fits_one(pattern, segment)


@given(paths, st.data())
def test_a_path_matches_itself_with_anything_starred(path: str, data: st.DataObject) -> None:
    segments = path.split("/")
    place = data.draw(st.integers(0, len(segments) - 1))
    assert matches(path, path)
    assert matches("/".join([*segments[:place], "*", *segments[place + 1 :]]), path)
    assert matches("/".join([*segments[:place], "**"]), path)


@given(wild_segments, st.text(alphabet="ab-", min_size=1, max_size=8))
def test_head_and_tail_are_demanded_of_whatever_fits(pattern: str, segment: str) -> None:
    wild = Wild(pattern)
    if wild.fits(segment):
        assert segment.startswith(wild.head)
        assert segment.endswith(wild.tail)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("", "empty"),
        ("/retail/**", "leading_slash"),
        ("/", "leading_slash"),
        ("retail/", "empty_segment"),
        ("retail//card", "empty_segment"),
        *((bad, "character") for bad in ("Retail/*", "retail/[ab]", "retail/{a,b}")),
        *((bad, "character") for bad in ("!retail/**", "retail/%2f", "retail/a b", "a\n")),
        *((bad, "character") for bad in ("retail\\*", "caf\u00e9/*", "a\x00", "\uff0a")),
        ("retail/../lab", "dot_segment"),
        ("./retail", "dot_segment"),
        ("retail/..", "dot_segment"),
        ("retail/a**", "double_star"),
        ("retail/***", "double_star"),
        ("**retail/x", "double_star"),
        ("retail/**/**", "double_star"),
        ("**/**", "double_star"),
        ("a/b**c/d", "double_star"),
        ("/".join("abcdefghijk"), "too_deep"),
        ("**/" + "/".join("abcdefghij"), "too_deep"),
        ("a" * 513, "too_long"),
        ("a/" + "*a" * 256, "too_long"),
    ],
)
def test_refused(pattern: str, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_glob(pattern, "rules.0.path_pattern")
    assert caught.value.code == "invalid_glob"
    assert caught.value.details == {
        "field": "rules.0.path_pattern",
        "pattern": pattern[:512],
        "reason": expected,
    }
    with pytest.raises(Refusal, match="not a valid pattern"):
        compile(pattern)


@pytest.mark.parametrize("pattern", ["a.b/*.pem", "...", "a" * 512, "**/" + "/".join("abcdefghi")])
def test_legal(pattern: str) -> None:
    check_glob(pattern)


@given(st.text(alphabet="a*?./A", max_size=12) | st.text(max_size=5))
def test_a_pattern_is_refused_or_compiles(pattern: str) -> None:
    try:
        check_glob(pattern)
    except Refusal:
        with pytest.raises(Refusal):
            Glob(pattern)
        return
    assert re.fullmatch(r"[a-z0-9_/*?.-]{1,512}", pattern)
    Glob(pattern).matches("a/a/a")


class Counted(str):
    """A segment that counts how many characters are looked at in it."""

    __slots__ = ("looked",)

    looked: int

    def startswith(self, chunk: str, at: int = 0) -> bool:  # type: ignore[override]  # as used
        self.looked += len(chunk)
        return super().startswith(chunk, at)

    def __getitem__(self, key: SupportsIndex | slice) -> str:
        part = super().__getitem__(key)
        self.looked += len(part)
        return part


@pytest.mark.parametrize(
    ("pattern", "segment"),
    [
        ("*a?" * 80 + "*b", "a" * 500),
        ("*" + "a?" * 100 + "*b", "a" * 500),
        ("*?" * 200 + "b", "a" * 511),
        ("a*" + "?b" * 120 + "*", "ab" * 250),
    ],
)
def test_a_hostile_pattern_costs_at_most_the_product_of_the_lengths(
    pattern: str, segment: str
) -> None:
    counted = Counted(segment)
    counted.looked = 0
    Wild(pattern).fits(counted)
    assert 0 < counted.looked <= len(pattern) * len(segment)


def test_hostile_depth_is_compared_segment_by_segment_once() -> None:
    compared = 0

    def never(_: str) -> bool:
        nonlocal compared
        compared += 1
        return False

    glob = Glob("**/a/**/a/**/a/**/a/**")
    for group in glob._middle:
        group[0] = never
    assert not glob.matches("/".join("a" * 10))
    assert 0 < compared <= 10 * 10


@pytest.mark.parametrize(
    ("pattern", "prefix"),
    [("retail/live", "retail/live"), ("retail/**", "retail/"), ("a/b-*/c", "a/b-"), ("**", "")],
)
def test_literal_prefix(pattern: str, prefix: str) -> None:
    assert compile(pattern).literal_prefix == prefix
    assert str(compile(pattern)) == pattern
