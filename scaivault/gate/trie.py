"""Many patterns held against one path at once.

Patterns share their leading segments in a tree. A path walks it segment by segment, with the
set of nodes it can be at; a literal costs one dictionary look-up however many siblings it has,
and a segment with wildcards is found by the text before its first and behind its last wildcard.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Generic, TypeVar

from scaivault.gate.globs import Wild

V = TypeVar("V")


class Node(Generic[V]):
    """A place behind some segments of a pattern."""

    __slots__ = ("any", "below", "forks", "gap", "here", "literals", "loops", "wilds")

    def __init__(self, *, loops: bool = False) -> None:
        self.loops: Final = loops  # stands for /**/: stays where it is over any segment
        self.forks = loops  # whether a path can be at other places behind it than at one literal
        self.here: V | None = None  # a pattern ends here
        self.below: V | None = None  # a pattern ends here with /**
        self.literals: dict[str, Node[V]] = {}
        self.any: Node[V] | None = None  # behind *
        self.gap: Node[V] | None = None  # behind /**/
        # lengths of head and tail -> (head, tail) -> segment -> (its matcher, what is behind it)
        self.wilds: dict[
            tuple[int, int], dict[tuple[str, str], dict[str, tuple[Wild, Node[V]]]]
        ] = {}

    def child(self, segment: str) -> Node[V]:
        """What is behind a segment of a pattern; made when it is not there yet."""
        self.forks = self.forks or "*" in segment or "?" in segment
        if segment == "**":
            if self.gap is None:
                self.gap = Node(loops=True)
            return self.gap
        if segment == "*":
            if self.any is None:
                self.any = Node()
            return self.any
        if "*" in segment or "?" in segment:
            wild = Wild(segment)
            head, tail = wild.head, wild.tail
            same_lengths = self.wilds.setdefault((len(head), len(tail)), {})
            same_ends = same_lengths.setdefault((head, tail), {})
            return same_ends.setdefault(segment, (wild, Node()))[1]
        return self.literals.setdefault(segment, Node())

    def behind(self, segment: str) -> Iterator[Node[V]]:
        """Where a path can be after its next segment."""
        if self.loops:
            yield self
        literal = self.literals.get(segment)
        if literal is not None:
            yield literal
        if self.any is not None:
            yield self.any
        for (head, tail), ends in self.wilds.items():
            # A segment that is shorter than the tail gives something shorter, so no match.
            key = segment[:head], segment[len(segment) - tail :]
            for wild, node in ends.get(key, {}).values():
                if wild.fits(segment):
                    yield node

    @property
    def is_end(self) -> bool:
        """Whether nothing is behind it, whatever segment comes."""
        return not (self.loops or self.literals or self.wilds or self.any is not None)


def following(places: Iterable[Node[V]], segment: str) -> set[Node[V]]:
    """Where a path can be after its next segment, if it can be at these nodes before it."""
    found: set[Node[V]] = set()
    for node in places:
        for after in node.behind(segment):
            found.add(after)
            if after.gap is not None:
                found.add(after.gap)
    return found


class Trie(Generic[V]):
    """Legal patterns, each with a value. Immutable once made."""

    __slots__ = ("root",)

    def __init__(self, patterns: Mapping[str, V]) -> None:
        self.root: Final[Node[V]] = Node()
        for pattern, value in patterns.items():
            self._add(pattern, value)

    def _add(self, pattern: str, value: V) -> None:
        segments = pattern.split("/")
        below = segments[-1] == "**"
        if below:
            segments.pop()
        if segments and segments[0] == "**":  # one segment or more: any one, then a gap
            segments.insert(0, "*")
        node = self.root
        for segment in segments:
            node = node.child(segment)
        if below:
            node.below = value
        else:
            node.here = value

    def matching(self, path: str) -> list[V]:
        """The values of all patterns that fit a legal path, each once, in no order."""
        segments = path.split("/")
        # Where only literals can follow there is one way on: it takes a sixth of the walk.
        straight: list[V] = []
        at = self.root
        for segment in segments:
            if at.forks:
                return self._walked(segments)
            if at.below is not None:
                straight.append(at.below)
            behind = at.literals.get(segment)
            if behind is None:
                return straight
            at = behind
        if at.forks:
            return self._walked(segments)
        if at.here is not None:
            straight.append(at.here)
        return straight

    def _walked(self, segments: list[str]) -> list[V]:
        found: dict[int, V] = {}
        places: set[Node[V]] = {self.root}
        for segment in segments:
            for node in places:
                if node.below is not None:
                    found[id(node.below)] = node.below
            places = following(places, segment)
        for node in places:
            if node.here is not None:
                found[id(node.here)] = node.here
        return list(found.values())

    @property
    def top(self) -> Folder[V]:
        """The folder of paths of one segment."""
        return Folder({self.root}, {})


class Folder(Generic[V]):
    """Where a path can be before its last segment: the first part of ``Trie.matching``, for all
    that lies in one folder. ``alike``: what fits is the same for all of it, at any depth."""

    __slots__ = ("_found", "_places", "alike")

    def __init__(self, places: set[Node[V]], found: dict[int, V]) -> None:
        self._places: Final = places
        self._found: Final = found | {
            id(node.below): node.below for node in places if node.below is not None
        }
        self.alike: Final = all(node.is_end for node in places)

    def into(self, segment: str) -> Folder[V]:
        """The folder of this name in this one."""
        return self if self.alike else Folder(following(self._places, segment), self._found)

    def fitting(self, segment: str) -> list[V]:
        """The values of all patterns that fit the path with this last segment."""
        if self.alike:
            return list(self._found.values())
        found = dict(self._found)
        for node in following(self._places, segment):
            if node.here is not None:
                found[id(node.here)] = node.here
        return list(found.values())
