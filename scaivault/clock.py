"""The only place that asks the time.

Instants are integers: microseconds since 1970-01-01T00:00:00Z. They are stored, compared and
added as such; text is made at the edge. ``monotonic`` (nanoseconds) measures durations and
never goes back.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Protocol

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR

_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2}))?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """Where time comes from; tests bring their own."""

    def now(self) -> int:
        """Wall time in microseconds since the epoch, UTC."""
        ...

    def monotonic(self) -> int:
        """Nanoseconds since some fixed point."""
        ...


class SystemClock:
    """The host's clocks."""

    def now(self) -> int:
        return time.time_ns() // 1000

    def monotonic(self) -> int:
        return time.monotonic_ns()


class FakeClock:
    """A clock that stands still until told otherwise (tests, in-process vaults)."""

    def __init__(self, start: str = "2031-05-09T06:30:00.000000Z") -> None:
        self._now = parse_instant(start)
        self._monotonic = 0

    def now(self) -> int:
        return self._now

    def monotonic(self) -> int:
        return self._monotonic

    def advance(self, microseconds: int) -> None:
        """Go forward (monotonic too), or, when negative, set the wall clock back."""
        self._now += microseconds
        self._monotonic += max(0, microseconds) * 1000


@lru_cache(maxsize=4096)
def _second(second: int) -> str:
    return (_EPOCH + timedelta(seconds=second)).strftime("%Y-%m-%dT%H:%M:%S.")


def instant(microseconds: int) -> str:
    """``2031-05-09T06:30:00.000000Z``. Seconds are kept as text: requests ask for the same ones."""
    second, micro = divmod(microseconds, SECOND)
    return f"{_second(second)}{micro:06d}Z"


def instant_or_none(microseconds: int | None) -> str | None:
    """An instant that may not have been yet."""
    return None if microseconds is None else instant(microseconds)


def parse_instant(text: str) -> int:
    """RFC 3339 with any offset, or a date alone (00:00 UTC). ``ValueError`` otherwise."""
    # Python reads all of ISO 8601: week dates, commas, times without an offset.
    if _RFC3339.fullmatch(text) is None:
        raise ValueError("not an RFC 3339 timestamp or date")
    try:
        moment = datetime.fromisoformat(text.upper() if len(text) > 10 else f"{text}T00:00:00Z")
        moment = moment.astimezone(UTC)  # an offset can lead out of the calendar
    except (ValueError, OverflowError):
        raise ValueError("not a time of the calendar, years 1 to 9999") from None
    return (moment - _EPOCH) // timedelta(microseconds=1)
