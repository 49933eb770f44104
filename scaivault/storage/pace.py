"""Long work beside the requests: in steps, with a rest behind each while others are at work.

A thread that computes keeps the interpreter's lock from the event loop for up to a switch interval
(0.5 ms) each time the loop has waited for anything, and one of two cores besides. So it rests twice
as long as it worked. Nobody is waited for on an idle vault: there it goes on at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from scaivault.clock import SystemClock

SHARE: Final = 2  # a rest is so many times as long as the work before it
LONGEST: Final = 50_000_000  # nanoseconds

_monotonic: Final = SystemClock().monotonic


class Pace:
    """One for each piece of work, in the thread that does it. ``others`` grows with each commit;
    ``sleep`` takes seconds."""

    def __init__(
        self, others: Callable[[], int], sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._others: Final = others
        self._sleep: Final = sleep
        self._seen = others()
        self._began = _monotonic()

    def rest(self) -> None:
        """Behind a step of about a millisecond."""
        seen = self._others()
        if seen != self._seen:
            self._seen = seen
            self._sleep(min(SHARE * (_monotonic() - self._began), LONGEST) / 1e9)
        self._began = _monotonic()
