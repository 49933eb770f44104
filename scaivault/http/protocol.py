"""One TCP connection: limits that hold before the application sees anything.

uvicorn's httptools protocol parses and answers; this one adds what it leaves open. Against

- large or endless heads: request line and headers together have a limit in bytes, and so has
  what stands between two pieces of a body or behind the last (chunk extensions, trailers);
- slow clients (slowloris): a head has to be complete ``header_timeout`` after the connection or
  its first byte, a body ``body_timeout`` after its head, however steadily single bytes arrive;
  a client that stops reading its answer has ``body_timeout`` as well;
- too many connections, too deep pipelines, upgrades (there is nothing to upgrade to: ignored);
- requests that two parsers could read in two ways (RFC 9112 sections 3.2, 6.3): no or two
  ``Host``, a fragment in the target, and what llhttp refuses: ``Content-Length`` next to
  ``Transfer-Encoding``, two lengths, bare line ends, folded headers;
- headers that come late: the trailer fields of a chunked body are dropped (RFC 9110 section
  6.5.1). As headers they would stand behind those that a proxy added or checked.

A refusal is the project's error envelope, and the connection is closed behind it. Timers cost
the usual request nothing: one is only set when a chunk ends inside a head or a body.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from operator import itemgetter
from typing import Any, ClassVar, Final

import httptools
import msgspec
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from scaivault.clock import Clock, SystemClock
from scaivault.errors import Refusal
from scaivault.ids import timed_id

MAX_PIPELINE: Final = 64
# How long a refused client may take to read its answer. Closing at once would answer bytes
# still on their way with a reset, and that can overtake the answer.
LINGER: Final = 2.0

_REASONS: Final = {
    "malformed_request": "the request is not valid HTTP/1.1",
    "headers_too_large": "the request line and headers are too large",
    "host": "the request must have exactly one Host header",
    "target": "the request target must not hold a fragment",
    "upgrade": "a request with a body must not ask for an upgrade",
    "pipeline": "too many requests were sent before their answers",
}

_NAME: Final = itemgetter(0)  # of a header

# What of a request the connection is in the middle of (plain numbers: looked at for each chunk).
NOTHING: Final = 0
HEAD: Final = 1
BODY: Final = 2


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's protocol within limits; ``protocol_class`` sets them."""

    max_headers: ClassVar[int]
    header_timeout: ClassVar[float]
    body_timeout: ClassVar[float]
    max_connections: ClassVar[int]
    clock: ClassVar[Clock]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._part: int = NOTHING
        self._heads = 0  # complete ones
        # Received since the last complete head or piece of a body: never too few.
        self._head_bytes = 0
        self._piece = False  # of a body, in the present chunk
        self._fault = "malformed_request"
        self._refused: Refusal | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None

    # -- the connection --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn narrows it
        super().connection_made(transport)
        if len(self.connections) <= self.max_connections:
            self._arm(self.header_timeout, self._late)
            return
        self._refused = Refusal(
            "service_unavailable", "too many connections, try again", reason="connections"
        )
        transport.write(self._envelope(self._refused))
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._disarm()
        self._unset_keepalive_if_required()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused is not None:
            return
        self._unset_keepalive_if_required()
        in_body, heads = self._part == BODY, self._heads
        self._piece = False
        self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # The parser stops behind a request that asks for an upgrade; go on, as HTTP. This
            # recurses at most as deep as the pipeline may be.
            self._head_bytes = 0
            self.data_received(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(self._fault)
            return
        over = in_body and (self._piece or self._part != BODY)
        if over or heads != self._heads:
            self._head_bytes = 0
        elif self._head_bytes > self.max_headers:
            self._refuse("headers_too_large")
            return
        if self._deadline is None and (self._part != NOTHING or self._idle()):
            self._arm(self.body_timeout if self._part == BODY else self.header_timeout, self._late)

    def _should_upgrade(self) -> bool:
        return False

    def _idle(self) -> bool:
        # Typed as always there; None until the first request.
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        cycle.send = _Whole(cycle).send  # type: ignore[method-assign]  # one system call, not two
        super()._start_asgi_task(cycle, app)

    # -- the parser's calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._part = HEAD

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part == HEAD:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        fault = self._head_fault()
        if fault is not None:
            self._fault = fault
            raise httptools.HttpParserError(fault)
        super().on_headers_complete()
        self._part = BODY
        self._heads += 1
        if self._deadline is not None:
            self._disarm()

    def on_body(self, body: bytes) -> None:
        self._piece = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._part = NOTHING
        if self._deadline is not None:
            self._disarm()

    def _head_fault(self) -> str | None:
        if self._head_bytes > self.max_headers and self._head_size() > self.max_headers:
            return "headers_too_large"
        if b"#" in self.url:
            return "target"
        names = list(map(_NAME, self.headers))
        hosts = names.count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            return "host"
        if b"transfer-encoding" in names and not self._chunked():
            return "malformed_request"
        if self.parser.should_upgrade() and self._has_body():
            return "upgrade"
        return "pipeline" if len(self.pipeline) >= MAX_PIPELINE else None

    def _chunked(self) -> bool:
        """llhttp refuses other codings too, but only when the application has the request."""
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        return codings == [b"chunked"] and self.parser.get_http_version() == "1.1"

    def _has_body(self) -> bool:
        """Behind an upgrade request the parser takes a body for the next request."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self.headers
        )

    def _head_size(self) -> int:
        """Bytes on the wire, with one blank behind each colon."""
        line = len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self.headers) + 2

    # -- refusals --------------------------------------------------------------------------

    def _refuse(self, reason: str) -> None:
        """Nothing more is read. The answer leaves when all earlier requests have theirs."""
        self._refused = Refusal("invalid_request", _REASONS[reason], reason=reason)
        self._disarm()
        if self._part == BODY:
            self._refuse_body()
        elif self._idle():
            self._answer()

    def _refuse_body(self) -> None:
        """The newest request is at fault itself, and the application may have begun it."""
        if self.pipeline:
            self.pipeline.popleft()
        elif self.cycle.response_started:
            self._close()
        else:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self._answer()

    def on_response_complete(self) -> None:
        last = not self.pipeline
        super().on_response_complete()
        if self.transport.is_closing():
            self._arm(self.body_timeout, self.transport.abort)
        elif last and self._refused is not None:
            self._answer()

    def _answer(self) -> None:
        assert self._refused is not None
        self._unset_keepalive_if_required()
        self.transport.write(self._envelope(self._refused))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._arm(LINGER, self.transport.abort)

    def _envelope(self, refusal: Refusal) -> bytes:
        request_id = timed_id("req_", self.clock.now())
        error = {
            "code": refusal.code,
            "message": refusal.message,
            "details": refusal.details,
            "request_id": request_id,
        }
        body = msgspec.json.encode({"error": error})
        headers = [
            *self.server_state.default_headers,
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", request_id.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        if refusal.status == 503:
            headers.append((b"retry-after", b"1"))
        if self.scheme == "https":
            headers.append((b"strict-transport-security", b"max-age=31536000"))
        lines = b"".join(b"%s: %s\r\n" % header for header in headers)
        return STATUS_LINE[refusal.status] + lines + b"\r\n" + body

    # -- time ------------------------------------------------------------------------------

    def _arm(self, delay: float, then: Callable[[], None]) -> None:
        self._disarm()
        self._deadline = self.loop.call_later(delay, then)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        """A part of a request did not come in time; while we do not read, that is our doing."""
        if self.flow.read_paused:
            body = self._part == BODY
            self._arm(self.body_timeout if body else self.header_timeout, self._late)
        else:
            self._close()

    def timeout_keep_alive_handler(self) -> None:
        self._close()

    def _close(self) -> None:
        """``close`` alone would wait for ever on a peer that does not read."""
        self.transport.close()
        self._arm(LINGER, self.transport.abort)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stall = self.loop.call_later(self.body_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        super().resume_writing()


class _Whole:
    """The sending half of ASGI for answers that are whole: head and body leave in one write.

    uvicorn writes the head when it hears of it; a write costs about as much as all else in there
    (20 us of a request's 100). The application behind this protocol tells start, then the one
    body, with a Content-Length and with header values of its own making."""

    __slots__ = ("_cycle", "_head")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._head: Any = None

    async def send(self, message: Any) -> None:
        """``http.response.start``, then ``http.response.body``."""
        cycle = self._cycle
        if self._head is None:
            self._head = message
            return
        if cycle.flow.write_paused and not cycle.disconnected:
            await cycle.flow.drain()
        if cycle.disconnected or cycle.response_complete:
            return
        cycle.response_started = True
        cycle.waiting_for_100_continue = False
        lines = [STATUS_LINE[self._head["status"]]]
        for name, value in cycle.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in self._head["headers"]:
            lines += (name, b": ", value, b"\r\n")
        lines.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        lines.append(message["body"])
        cycle.transport.write(b"".join(lines))
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            cycle.transport.close()
        cycle.on_response()


_SYSTEM: Final = SystemClock()


def protocol_class(
    max_headers: int,
    header_timeout: float,
    body_timeout: float,
    max_connections: int,
    clock: Clock = _SYSTEM,
) -> type[LimitedProtocol]:
    """``LimitedProtocol`` for ``uvicorn.Config(http=...)``: bytes, seconds, seconds, connections.

    ``clock`` dates the request ids of refusals.
    """
    limits: dict[str, Any] = {
        "max_headers": max_headers,
        "header_timeout": header_timeout,
        "body_timeout": body_timeout,
        "max_connections": max_connections,
        "clock": clock,
    }
    return type("BoundProtocol", (LimitedProtocol,), limits)
