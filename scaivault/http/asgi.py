"""The application behind any ASGI 3 server, for tests and for hosts that bring their own.

``scaivault serve`` does not come this way: its own protocol hands requests to the endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from scaivault.http.answers import Responder
from scaivault.http.request import Head, Request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class _Body:
    """The messages of ``receive`` as parts."""

    def __init__(self, receive: Receive) -> None:
        self._receive: Final = receive
        self._ended = False

    async def part(self) -> bytes:
        while not self._ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise EOFError
            self._ended = not message.get("more_body", False)
            part: bytes = message.get("body", b"")
            if part:
                return part
        return b""


async def respond(responder: Responder, scope: Scope, receive: Receive, send: Send) -> None:
    """One request; HTTP only."""
    if scope["type"] != "http":
        return
    client = scope.get("client")
    head = Head(scope["headers"])
    # HTTP/2 sends bodies of no told length; only those of GET are none of ours.
    bare = scope["method"] in ("GET", "HEAD") and head.get(b"content-length") is None
    bare = bare and head.get(b"transfer-encoding") is None
    request = Request(
        scope["method"],
        scope["raw_path"],
        scope["query_string"],
        head,
        client[0] if client else None,
        https=scope["scheme"] == "https",
        parts=None if bare else _Body(receive),
    )
    reply = await responder(request)
    if reply is None:  # the client is gone
        return
    headers = [*reply.lines, (b"content-length", b"%d" % reply.length)]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
