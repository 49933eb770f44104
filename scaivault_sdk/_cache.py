"""Values kept in memory for a while."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class CacheConfig:
    """How ``secrets.read`` (without a version) keeps what it read, in this process's memory only.

    ``ttl``: seconds for which a value is served without asking. ``stale_if_error``: seconds more
    for which it is served when the server cannot be reached or is not available. ``max_entries``:
    the least recently used value goes first. Refusals (401, 403, 404, 410) and writes through the
    same client drop a value at once.

    ``invalidate``: drop values as soon as the server announces a change. The server offers no
    subscriptions yet, so that what others write is seen after ``ttl`` seconds.
    """

    ttl: float = 300
    max_entries: int = 1000
    stale_if_error: float = 0
    invalidate: bool = True


class Cache(Generic[T]):
    """Safe for threads. Keys are (tenant, base, path)."""

    def __init__(self, config: CacheConfig) -> None:
        self._config = config
        self._kept: OrderedDict[tuple[str, ...], tuple[float, T]] = OrderedDict()
        self._lock = threading.Lock()

    def fresh(self, key: tuple[str, ...], now: float) -> T | None:
        """The value, if it is not older than ``ttl``."""
        return self._younger(key, now, self._config.ttl)

    def stale(self, key: tuple[str, ...], now: float) -> T | None:
        """The value, if it may stand in for an answer that does not come."""
        return self._younger(key, now, self._config.ttl + self._config.stale_if_error)

    def _younger(self, key: tuple[str, ...], now: float, age: float) -> T | None:
        with self._lock:
            found = self._kept.get(key)
            if found is None or now - found[0] >= age:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: tuple[str, ...], value: T, now: float) -> None:
        """A value as read at ``now``."""
        with self._lock:
            self._kept[key] = (now, value)
            self._kept.move_to_end(key)
            while len(self._kept) > self._config.max_entries:
                self._kept.popitem(last=False)

    def drop(self, key: tuple[str, ...]) -> None:
        """Forget one value."""
        with self._lock:
            self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._kept.clear()
