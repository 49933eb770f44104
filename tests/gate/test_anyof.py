"""The automaton says of every path what its patterns say one by one, also once it starts anew."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.gate import anyof, globs
from scaivault.gate.anyof import AnyOf
from tests.gate.test_globs import MORE, TABLE, paths, patterns

ALL = frozenset(pattern for pattern, _, _ in TABLE + MORE)


def expected(known: frozenset[str], path: str) -> bool:
    return any(globs.matches(pattern, path) for pattern in known)


@pytest.mark.parametrize("pattern", sorted(ALL))
def test_the_table_one_by_one(pattern: str) -> None:
    automaton = AnyOf(frozenset((pattern,)))
    for _, path, _ in TABLE + MORE:
        assert automaton.fits(path) is globs.matches(pattern, path)


@settings(max_examples=400)
@given(st.frozensets(patterns, max_size=8), st.lists(paths, min_size=1, max_size=20))
def test_it_fits_what_one_of_its_patterns_fits(known: frozenset[str], some: list[str]) -> None:
    automaton = AnyOf(known)
    for path in (*some, *some):  # on the second walk every step is known
        assert automaton.fits(path) is expected(known, path)


@settings(max_examples=100)
@given(st.frozensets(patterns, min_size=1, max_size=8), st.lists(paths, min_size=1, max_size=20))
def test_it_keeps_little_and_forgets_without_harm(known: frozenset[str], some: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(anyof, "_MOST", 3)
        patch.setattr(anyof, "_NAMED", 1)
        automaton = AnyOf(known)
        for path in some:
            assert automaton.fits(path) is expected(known, path)
            assert len(automaton._states) <= 4
            assert len(automaton._start.after) <= 4


def test_segments_that_no_pattern_names_make_no_states() -> None:
    automaton = AnyOf(frozenset(("**/prod/**", "*/x", "a/**/b")))
    for n in range(1000):
        automaton.fits(f"team-{n}/app-{n}/key-{n}")
    assert len(automaton._states) < 10
