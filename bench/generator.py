"""A load generator in Python: raw requests over kept connections, one at a time on each."""

import asyncio
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import uvloop

LIMIT = 900.0  # seconds; longer than any run that makes sense

Source = Iterator[bytes]


@dataclass
class Run:
    """Answers so far: seconds each took, and how many were not a success."""

    latencies: "array[float]" = field(default_factory=lambda: array("d"))
    failed: int = 0
    seconds: float = 0.0


class Connection(asyncio.Protocol):
    """One kept connection: takes the next request from ``source`` when an answer is whole."""

    def __init__(self, source: Source, run: Run) -> None:
        self._source = source
        self._run = run
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._waiting = False
        self._sent = 0.0
        self.closed = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's has no base in asyncio
        self._next()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """Called by the parser when an answer is whole."""
        self._run.latencies.append(time.perf_counter() - self._sent)
        self._run.failed += not 200 <= self._parser.get_status_code() < 300
        self._waiting = False
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._run.failed += self._waiting
        self.closed.set_result(None)

    def _next(self) -> None:
        assert self._transport is not None
        request = next(self._source, None)
        if request is None:
            self._transport.close()
            return
        self._waiting = True
        self._sent = time.perf_counter()
        self._transport.write(request)


def until(seconds: float, source: Source) -> Source:
    """``source``, ended ``seconds`` after its first request was taken."""
    deadline = time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        yield next(source)


def run(url: str, source: Source, connections: int) -> Run:
    """Send all of ``source`` to ``url`` over ``connections`` connections."""
    return uvloop.run(_run(url, source, connections))


async def _run(url: str, source: Source, connections: int) -> Run:
    loop = asyncio.get_running_loop()
    host, _, port = urlsplit(url).netloc.partition(":")
    result = Run()
    began = time.perf_counter()
    async with asyncio.timeout(LIMIT):
        pairs = [
            await loop.create_connection(lambda: Connection(source, result), host, int(port))
            for _ in range(connections)
        ]
        await asyncio.gather(*(connection.closed for _, connection in pairs))
    result.seconds = time.perf_counter() - began
    return result
