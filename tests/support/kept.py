"""Connections without sockets: what comes in, and in which pieces, is a test's to say."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from uvicorn.server import ServerState

from scaivault.clock import FakeClock
from scaivault.http.answers import Responder
from scaivault.http.protocol import Connection, protocol_class
from tests.support.house import Answer, House

FAR = 3600.0  # seconds: no timer of these connections ever ends
PEER: Final = ("127.0.0.1", 4711)


class Wire(asyncio.Transport):
    """The server's end of a connection; ``sent`` is what left."""

    def __init__(self, peer: tuple[str, int] | None) -> None:
        super().__init__({"peername": peer})
        self.sent = bytearray()
        self.more: Final = asyncio.Event()
        self.ended = False
        self.closed = False
        self.paused = False

    def write(self, data: Any) -> None:
        assert not self.ended
        assert not self.closed
        self.sent += data
        self.more.set()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True
        self.more.set()

    def abort(self) -> None:
        self.close()

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def connected(
    responder: Responder,
    kind: type[Connection] | None = None,
    peer: tuple[str, int] | None = PEER,
) -> tuple[Any, Wire]:
    """A new connection; ``kind`` made by ``protocol_class``."""
    config: Any = SimpleNamespace(loaded_app=responder, timeout_keep_alive=FAR)
    kind = kind or protocol_class(32 << 10, FAR, FAR, 64, FakeClock())
    connection, wire = kind(config, ServerState(), {}), Wire(peer)
    connection.connection_made(wire)
    return connection, wire


def request(
    method: str, target: str, headers: Mapping[str, str], body: bytes | None = None
) -> bytes:
    """The bytes of a request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: vault.example.net"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += [f"Content-Length: {len(body)}", "Content-Type: application/json"]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


async def quiet() -> None:
    """Until everything went on that waits for nothing but its turn."""
    for _ in range(12):
        await asyncio.sleep(0)


class Kept:
    """A kept connection to a house, on which each request is one piece."""

    def __init__(self, house: House, peer: tuple[str, int] | None = PEER) -> None:
        self._house: Final = house
        self.again = 0
        kept = self

        class Watched(protocol_class(32 << 10, FAR, FAR, 64, FakeClock())):  # type: ignore[misc]  # made at run time
            def _again(self, data: bytes) -> bool:
                shortened: bool = super()._again(data)
                kept.again += shortened
                return shortened

        self._connection, self.wire = connected(house.app.endpoint, Watched, peer)

    @property
    def stands(self) -> int:
        """For how many routes the caller of the last head is known."""
        head = self._connection._head
        return 0 if head is None else len(head.standings)

    def say(
        self,
        method: str,
        target: str,
        body: Any = None,
        *,
        token: str | None = "",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send a request, and wait for nothing."""
        lines = dict(headers or {})
        if token is not None:
            lines["Authorization"] = f"Bearer {token or self._house.token}"
        sent = None if body is None else json.dumps(body).encode()
        self._connection.data_received(request(method, target, lines, sent))

    async def call(self, method: str, target: str, body: Any = None, **more: Any) -> Answer:
        """One request and its answer."""
        self.say(method, target, body, **more)
        return await self.answer(head=method == "HEAD")

    async def get(self, target: str, **more: Any) -> Answer:
        return await self.call("GET", target, **more)

    async def answer(self, *, head: bool = False) -> Answer:
        """The next answer. ``head``: it has no body, whatever it says; ``EOFError``: none comes."""
        wire = self.wire
        while True:
            top, behind, rest = bytes(wire.sent).partition(b"\r\n\r\n")
            status, *lines = top.decode("latin-1").split("\r\n")
            headers = {name.lower(): told for name, told in (one.split(": ", 1) for one in lines)}
            length = 0 if head else int(headers.get("content-length", 0))
            if behind and len(rest) >= length:
                del wire.sent[: len(top) + 4 + length]
                return Answer(int(status.split()[1]), headers, rest[:length])
            if wire.closed:
                raise EOFError
            wire.more.clear()
            await wire.more.wait()


class Story(NamedTuple):
    """Who asks for what on a kept connection; what happens then; what he is told from then on."""

    token: str
    target: str
    end: Callable[[], Awaitable[Any]]
    code: str
    headers: Mapping[str, str] = {}


def told(answer: Answer) -> str:
    """``ok``, or the code of the refusal."""
    return "ok" if answer.status == 200 else answer.code


async def follow(house: House, story: Story) -> None:
    """The story comes true for the very next request."""
    kept = Kept(house)
    more: Any = {"token": story.token, "headers": story.headers}
    for _ in range(3):
        assert told(await kept.get(story.target, **more)) == "ok"
    assert kept.stands, "nothing is remembered: this would show nothing"
    assert kept.again == 2
    await story.end()
    for _ in range(2):
        assert told(await kept.get(story.target, **more)) == story.code
    assert told(await Kept(house).get(story.target, **more)) == story.code
