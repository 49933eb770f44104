"""Encrypted rows kept in memory, so that a read needs no database thread.

Only ciphertext is kept; every read opens it anew. The one writer keeps the shelf coherent: what a
change touches is dropped on the event loop after the commit and before its answer. A row that was
being fetched meanwhile may be older than that, so it is not put on the shelf.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from msgspec import Raw

from scaivault.clock import instant, instant_or_none
from scaivault.seal.envelope import Place
from scaivault.secrets.model import Secret, Version

Key = tuple[str, str]  # owner, path

_OVERHEAD: Final = 2100  # bytes of Python objects per entry (tracemalloc, CPython 3.11)
_LARGEST: Final = 64 * 1024  # larger values are fetched each time


class Stored:
    """A secret with its current version; ``last_at`` follows the committed reads."""

    __slots__ = (
        "created_at",
        "expires_at",
        "last_at",
        "metadata",
        "place",
        "secret",
        "updated_at",
        "version",
    )

    def __init__(self, secret: Secret, version: Version | None, last_at: int | None) -> None:
        self.secret = secret
        self.version = version
        self.last_at = last_at
        self.place: Place | None = None  # of the version, once it was opened
        # What every answer says alike, made once.
        self.created_at = instant(secret.created_at)
        self.updated_at = instant(secret.updated_at)
        self.expires_at = instant_or_none(secret.expires_at)
        self.metadata = Raw(secret.metadata.encode())

    @property
    def size(self) -> int:
        value = 0 if self.version is None else len(self.version.sealed.value)
        return _OVERHEAD + value + len(self.secret.metadata)


class Shelf:
    """The least recently read rows go first once ``limit`` bytes are reached. Loop only."""

    def __init__(self, limit: int) -> None:
        self._limit: Final = limit
        self._rows: OrderedDict[Key, Stored] = OrderedDict()
        self._size = 0
        self._fetching: dict[Key, set[object]] = {}
        self._changes: dict[str, int] = {}
        self.hits = 0
        self.misses = 0

    @property
    def used(self) -> int:
        """Bytes taken."""
        return self._size

    def get(self, key: Key) -> Stored | None:
        found = self.peek(key)
        if found is None:
            self.misses += 1
        else:
            self.hits += 1
        return found

    def peek(self, key: Key) -> Stored | None:
        """``get`` for who may have to ask a second time: not counted."""
        found = self._rows.get(key)
        if found is not None:
            self._rows.move_to_end(key)
        return found

    def fetching(self, key: Key) -> object:
        """A row is about to be fetched; ``fetched`` wants this ticket back."""
        ticket = object()
        self._fetching.setdefault(key, set()).add(ticket)
        return ticket

    def fetched(self, key: Key, ticket: object, row: Stored | None) -> None:
        """It is here: keep it, unless a change came in between. Each fetch has a ticket of its own:
        one that began behind the change must not vouch for one that began before it."""
        waiting = self._fetching.get(key)
        if waiting is None or ticket not in waiting:
            return
        waiting.remove(ticket)
        if not waiting:
            del self._fetching[key]
        if row is not None and row.size <= _LARGEST:
            self._put(key, row)

    def _put(self, key: Key, row: Stored) -> None:
        self._take_off(key)
        self._rows[key] = row
        self._size += row.size
        while self._size > self._limit:
            _, gone = self._rows.popitem(last=False)
            self._size -= gone.size

    def drop(self, key: Key) -> None:
        """A row was changed: forget it, and what is being fetched of it."""
        self._fetching.pop(key, None)
        self._take_off(key)
        self._changes[key[0]] = self.changes(key[0]) + 1

    def changes(self, owner: str) -> int:
        """How many changes of the owner's secrets there were. What was found between two equal
        numbers is as it was found."""
        return self._changes.get(owner, 0)

    def _take_off(self, key: Key) -> None:
        gone = self._rows.pop(key, None)
        if gone is not None:
            self._size -= gone.size

    def clear(self) -> None:
        """Forget all (key rotation)."""
        self._rows.clear()
        self._fetching.clear()
        self._size = 0
