"""Patterns over paths: ``?``, ``*`` and ``**``, anchored at both ends, compared exactly.

======================  ============================================================
``?``                   one character of a segment
``*``                   one or more characters of one segment; alone: any one segment
``**`` alone            every path
``**/`` in front        one or more whole segments
``/**/`` between        zero or more whole segments
``/**`` at the end      one or more segments; not the bare prefix
======================  ============================================================

Matching takes no regular expression. A pattern is groups of segments with gaps (zero or more
segments) between them; a segment is chunks of characters with stars between them. At both
levels the first piece stands at the start, the last at the end, and every other piece is put
as far left as it fits: what fits further right fits behind the leftmost place too, so nothing
is ever tried again. Each pair of a pattern's segment and a path's segment is compared at most
once, in at most the product of their lengths; altogether pattern length times path length.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from scaivault.errors import Refusal

MAX_LENGTH: Final = 512
MAX_SEGMENTS: Final = 10

_foreign: Final = re.compile(r"[^a-z0-9_/*?.-]").search
_wildcard: Final = re.compile(r"[*?]")

_REMEDY: Final = {
    "empty": "name a pattern, such as app/**",
    "leading_slash": "leave out the slash in front",
    "empty_segment": "put something between two slashes and behind the last one",
    "character": "use only a-z 0-9 - _ . / and the wildcards ? * **",
    "dot_segment": "leave out the segments . and ..",
    "double_star": "** stands alone in its segment, and not twice in a row",
    "too_deep": f"use at most {MAX_SEGMENTS} segments",
    "too_long": f"use at most {MAX_LENGTH} characters",
}

Fits = Callable[[str], bool]


def check_glob(pattern: str, field: str = "path_pattern") -> None:
    """Nothing for a legal pattern; else ``invalid_glob`` with ``field``, ``pattern``, ``reason``.

    When several faults meet, the reason is the first in the order of ``_faults``.
    """
    reason = next((reason for reason, present in _faults(pattern).items() if present), None)
    if reason is not None:
        raise Refusal(
            "invalid_glob",
            f"{field} is not a valid pattern ({reason}): {_REMEDY[reason]}",
            field=field,
            pattern=pattern[:MAX_LENGTH],
            reason=reason,
        )


def _faults(pattern: str) -> dict[str, bool]:
    segments = pattern.split("/")
    return {
        "empty": not pattern,
        "leading_slash": pattern.startswith("/"),
        "empty_segment": "" in segments,
        "character": _foreign(pattern) is not None,
        "dot_segment": "." in segments or ".." in segments,
        "double_star": "**/**" in pattern or any("**" in s and s != "**" for s in segments),
        "too_deep": len(segments) > MAX_SEGMENTS,
        "too_long": len(pattern) > MAX_LENGTH,
    }


class Wild:
    """One segment of a pattern with ``*`` or ``?`` in it, but not ``*`` alone.

    ``head`` and ``tail`` are the literal text before the first and behind the last wildcard.
    """

    __slots__ = ("_chunks", "head", "tail")

    def __init__(self, pattern: str) -> None:
        literals = _wildcard.split(pattern)
        self.head: Final = literals[0]
        self.tail: Final = literals[-1]
        self._chunks: Final = pattern.split("*")

    def fits(self, segment: str) -> bool:
        """Whether the whole segment fits."""
        first, *middle = self._chunks
        if not middle:
            return len(segment) == len(first) and _stands(first, segment, 0)
        last = middle.pop()
        end = len(segment) - len(last)
        at = len(first)
        if end <= at or not (_stands(first, segment, 0) and _stands(last, segment, end)):
            return False
        for chunk in middle:
            found = _find(chunk, segment, at + 1)  # a star takes at least one character
            if found < 0:
                return False
            at = found + len(chunk)
        return at < end


def _stands(chunk: str, segment: str, at: int) -> bool:
    """Whether the chunk's characters stand at this place; ``?`` is any character."""
    if "?" not in chunk:
        return segment.startswith(chunk, at)
    part = segment[at : at + len(chunk)]
    return len(part) == len(chunk) and all(
        wanted in ("?", is_) for wanted, is_ in zip(chunk, part, strict=True)
    )


def _find(chunk: str, segment: str, start: int) -> int:
    """The leftmost place from ``start`` on where the chunk stands, or -1."""
    if "?" not in chunk:
        return segment.find(chunk, start)
    places = range(start, len(segment) - len(chunk) + 1)
    return next((at for at in places if _stands(chunk, segment, at)), -1)


def _anything(_: str) -> bool:
    return True


def _fits(pattern: str) -> Fits:
    if pattern == "*":
        return _anything
    return pattern.__eq__ if _wildcard.search(pattern) is None else Wild(pattern).fits


def _groups(pattern: str) -> list[list[Fits]]:
    """The pattern's segments, cut at its gaps of zero or more segments.

    ``**`` at either end wants one segment or more: a gap and one ``*``.
    """
    segments = pattern.split("/")
    if segments[0] == "**":
        segments.insert(0, "*")
    if segments[-1] == "**" and pattern != "**":
        segments.append("*")
    groups: list[list[Fits]] = [[]]
    for segment in segments:
        if segment == "**":
            groups.append([])
        else:
            groups[-1].append(_fits(segment))
    return groups


class Glob:
    """A compiled pattern. Immutable; ``str()`` gives the pattern back."""

    __slots__ = ("_first", "_last", "_middle", "literal_prefix", "pattern")

    def __init__(self, pattern: str) -> None:
        check_glob(pattern)
        self.pattern: Final = pattern
        self.literal_prefix: Final = _wildcard.split(pattern, maxsplit=1)[0]
        groups = _groups(pattern)
        self._first: Final = groups[0]
        self._last: Final = groups[-1] if len(groups) > 1 else None
        self._middle: Final = groups[1:-1]

    def matches(self, path: str) -> bool:
        """Whether the whole of a legal path fits."""
        if not path.startswith(self.literal_prefix):
            return False
        segments = path.split("/")
        first, last = self._first, self._last
        if last is None:
            return len(segments) == len(first) and _run(first, segments, 0)
        at, end = len(first), len(segments) - len(last)
        if end < at or not (_run(first, segments, 0) and _run(last, segments, end)):
            return False
        for group in self._middle:
            places = range(at, end - len(group) + 1)
            found = next((place for place in places if _run(group, segments, place)), None)
            if found is None:
                return False
            at = found + len(group)
        return True

    def __str__(self) -> str:
        return self.pattern

    def __repr__(self) -> str:
        return f"Glob({self.pattern!r})"


def _run(group: list[Fits], segments: list[str], at: int) -> bool:
    """Whether the group's segments fit those of the path from ``at`` on, one to one."""
    for fits in group:
        if not fits(segments[at]):
            return False
        at += 1
    return True


@lru_cache(maxsize=4096)
def compile(pattern: str) -> Glob:  # noqa: A001 - read as globs.compile, like re.compile
    """The pattern, checked and ready; ``invalid_glob`` as in ``check_glob``."""
    return Glob(pattern)


def matches(pattern: str, path: str) -> bool:
    """Whether a legal path fits the pattern."""
    return compile(pattern).matches(path)
