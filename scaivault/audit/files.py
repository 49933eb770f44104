"""Files on their way to a destination: counted and digested while they are written."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable
from typing import Final

from scaivault.audit.destinations.contract import PIECE, Destination
from scaivault.wire.audit_jobs import ExportedFile


class Growing:
    """One file: what was put into it so far."""

    def __init__(self, name: str) -> None:
        self.name: Final = name
        self._sha256: Final = hashlib.sha256()
        self._size = 0
        self._records = 0
        self._first: int | None = None
        self._last: int | None = None

    def count(self, seqs: Iterable[int]) -> None:
        """These rows are in it, rising."""
        for seq in seqs:
            self._first = seq if self._first is None else self._first
            self._last = seq
            self._records += 1

    @property
    def records(self) -> int:
        return self._records

    async def pieces(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks in pieces of the size that destinations take."""
        waiting = bytearray()
        async for chunk in chunks:
            waiting += chunk
            while len(waiting) >= PIECE:
                yield await self._through(bytes(waiting[:PIECE]))
                del waiting[:PIECE]
        if waiting:
            yield await self._through(bytes(waiting))

    async def _through(self, piece: bytes) -> bytes:
        self._size += len(piece)
        await asyncio.to_thread(self._sha256.update, piece)
        return piece

    def done(self) -> ExportedFile:
        """What a manifest says of it."""
        return ExportedFile(
            self.name, self._size, self._sha256.hexdigest(), self._records, self._first, self._last
        )


async def put_bytes(to: Destination, name: str, content: bytes) -> None:
    """A small file."""

    async def only() -> AsyncIterator[bytes]:
        yield content

    await to.put(name, Growing(name).pieces(only()))
