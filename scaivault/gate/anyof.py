"""Whether any of many patterns fits a path, for lists: they ask about every path they walk over.

The tree of the patterns as a deterministic automaton (subset construction), made as it is walked.
A state is the set of nodes that a path can be at; one look-up leads from it to the next, whatever
the number of patterns. All segments that a state does not name lead on to one and the same state.
Where segments with wildcards follow, or very many names, each segment is remembered by itself. Up
to a bound, then all is forgotten: names of folders come again soon.

Readers in several threads walk one automaton: what two of them make at once is made twice.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Final

from scaivault.gate.trie import Node, Trie, following

_MOST: Final = 4_000  # states and steps that one automaton remembers: about 700 KB
_NAMED: Final = 200  # names that a state can have and know all others by

Nodes = frozenset[Node[bool]]


class _State:
    """``after``: the next state by segment, once it is made; ``otherwise``: behind one that is not
    in ``after``, for a state that has all its names there."""

    __slots__ = ("after", "below", "complete", "here", "nodes", "otherwise")

    def __init__(self, nodes: Nodes) -> None:
        self.nodes: Final = nodes
        self.here: Final = any(node.here for node in nodes)
        self.below: Final = any(node.below for node in nodes)
        self.complete: Final = (
            not any(node.wilds for node in nodes)
            and sum(len(node.literals) for node in nodes) <= _NAMED
        )
        names = chain.from_iterable(node.literals for node in nodes) if self.complete else ()
        self.after: Final[dict[str, _State | None]] = dict.fromkeys(names)
        self.otherwise: _State | None = None


class AnyOf:
    """Legal patterns."""

    __slots__ = ("_left", "_root", "_start", "_states")

    def __init__(self, patterns: frozenset[str]) -> None:
        self._root: Final = frozenset((Trie(dict.fromkeys(patterns, True)).root,))
        self._restart()

    def fits(self, path: str) -> bool:
        """Whether one of the patterns fits the whole of a legal path."""
        state = self._start
        for segment in path.split("/"):
            if state.below:
                return True
            state = state.after.get(segment, state.otherwise) or self._behind(state, segment)
        return state.here

    def _behind(self, state: _State, segment: str) -> _State:
        """A step that is not known yet."""
        nodes = frozenset(following(state.nodes, segment))
        found = self._states.get(nodes)
        if found is None:
            found = self._states[nodes] = _State(nodes)
            self._left -= len(found.after)
        if state.complete and segment not in state.after:
            state.otherwise = found
        else:
            state.after[segment] = found
        self._left -= 1
        if self._left < 0:
            self._restart()
        return found

    def _restart(self) -> None:
        self._left = _MOST
        self._start = _State(self._root)
        self._states: dict[Nodes, _State] = {}


@lru_cache(maxsize=64)
def any_of(patterns: frozenset[str]) -> AnyOf:
    """The automaton of legal patterns."""
    return AnyOf(patterns)
