"""The grammar of paths, in memory and in the undecoded request target."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scaivault.errors import Refusal
from scaivault.gate import paths
from scaivault.gate.paths import check_path, check_prefix, path_from_target

DEEP = "/".join("abcdefghij")
LONG = "/".join(["a" * 255, "b" * 256])


def reason(path: str) -> str:
    with pytest.raises(Refusal) as caught:
        check_path(path)
    assert caught.value.code == "invalid_path"
    assert caught.value.details == {"path": path[:512], "reason": caught.value.details["reason"]}
    return str(caught.value.details["reason"])


@pytest.mark.parametrize(
    "path",
    [
        *("a", "retail/live/card-gateway", "-", "_", "0", "a--b/__/9", DEEP, LONG, "a" * 512),
        *("my-batch/a", "a/metadata", "versions/a", "a/batch", "a/expiring", "restore/a"),
        *("rotate/a", "versions/metadata", "metadata-x/a", "metadatas", "batches", "a/xversions"),
        *("a/versions/b", "a/versions-2", "versions_", "expiring-soon/rotate-me", "a/rotate/b"),
    ],
)
def test_legal(path: str) -> None:
    check_path(path)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", "empty"),
        ("/a", "leading_slash"),
        ("/", "leading_slash"),
        ("//", "leading_slash"),
        ("a/", "trailing_slash"),
        ("a//", "trailing_slash"),
        ("a//b", "empty_segment"),
        ("a b", "character"),
        ("a.b", "character"),
        ("a/...", "character"),
        ("a\\b", "character"),
        ("a\x00b", "character"),
        ("a\n", "character"),
        ("a/*", "character"),
        ("caf\u00e9", "character"),
        ("cafe\u0301", "character"),
        ("\uff41", "character"),
        ("a/\u017f", "character"),
        ("a/\u0130", "character"),
        ("a;b", "character"),
        ("A", "case"),
        ("a/bC", "case"),
        ("a%2fb", "encoding"),
        ("a%", "encoding"),
        ("%2e%2e/a", "encoding"),
        ("a%252fb", "encoding"),
        (".", "dot_segment"),
        ("..", "dot_segment"),
        ("a/../b", "dot_segment"),
        ("a/.", "dot_segment"),
        ("./a", "dot_segment"),
        (DEEP + "/k", "too_deep"),
        (LONG + "b", "too_long"),
        ("a" * 513, "too_long"),
        *((word, "reserved") for word in ("metadata", "batch", "expiring")),
        *((word, "reserved") for word in ("versions", "restore", "rotate")),
        *((f"{word}/a", "reserved") for word in ("metadata", "batch", "expiring")),
        *((f"a/b/{word}", "reserved") for word in ("versions", "restore", "rotate")),
        ("metadata/a/rotate", "reserved"),
        ("expiring/batch", "reserved"),
    ],
)
def test_refused(path: str, expected: str) -> None:
    assert reason(path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("../%2E", "encoding"),
        ("/../A", "dot_segment"),
        ("/a/", "leading_slash"),
        ("a//b/", "trailing_slash"),
        ("a//B", "empty_segment"),
        ("A b", "character"),
        ("metadata/A", "case"),
        ("A" * 513, "case"),
        (DEEP + "/" + "k" * 500, "too_deep"),
        ("metadata/" + "a" * 512, "too_long"),
        ("batch/" + DEEP, "too_deep"),
    ],
)
def test_the_first_reason_in_order_is_told(path: str, expected: str) -> None:
    assert reason(path) == expected


def model(path: str) -> bool:
    """The grammar, said once more and slowly."""
    segments = path.split("/")
    return (
        all(segments)
        and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-_" for s in segments for c in s)
        and len(segments) <= 10
        and len(path) <= 512
        and segments[0] not in {"metadata", "batch", "expiring"}
        and segments[-1] not in {"versions", "restore", "rotate"}
    )


words = st.sampled_from(
    [
        *("metadata", "batch", "expiring", "versions", "restore", "rotate", "a", "b-1", "_"),
        *("x" * 60, "A", "", ".", "..", "%2e", "\u00e9", "a b"),
    ]
)
likely = st.lists(words, max_size=12).map("/".join)


@given(likely | st.text(alphabet="ab/-_.%A\x00\u00e9", max_size=20) | st.text())
@example("a\n")
def test_accepted_as_the_model_says(path: str) -> None:
    if model(path):
        check_path(path)
        check_prefix(path)
    else:
        reason(path)


@given(likely | st.text())
def test_every_beginning_of_a_legal_path_is_a_legal_prefix(path: str) -> None:
    if model(path):
        for end in range(len(path) + 1):
            check_prefix(path[:end])


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "metadata/", "a/rotate", DEEP, LONG])
def test_prefix(prefix: str) -> None:
    check_prefix(prefix)


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("/", "leading_slash"),
        ("/a/", "leading_slash"),
        ("a//", "empty_segment"),
        ("a/*", "character"),
        ("a/**", "character"),
        ("A/", "case"),
        ("a%2f", "encoding"),
        ("a/../", "dot_segment"),
        ("..", "dot_segment"),
        (DEEP + "/", "too_deep"),
        (LONG + "b", "too_long"),
        ("a" * 512 + "/", "too_long"),
    ],
)
def test_prefix_refused(prefix: str, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_prefix(prefix)
    assert caught.value.code == "invalid_path"
    assert caught.value.details["reason"] == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", "empty"),
        (b"retail%2flive", "encoding"),
        (b"retail/%6c", "encoding"),
        (b"%00", "encoding"),
        (b"retail/%c3%a9", "encoding"),
        (b"retail/%252e%252e/x", "encoding"),
        (b"retail/../lab", "dot_segment"),
        (b"retail/./lab", "dot_segment"),
        (b"retail//lab", "empty_segment"),
        (b"retail/", "trailing_slash"),
        (b"/retail", "leading_slash"),
        (b"retail/Live", "case"),
        (b"retail\x00", "character"),
        (b"retail/caf\xc3\xa9", "character"),
        (b"retail/\xff", "character"),
        (b"retail+live", "character"),
        (b"retail;v=1", "character"),
        (b"retail#x", "character"),
        (b"metadata", "reserved"),
    ],
)
def test_target_refused(raw: bytes, expected: str) -> None:
    with pytest.raises(Refusal) as caught:
        path_from_target(raw)
    assert caught.value.details["reason"] == expected


@given(likely.map(lambda text: text.encode()) | st.binary(max_size=40))
def test_a_target_is_taken_as_it_is_or_refused(raw: bytes) -> None:
    try:
        path = path_from_target(raw)
    except Refusal:
        assert not model(raw.decode("ascii", "replace"))
        return
    assert path.encode() == raw
    assert model(path)


def test_the_echo_of_a_bad_path_is_cut() -> None:
    with pytest.raises(Refusal) as caught:
        path_from_target(b"x%" * 20_000)
    assert len(caught.value.details["path"]) == 512


def test_no_group_is_possessive() -> None:
    """Python 3.11.2 takes `a/` and `a/versions` then; newer ones would not show it."""
    for matcher in (paths._path, paths._prefix):
        assert not re.search(r"[)}][+*?]?\+", matcher.__self__.pattern)  # type: ignore[attr-defined]
