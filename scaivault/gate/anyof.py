"""Whether any of many patterns fits a path, for lists: they ask about every path they walk over.

The tree of the patterns as a deterministic automaton (subset construction), made as it is walked.
A state is the set of nodes that a path can be at; one look-up leads from it to the next, whatever
the number of patterns. All segments that a state does not name lead to one and the same state, so
there are few; only where segments with wildcards follow is each segment held against them.

Readers in several threads walk one automaton: a state that two of them make at once is made twice.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import chain
from typing import Final

from scaivault.gate.trie import Node, Trie, following

_MOST: Final = 20_000  # states and names kept by one automaton: about 4 MB

Nodes = frozenset[Node[bool]]


class _State:
    """``after``: the next state by each segment that a node names, once it is made; ``otherwise``:
    behind any other."""

    __slots__ = ("after", "below", "here", "nodes", "otherwise", "wild")

    def __init__(self, nodes: Nodes) -> None:
        self.nodes: Final = nodes
        self.here: Final = any(node.here for node in nodes)
        self.below: Final = any(node.below for node in nodes)
        self.wild: Final = any(node.wilds for node in nodes)
        self.after: Final[dict[str, _State | None]] = dict.fromkeys(
            chain.from_iterable(node.literals for node in nodes)
        )
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
            found = self._made(nodes)
        if segment in state.after:
            state.after[segment] = found
        elif not state.wild:
            state.otherwise = found
        return found

    def _made(self, nodes: Nodes) -> _State:
        state = _State(nodes)
        self._left -= 1 + len(state.after)
        if self._left < 0:  # patterns that cross can have a state for each set of them
            self._restart()
        self._states[nodes] = state
        return state

    def _restart(self) -> None:
        self._left = _MOST
        self._start = _State(self._root)
        self._states: dict[Nodes, _State] = {}


@lru_cache(maxsize=64)
def any_of(patterns: frozenset[str]) -> AnyOf:
    """The automaton of legal patterns."""
    return AnyOf(patterns)
