"""How long something takes, counted into buckets. Plain numbers: adding costs well under 1 µs."""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from typing import Final

BOUNDS: Final = (
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
)  # fmt: skip
"""Upper ends of the buckets, in seconds; a last bucket takes the rest."""

_NANOSECONDS: Final = tuple(round(bound * 1e9) for bound in BOUNDS)


class Timing:
    """Durations of one kind. Belongs to one thread."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.total = 0  # nanoseconds

    def add(self, nanoseconds: int) -> None:
        self.counts[bisect_left(_NANOSECONDS, nanoseconds)] += 1
        self.total += nanoseconds

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def cumulative(self) -> list[tuple[str, int]]:
        """(upper end, how many were at most that long), as Prometheus writes a histogram."""
        ends = [*map(repr, BOUNDS), "+Inf"]
        return list(zip(ends, accumulate(self.counts), strict=True))
