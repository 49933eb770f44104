"""Patterns over subjects: what they mean, and that nobody can make them slow."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.identity.trusts.subject_globs import SubjectGlob, names_nobody

TEXT = st.text(alphabet="ab/:?.", max_size=12)
PATTERNS = st.text(alphabet="ab/:*?.", max_size=10)


@pytest.mark.parametrize(
    ("pattern", "subject", "wanted"),
    [
        ("repo:harbor/shop:*", "repo:harbor/shop:ref:refs/heads/main", True),
        ("repo:harbor/shop:*", "repo:harbor/shop:", True),
        ("repo:harbor/shop:*", "repo:harbor/shop-2:x", False),
        ("repo:harbor/*", "repo:harbor/a/b:c", True),
        ("repo:harbor/*", "xrepo:harbor/a", False),
        ("system:serviceaccount:shop:web-?", "system:serviceaccount:shop:web-1", True),
        ("system:serviceaccount:shop:web-?", "system:serviceaccount:shop:web-", False),
        ("system:serviceaccount:shop:web-?", "system:serviceaccount:shop:web-12", False),
        ("*:ref:*main", "repo:a/b:ref:refs/heads/main", True),
        ("a.b", "axb", False),
        ("a[b]", "ab", False),
        ("a\\*", "a*", False),
        ("main", "main\n", False),
        ("*", "line\nbreak", True),
        ("Ä?", "ÄÖ", True),
        ("a", "A", False),
        ("K", "\N{KELVIN SIGN}", False),
    ],
)
def test_examples(pattern: str, subject: str, wanted: bool) -> None:
    assert SubjectGlob(pattern).matches(subject) is wanted


@given(PATTERNS, TEXT)
def test_as_an_expression_would_have_it(pattern: str, subject: str) -> None:
    words = {"*": ".*", "?": "."}
    expression = "".join(words.get(sign, re.escape(sign)) for sign in pattern)
    expected = re.fullmatch(expression, subject, re.DOTALL) is not None
    assert SubjectGlob(pattern).matches(subject) is expected


@pytest.mark.parametrize("pattern", ["*", "**", "?*", "*?*", "????", ""])
def test_wildcards_alone_name_nobody(pattern: str) -> None:
    assert names_nobody(pattern)


def test_no_pattern_takes_more_than_one_step_for_a_character() -> None:
    """Counted, not timed: the lines that one match runs."""
    counts = []
    for length in (1000, 2000):
        glob = SubjectGlob("*a?" * 300 + "b")
        steps = 0

        def count(_frame: object, event: str, _argument: object) -> object:
            nonlocal steps
            steps += event == "line"
            return count

        sys.settrace(count)  # type: ignore[arg-type]  # its own shape, only wider
        try:
            assert not glob.matches("a" * length)
        finally:
            sys.settrace(None)
        counts.append(steps)
    assert counts[1] <= 2 * counts[0]
