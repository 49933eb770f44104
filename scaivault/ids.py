"""Ids: a prefix that names the kind, then lower-case base32hex (``0-9a-v``), which sorts as
its bytes do."""

from __future__ import annotations

import os
import threading
from typing import Final

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuv"
# A random byte becomes a random digit: its lower five bits.
_RANDOM: Final = bytes(ord(_DIGITS[byte & 31]) for byte in range(256))


class _Pool:
    """Random digits in blocks: one system call serves 250 ids."""

    def __init__(self) -> None:
        self._digits = ""
        self._next = 0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Start anew, lock and all."""
        self._digits, self._next, self._lock = "", 0, threading.Lock()

    def take(self, n: int) -> str:
        with self._lock:
            start, end = self._next, self._next + n
            if end > len(self._digits):
                self._digits = os.urandom(max(n, 4096)).translate(_RANDOM).decode("ascii")
                start, end = 0, n
            self._next = end
            return self._digits[start:end]


_pool = _Pool()
# A fork would otherwise hand the same ids to both sides.
os.register_at_fork(after_in_child=_pool.forget)

# The last millisecond and its text, in one name so that threads never see a mixed pair.
_last: tuple[int, str] = (-1, "")
_PAIRS: Final = [high + low for high in _DIGITS for low in _DIGITS]  # by their ten bits
_TAIL: Final = 16  # random digits of a timed id


def digits(number: int, width: int) -> str:
    """``number`` in base 32, padded with zeros at the front."""
    text = ""
    while number:
        number, digit = divmod(number, 32)
        text = _DIGITS[digit] + text
    return text.rjust(width, "0")


def random_id(prefix: str) -> str:
    """``tnt_…``: 100 random bits in 20 characters."""
    return prefix + _pool.take(20)


def timed_id(prefix: str, now: int) -> str:
    """``log_…``: 48 bits of milliseconds in 10 characters, then 80 random bits in 16; sorts by
    time. ``now`` in us."""
    return prefix + _time(now) + _pool.take(_TAIL)


def timed_ids(prefix: str, now: int, count: int) -> list[str]:
    """As many of one instant."""
    head, tails = prefix + _time(now), _pool.take(_TAIL * count)
    return [head + tails[at : at + _TAIL] for at in range(0, len(tails), _TAIL)]


def _time(now: int) -> str:
    global _last
    millisecond = now // 1000
    known, text = _last
    if millisecond != known:
        text = "".join([_PAIRS[millisecond >> shift & 1023] for shift in (40, 30, 20, 10, 0)])
        _last = (millisecond, text)
    return text
