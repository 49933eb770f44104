"""What was counted for a list, kept for as long as that is exact.

A count holds until something of the owner's secrets changes (``Shelf.changes``) or one that was
counted expires. What the caller sees is part of its key, so a change of rights needs no upkeep.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final, NamedTuple

from scaivault.secrets.selection import Count

_KEPT: Final = 256  # a key may hold the patterns of a caller's rules


class Tally(NamedTuple):
    """``counted`` holds from ``since`` until before ``until`` (None: no end) after ``change``."""

    counted: Count
    since: int
    until: int | None
    change: int


class Tallies:
    """The least recently asked for goes first. Loop only."""

    def __init__(self) -> None:
        self._known: Final[OrderedDict[Hashable, Tally]] = OrderedDict()

    def find(self, key: Hashable, change: int, now: int) -> Count | None:
        """The count, if it is still the one."""
        found = self._known.get(key)
        if found is None or found.change != change or now < found.since:
            return None
        if found.until is not None and now >= found.until:
            return None
        self._known.move_to_end(key)
        return found.counted

    def keep(self, key: Hashable, tally: Tally) -> None:
        """Remember a count that was taken with no change in between."""
        self._known[key] = tally
        self._known.move_to_end(key)
        if len(self._known) > _KEPT:
            self._known.popitem(last=False)
