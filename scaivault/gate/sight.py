"""Where a caller can hold a permission at all, so that a list need not ask about every path.

A span is a half-open range of paths in byte order. Outside of the spans the decision is no;
inside one that is ``whole`` it is yes for every path; in the others each path has to be asked
about. Spans are in order and apart from each other. Property tests hold them to the decision.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache, reduce
from itertools import islice
from operator import itemgetter
from typing import Final, NamedTuple

from scaivault.gate.anyof import any_of
from scaivault.gate.globs import compile as compiled

_BEHIND: Final = "\x7f"  # sorts behind every character of a path
_NEXT: Final = "\x00"  # sorts before every one of them
_first: Final = itemgetter(0)
_beyond: Final = itemgetter(1)


class Span(NamedTuple):
    """Paths from ``first`` on and before ``beyond``."""

    first: str
    beyond: str
    whole: bool


Spans = tuple[Span, ...]


class Sight(NamedTuple):
    """``allows``: the decision for one path, asked of each that is told; ``fits``: what it will be,
    for paths that are only counted, and before the decision where many may not be told. ``key``:
    two sights with the same see the same."""

    spans: Spans
    fits: Callable[[str], bool]
    allows: Callable[[str], bool]
    key: Hashable


def behind(path: str) -> str:
    """What a span begins with that holds everything behind ``path``."""
    return path + _NEXT


def below(prefix: str, *, whole: bool = True) -> Span:
    """All paths that begin with ``prefix``."""
    return Span(prefix, prefix + _BEHIND, whole)


EVERYTHING: Final[Spans] = (below(""),)


@lru_cache(maxsize=256)
def matched(patterns: frozenset[str]) -> Spans:
    """The spans of what any of these legal patterns fits."""
    spans = [_span(pattern) for pattern in patterns]
    whole = _outermost(span for span in spans if span.whole)
    rest = _outermost(span for span in spans if not span.whole)
    return tuple(sorted(whole + [piece for span in rest for piece in _without(span, whole)]))


def common(one: Spans, other: Spans) -> Spans:
    """What lies in both; whole where both are."""
    found: list[Span] = []
    left, right = list(reversed(one)), list(reversed(other))
    while left and right:
        a, b = left[-1], right[-1]
        first, beyond = max(a.first, b.first), min(a.beyond, b.beyond)
        if first < beyond:
            found.append(Span(first, beyond, a.whole and b.whole))
        (left if a.beyond <= b.beyond else right).pop()
    return tuple(found)


def in_sight(demands: list[frozenset[str]], allowed: Callable[[str], bool]) -> Sight:
    """The paths that one pattern of each set fits; ``allowed`` is the decision."""
    spans = reduce(common, map(matched, demands), EVERYTHING)
    tests = [any_of(patterns).fits for patterns in demands]

    def fits(path: str) -> bool:
        return all(test(path) for test in tests)

    return Sight(spans, tests[0] if len(tests) == 1 else fits, allowed, tuple(demands))


def _span(pattern: str) -> Span:
    glob = compiled(pattern)
    if glob.literal_prefix == pattern:
        return Span(pattern, behind(pattern), whole=True)
    rest = pattern.removeprefix(glob.literal_prefix)
    at_edge = not glob.literal_prefix or glob.literal_prefix.endswith("/")
    return below(glob.literal_prefix, whole=at_edge and rest == "**")


def _outermost(spans: Iterable[Span]) -> list[Span]:
    """Without those that lie in another; spans of two patterns never overlap otherwise."""
    found: list[Span] = []
    end = ""
    for span in sorted(sorted(spans, key=_beyond, reverse=True), key=_first):
        if span.beyond > end:
            found.append(span)
            end = span.beyond
    return found


def _without(span: Span, whole: list[Span]) -> list[Span]:
    """What is left of a span beside those that are whole: in it, or around it."""
    left: list[Span] = []
    at = span.first
    for taken in islice(whole, bisect_right(whole, at, key=_beyond), None):
        if taken.first >= span.beyond:
            break
        if at < taken.first:
            left.append(span._replace(first=at, beyond=taken.first))
        at = taken.beyond
    if at < span.beyond:
        left.append(span._replace(first=at))
    return left
