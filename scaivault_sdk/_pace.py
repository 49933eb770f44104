"""Time, and how often a call is repeated."""

from __future__ import annotations

import inspect
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from scaivault_sdk.errors import APIError, ConnectError, ScaiVaultError

_BASE = 0.5  # seconds, doubled each time
_CAP = 8.0
_FLOOR = 0.05  # seconds that a repetition gets at least, however little is left


@dataclass
class Pace:
    """``sleep`` waits so many seconds, ``jitter`` picks from 0 to so many; tests bring theirs."""

    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Any] = time.sleep
    jitter: Callable[[float], float] = field(
        default=lambda top: secrets.SystemRandom().uniform(0, top)
    )


def async_pace() -> Pace:
    """The pace of a client on an event loop."""
    import asyncio  # a client that blocks is spared its 25 ms

    return Pace(sleep=asyncio.sleep)


def pace() -> Pace:
    """The pace of a client that blocks."""
    return Pace()


def async_lock() -> Any:
    """One task at a time."""
    import asyncio

    return asyncio.Lock()


def lock() -> Any:
    """One thread at a time."""
    return threading.Lock()


async def async_resolved(value: Any) -> Any:
    """What a caller's function gave, awaited when it can be."""
    return await value if inspect.isawaitable(value) else value


def resolved(value: Any) -> Any:
    """As ``async_resolved``, where nothing can be awaited."""
    return value


class Retries:
    """Decides whether one call is sent again, and when.

    Again: after ``rate_limited`` and ``service_unavailable`` (no sooner than ``Retry-After``),
    after a broken connection, and once after ``internal_error``. Never after anything else. The
    pause is a random part of 0.5 s, 1 s, 2 s … 8 s, so that clients that failed together do not
    come back together. Whatever would pass the deadline is not waited for.
    """

    def __init__(self, limit: int, deadline: float, timing: Pace) -> None:
        self._limit = limit
        self._timing = timing
        self._end = timing.monotonic() + deadline
        self._done = 0
        self._internal = False

    def timeout(self, wanted: float) -> float:
        """Seconds for the next attempt; the first gets what it wants."""
        if not self._done:
            return wanted
        return max(_FLOOR, min(wanted, self._end - self._timing.monotonic()))

    def pause(self, fault: ScaiVaultError) -> float | None:
        """Seconds to wait before the next attempt; None when there is none."""
        if self._done >= self._limit or not self._repeatable(fault):
            return None
        top: float = min(_CAP, _BASE * 2**self._done)
        wait = self._timing.jitter(top)
        if isinstance(fault, APIError) and fault.retry_after is not None:
            wait = max(wait, fault.retry_after)
        if self._timing.monotonic() + wait > self._end:
            return None
        self._done += 1
        return wait

    def _repeatable(self, fault: ScaiVaultError) -> bool:
        if isinstance(fault, ConnectError):
            return True
        code = fault.code if isinstance(fault, APIError) else None
        if code == "internal_error" and not self._internal:
            self._internal = True
            return True
        return code in ("rate_limited", "service_unavailable")
