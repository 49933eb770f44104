"""One HTTP request, as the endpoint sees it: the undecoded target, headers by name, the body on
demand."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final, Protocol

from scaivault.errors import Refusal

Scope = MutableMapping[str, Any]
Lines = list[tuple[bytes, bytes]]

_REPEATED: Final = object()


class Parts(Protocol):
    """A body as it comes in: ``part`` gives the next bytes, none at its end; ``EOFError`` when
    the client left before."""

    async def part(self) -> bytes: ...


class Head:
    """The header lines of a request, names in lower case. A client sends the same ones with each
    request of a connection, so that what was found out from them alone is kept here: ``sender``
    by ``http.identify``, ``standings`` by ``http.standing``."""

    __slots__ = ("_by_name", "lines", "sender", "standings")

    def __init__(self, lines: Lines) -> None:
        self.lines: Final = lines
        self._by_name: dict[bytes, Any] | None = None
        self.sender: Any = None
        self.standings: dict[Any, Any] = {}

    def get(self, name: bytes) -> Any:
        """The value; ``_REPEATED`` of a line that stands more than once; None."""
        named = self._by_name
        if named is None:
            named = self._by_name = _by_name(self.lines)
        return named.get(name)


class Request:
    """``path`` is what stood in the request line before ``?``, byte for byte; ``client`` the
    address of the peer, None on a Unix socket; ``body`` None where the head announces none."""

    __slots__ = ("client", "head", "https", "method", "parts", "path", "query")

    def __init__(
        self,
        method: str,
        path: bytes,
        query: bytes,
        head: Head,
        client: str | None,
        *,
        https: bool,
        parts: Parts | None,
    ) -> None:
        self.method: Final = method
        self.path: Final = path
        self.query: Final = query
        self.head: Final = head
        self.client: Final = client
        self.https: Final = https
        self.parts: Final = parts

    def header(self, name: bytes) -> bytes | None:
        """The value of a header that may stand once; ``invalid_request`` when it is repeated."""
        value = self.head.get(name)
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
        return [value for key, value in self.head.lines if key == name]

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
        while self.parts is not None:
            try:
                part = await self.parts.part()
            except EOFError:
                raise Gone from None
            if not part:
                break
            size += len(part)
            if size > limit:
                raise too_large(limit)
            parts.append(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _by_name(lines: Lines) -> dict[bytes, Any]:
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
