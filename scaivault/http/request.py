"""One HTTP request, as the endpoint sees it: the undecoded target, headers by name, the body on
demand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from scaivault.errors import Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_REPEATED: Final = object()


class Request:
    """``path`` is what stood in the request line before ``?``, byte for byte."""

    __slots__ = ("_headers", "_receive", "method", "path", "query", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.scope: Final = scope
        self.method: Final[str] = scope["method"]
        raw: bytes = scope["raw_path"]
        self.path: Final = raw
        self.query: Final[bytes] = scope["query_string"]
        self._receive: Final = receive
        self._headers: dict[bytes, Any] | None = None

    def header(self, name: bytes) -> bytes | None:
        """The value of a header that may stand once; ``invalid_request`` when it is repeated."""
        headers = self._headers
        if headers is None:
            headers = self._headers = _by_name(self.scope["headers"])
        value = headers.get(name)
        if value is _REPEATED:
            raise Refusal(
                "invalid_request",
                f"the header {name.decode('latin-1')} stands more than once",
                reason="repeated_header",
            )
        found: bytes | None = value
        return found

    def lone(self, name: bytes) -> bytes | None:
        """The value of a header that is believed only if it stands once."""
        try:
            return self.header(name)
        except Refusal:
            return None

    def headers(self, name: bytes) -> list[bytes]:
        """All values of a header, in order."""
        return [value for key, value in self.scope["headers"] if key == name]

    @property
    def has_body(self) -> bool:
        """Whether the head announces a body."""
        length = self.header(b"content-length")
        if length is not None:
            return length.strip(b"0") != b""
        return self.header(b"transfer-encoding") is not None

    async def body(self, limit: int) -> bytes:
        """The whole body, at most ``limit`` bytes."""
        length = self.header(b"content-length")
        if length is not None and (len(length) > 12 or int(length) > limit):
            raise too_large(limit)
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > limit:
                raise too_large(limit)
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)


def _by_name(lines: list[tuple[bytes, bytes]]) -> dict[bytes, Any]:
    headers: dict[bytes, Any] = dict(lines)
    if len(headers) < len(lines):
        # One look at each: thousands of names fit into a head, and nobody is known yet.
        seen: set[bytes] = set()
        for name, _ in lines:
            if name in seen:
                headers[name] = _REPEATED
            seen.add(name)
    return headers


class Gone(Refusal):
    """The client left in the middle of the body. Nobody is there to be told, but the ledger is:
    that the body was asked for says already that the token and its rights are good."""

    def __init__(self) -> None:
        super().__init__("invalid_request", "the body ended early", reason="body_cut")


def too_large(limit: int) -> Refusal:
    return Refusal("payload_too_large", f"the body is larger than {limit} bytes", limit_bytes=limit)
