"""The tree of patterns finds what each pattern by itself would match."""

from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.gate import globs
from scaivault.gate.trie import Trie
from tests.gate.test_globs import MORE, TABLE, paths, patterns


def test_the_table_in_one_tree() -> None:
    every = {pattern for pattern, _, _ in TABLE + MORE}
    trie = Trie({pattern: pattern for pattern in every})
    for _, path, _ in TABLE + MORE:
        expected = sorted(pattern for pattern in every if globs.matches(pattern, path))
        assert sorted(trie.matching(path)) == expected


@settings(max_examples=400)
@given(st.sets(patterns, max_size=12), st.lists(paths, min_size=1, max_size=4))
def test_the_tree_finds_what_each_pattern_matches(every: set[str], some: list[str]) -> None:
    trie = Trie({pattern: pattern for pattern in every})
    for path in some:
        expected = sorted(pattern for pattern in every if globs.matches(pattern, path))
        assert sorted(trie.matching(path)) == expected


def test_an_empty_tree_finds_nothing() -> None:
    assert Trie[str]({}).matching("retail/live") == []
