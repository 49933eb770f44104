"""However tokens are narrowed, one after the other: each may do less than the one before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scaivault.gate.rules import reaches
from scaivault.identity.model import SCOPES
from scaivault.identity.oauth.issued import shrunk
from scaivault.identity.tokens.minting import narrowed

WORDS = st.lists(st.sampled_from([*SCOPES, "openid", "Admin"]), max_size=6)
GLOBS = st.lists(
    st.sampled_from(["**", "a/**", "a/*", "b/**", "*/b", "a/b", "**/c"]), max_size=3, unique=True
)
PATHS = ("a", "a/b", "a/b/c", "b/c", "c")


@given(st.frozensets(st.sampled_from(SCOPES), min_size=1), st.lists(WORDS, max_size=4))
def test_scopes(held: frozenset[str], asked: list[list[str]]) -> None:
    for words in asked:
        given_now = frozenset(shrunk(" ".join(words), held))
        assert given_now <= held or "admin" in held
        assert "admin" not in given_now - held
        if words:
            assert given_now <= set(words)
        else:
            assert given_now == held
        held = given_now


@given(st.lists(GLOBS, max_size=5))
def test_paths(further: list[list[str]]) -> None:
    lists: tuple[tuple[str, ...], ...] = ()
    for globs in further:
        before = {path for path in PATHS if reaches(lists, path)}
        lists = narrowed(lists, tuple(globs))
        now = {path for path in PATHS if reaches(lists, path)}
        assert now <= before
        if globs:
            assert all(reaches((tuple(globs),), path) for path in now)
