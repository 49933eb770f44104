"""When it is to be told that a personal access token or a client secret ends soon.

Each keeps the instant of the next notice (``notice_at``; None: all was told, or it has no end). One
that was past when it was made is not told; after a pause only the nearest that was missed is."""

from __future__ import annotations

from typing import Final

from scaivault.clock import DAY

FARTHEST: Final = 7 * DAY
# Farthest first: how long before the end.
_THRESHOLDS: Final = (("7d", FARTHEST), ("1d", DAY))


def next_notice(ends: int | None, now: int) -> int | None:
    """The first instant behind ``now`` at which something is to be told of an end."""
    if ends is None:
        return None
    return next((at for _, before in _THRESHOLDS if (at := ends - before) > now), None)


def reached(ends: int, now: int) -> str:
    """The nearest threshold that was reached; one was."""
    return next(text for text, before in reversed(_THRESHOLDS) if ends - before <= now)
