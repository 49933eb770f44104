"""Patterns over the subjects of foreign tokens: ``*`` is any run of characters, the empty one too,
``?`` one character; all else stands for itself, ``/`` and ``:`` too.

A pattern is walked as an automaton whose states are the bits of one number: one step for each
character of the subject, whatever the pattern. Nothing is tried twice, so that no pattern and no
subject, both of which strangers choose, can make a match slow."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import Final


class SubjectGlob:
    """A compiled pattern; immutable."""

    __slots__ = ("_any", "_end", "_loops", "_steps")

    def __init__(self, pattern: str) -> None:
        steps: defaultdict[str, int] = defaultdict(int)
        any_one, loops, state = 0, 0, 1
        for sign in pattern:
            if sign == "*":
                loops |= state
                continue
            if sign == "?":
                any_one |= state
            else:
                steps[sign] |= state
            state <<= 1
        self._steps: Final = dict(steps)
        self._any: Final = any_one
        self._loops: Final = loops
        self._end: Final = state

    def matches(self, subject: str) -> bool:
        """Whether the whole subject fits."""
        steps, any_one, loops = self._steps.get, self._any, self._loops
        states = 1
        for character in subject:
            states = (states & (steps(character, 0) | any_one)) << 1 | states & loops
            if not states:
                return False
        return bool(states & self._end)


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> SubjectGlob:
    """The pattern, ready."""
    return SubjectGlob(pattern)


def names_nobody(pattern: str) -> bool:
    """Whether a pattern has nothing but wildcards: it is ``*`` in another spelling."""
    return not pattern.strip("*?")
