"""Which group lies below which.

A directory's groups form any graph: below several groups, in cycles, of any depth. Here a group
lies below one other, at most five deep. What does not fit is made up for by memberships: whoever
belongs to the lower group is a member of the upper one itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final, NamedTuple

from scaivault.identity.groups.room import DEEPEST
from scaivault.identity.sync.facts import ToldGroup
from scaivault.identity.sync.scim import SyncFailed

_STEPS_MOST: Final = 1_000_000


class Arranged(NamedTuple):
    """By external id: the group above, if any, and the own members."""

    parents: dict[str, str]
    users: dict[str, set[str]]


def arrange(groups: Mapping[str, ToldGroup]) -> Arranged:
    """A forest, and memberships in the place of all else. The result depends on the groups alone,
    not on their order. ``SyncFailed`` where that would be more than a million memberships."""
    forest = _Forest()
    edges = [
        (below, name)
        for name in sorted(groups)
        for below in sorted({one for one in groups[name].groups if one in groups})
    ]
    rest = [(below, name) for below, name in edges if not forest.add(below, name)]
    users = {name: set(told_group.users) for name, told_group in groups.items()}
    steps = 0
    for below, above in rest:
        for one in _closure(groups, below):
            members = groups[one].users
            steps += 1 + len(members)
            if steps > _STEPS_MOST:
                raise SyncFailed("too_large", "the directory's groups are nested too widely")
            users[above].update(members)
    return Arranged(forest.above, users)


class _Forest:
    def __init__(self) -> None:
        self.above: dict[str, str] = {}
        self._below: defaultdict[str, list[str]] = defaultdict(list)

    def add(self, below: str, above: str) -> bool:
        """Whether the one can lie below the other; then it does."""
        if below in self.above:
            return False
        chain = [above]
        while chain[-1] in self.above:
            chain.append(self.above[chain[-1]])
        if below in chain or len(chain) + self._height(below) > DEEPEST:
            return False
        self.above[below] = above
        self._below[above].append(below)
        return True

    def _height(self, name: str) -> int:
        """At most five: nothing deeper was added."""
        return 1 + max((self._height(one) for one in self._below[name]), default=0)


def _closure(groups: Mapping[str, ToldGroup], start: str) -> set[str]:
    """A group and all below it, in the directory's own graph."""
    found, waiting = {start}, [start]
    while waiting:
        for one in groups[waiting.pop()].groups:
            if one in groups and one not in found:
                found.add(one)
                waiting.append(one)
    return found
