"""Ids: a prefix that names the kind, then lower-case base32hex (``0-9a-v``), which sorts as
its bytes do."""

from __future__ import annotations

import base64
import os
import threading
from typing import Final

_LOWER: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUV", b"abcdefghijklmnopqrstuv")


def _text(raw: bytes) -> str:
    return base64.b32hexencode(raw).translate(_LOWER).rstrip(b"=").decode("ascii")


class _Pool:
    """Random bytes in blocks: one system call serves 400 ids (0.9 us against 0.2 us each)."""

    def __init__(self) -> None:
        self._bytes = b""
        self._next = 0
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Start anew, lock and all."""
        self._bytes, self._next, self._lock = b"", 0, threading.Lock()

    def take(self, n: int) -> bytes:
        with self._lock:
            start, end = self._next, self._next + n
            if end > len(self._bytes):
                self._bytes = os.urandom(4096)
                start, end = 0, n
            self._next = end
            return self._bytes[start:end]


_pool = _Pool()
# A fork would otherwise hand the same ids to both sides.
os.register_at_fork(after_in_child=_pool.forget)


def random_id(prefix: str) -> str:
    """``tnt_…``: 100 random bits in 20 characters."""
    return prefix + _text(_pool.take(13))[:20]


def timed_id(prefix: str, now: int) -> str:
    """``log_…``: 48 bits of milliseconds, then 80 random bits; sorts by time. ``now`` in us."""
    return prefix + _text((now // 1000).to_bytes(6, "big") + _pool.take(10))
