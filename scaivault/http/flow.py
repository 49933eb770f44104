"""How much a connection holds: reading stops while a request waits or its body piles up, writing
while the client does not read."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

HIGH_WATER: Final = 64 * 1024  # bytes of a body that nobody has asked for yet


class Flow:
    """One per connection."""

    __slots__ = ("_transport", "_writable", "reading_paused")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport: Final = transport
        self.reading_paused = False
        self._writable: asyncio.Event | None = None  # while the client does not read

    def pause_reading(self) -> None:
        """Take no more bytes from the socket."""
        if not self.reading_paused:
            self.reading_paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes again."""
        if self.reading_paused:
            self.reading_paused = False
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        """The transport's buffer is full."""
        if self._writable is None:
            self._writable = asyncio.Event()

    def resume_writing(self) -> None:
        """The client reads again, or is gone."""
        if self._writable is not None:
            self._writable.set()
            self._writable = None

    async def writable(self) -> None:
        """Until the transport takes more."""
        if self._writable is not None:
            await self._writable.wait()


class Body:
    """The body of one request, as it comes in. ``wanted`` is called before the first wait for it
    (100-continue, RFC 9110 section 10.1.1)."""

    __slots__ = ("_arrived", "_bytes", "_ended", "_flow", "_lost", "_wanted")

    def __init__(self, flow: Flow, wanted: Callable[[], None] | None) -> None:
        self._flow: Final = flow
        self._wanted = wanted
        self._bytes = bytearray()
        self._arrived: asyncio.Event | None = None
        self._ended = False
        self._lost = False

    @property
    def unasked(self) -> bool:
        """Whether the client waits for word that it is wanted, as far as we know."""
        return self._wanted is not None and not (self._bytes or self._ended)

    def add(self, data: bytes) -> None:
        """A piece came in."""
        self._bytes += data
        if len(self._bytes) > HIGH_WATER:
            self._flow.pause_reading()
        self._wake()

    def end(self) -> None:
        """It is complete."""
        self._ended = True
        self._wake()

    def lose(self) -> None:
        """Nothing more will come."""
        self._lost = True
        self._wake()

    async def part(self) -> bytes:
        """What is there, at least a byte; nothing at its end. ``EOFError``: the client left."""
        if self._wanted is not None and not self._bytes:
            self._wanted()
        self._wanted = None
        while not (self._bytes or self._ended or self._lost):
            self._flow.resume_reading()
            self._arrived = asyncio.Event()
            await self._arrived.wait()
        if self._lost:
            raise EOFError
        data = bytes(self._bytes)
        self._bytes.clear()
        return data

    def _wake(self) -> None:
        if self._arrived is not None:
            self._arrived.set()
