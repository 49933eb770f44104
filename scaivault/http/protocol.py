"""One TCP connection: HTTP/1.1 within limits that hold before the application sees anything.

llhttp (through httptools) parses; this says what may come, hands each request to the responder
behind it, and writes the answer, head and body in one system call. Against

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
the usual request nothing: one is only set when a chunk ends inside a head or a body, and one
for an idle connection looks again only when it is due.

A client sends the same header lines with each request. Where a chunk is one whole request without
a body, and behind its request line byte for byte what the last one was, it is not parsed anew: of
the 75 us that parser and callbacks took of a read, 5 are left. ``_again`` has the conditions.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import deque
from collections.abc import Callable
from operator import itemgetter
from typing import Any, ClassVar, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.utils import get_remote_addr, is_ssl
from uvicorn.server import ServerState

from scaivault.clock import Clock, SystemClock
from scaivault.errors import Refusal
from scaivault.http import answers
from scaivault.http.answers import Reply, Responder
from scaivault.http.flow import Body, Flow
from scaivault.http.request import Head, Lines, Request
from scaivault.ids import timed_id

log = logging.getLogger("scaivault.http")

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
# What changes how the bytes behind a head are read, or when: such a head is parsed each time.
_FRAMING: Final = frozenset(
    (b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"trailer", b"te")
)
_BODIED: Final = frozenset((b"content-length", b"transfer-encoding"))
# Heads that are remembered: an idle connection of somebody whom nobody knows holds one of them, and
# a line of a few bytes is a hundred bytes of objects.
_LEARN_LONGEST: Final = 8192
_LEARN_LINES: Final = 64
# Stricter than llhttp: what does not fit is parsed.
_LINE: Final = re.compile(
    rb"(GET|HEAD|DELETE) (/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)"
    rb"(?:\?([A-Za-z0-9._~!$&'()*+,;=:@%/?-]*))? HTTP/1\.1"
)
_METHODS: Final = {b"GET": "GET", b"HEAD": "HEAD", b"DELETE": "DELETE"}

# What of a request the connection is in the middle of (plain numbers: looked at for each chunk).
NOTHING: Final = 0
HEAD: Final = 1
BODY: Final = 2


class _Waiting:
    """A request that has no answer yet. ``gone``: nobody is there to be answered."""

    __slots__ = ("body", "gone", "keep_alive", "request")

    def __init__(self, request: Request, body: Body | None, keep_alive: bool) -> None:
        self.request: Final = request
        self.body = body
        self.keep_alive = keep_alive
        self.gone = False

    def lose(self) -> None:
        """The client left, or sent what cannot be read."""
        self.gone = True
        if self.body is not None:
            self.body.lose()


class Connection(asyncio.Protocol):
    """``protocol_class`` sets the limits; uvicorn's server makes one per connection."""

    max_headers: ClassVar[int]
    header_timeout: ClassVar[float]
    body_timeout: ClassVar[float]
    max_connections: ClassVar[int]
    clock: ClassVar[Clock]
    _dated: ClassVar[list[tuple[Any, bytes]]] = [(None, b"")]

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: Any,
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._loop: Final = _loop or asyncio.get_event_loop()
        self._respond: Final[Responder] = config.loaded_app  # which is no ASGI application
        self._keep_alive: Final = config.timeout_keep_alive
        self._state: Final = server_state
        self.parser: Any = httptools.HttpRequestParser(self)
        self._present: _Waiting | None = None
        self._pipeline: deque[_Waiting] = deque()
        self._newest: _Waiting | None = None  # whose body comes in
        self._url = b""
        self._lines: Lines = []
        self._continue = False
        self._part: int = NOTHING
        self._heads = 0  # complete ones
        # Received since the last complete head or piece of a body: never too few.
        self._head_bytes = 0
        self._piece = False  # of a body, in the present chunk
        self._fault = "malformed_request"
        self._refused: Refusal | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._idle_since = 0.0
        self._idle_look: asyncio.TimerHandle | None = None
        self._last = b""  # what stood behind the request line, if the next request may have it too
        self._head: Head | None = None
        self._recent: Head | None = None  # that was parsed last

    # -- the connection --------------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # a stream's
        self.transport = transport
        self._flow = Flow(transport)
        address = get_remote_addr(transport)
        self._client = address[0] if address else None
        self._https = is_ssl(transport)
        connections = self._state.connections
        connections.add(self)  # type: ignore[arg-type]  # uvicorn names its own two
        if len(connections) <= self.max_connections:
            self._arm(self.header_timeout, self._late)
            return
        self._refused = Refusal(
            "service_unavailable", "too many connections, try again", reason="connections"
        )
        transport.write(self._envelope(self._refused))
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._state.connections.discard(self)
        self._disarm()
        if self._idle_look is not None:
            self._idle_look.cancel()
        self.resume_writing()
        waiting = self._present
        if waiting is not None:
            waiting.lose()
        self.parser = None  # it has us, and we had it

    def data_received(self, data: bytes) -> None:
        if self._refused is not None or self._again(data):
            return
        in_body, heads = self._part == BODY, self._heads
        alone = self._part == NOTHING and not self._head_bytes
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
            if alone and heads + 1 == self._heads and self._part == NOTHING:
                self._learn(data)
        elif self._head_bytes > self.max_headers:
            self._refuse("headers_too_large")
            return
        if self._deadline is None and (self._part != NOTHING or self._is_idle()):
            self._arm(self.body_timeout if self._part == BODY else self.header_timeout, self._late)

    def eof_received(self) -> None:
        """Nothing more comes; the transport closes."""

    def _is_idle(self) -> bool:
        return self._present is None

    # -- the same head again ---------------------------------------------------------------

    def _learn(self, data: bytes) -> None:
        """The chunk was one whole request. Unless its head says how its bytes are to be read, the
        next one may stand behind the same lines."""
        newest, end = self._newest, data.find(b"\r\n")
        if newest is None or newest.body is not None or not newest.keep_alive or end <= 0:
            return
        head = newest.request.head
        if head is not self._recent or len(data) > _LEARN_LONGEST:
            return
        if _FRAMING.isdisjoint(map(_NAME, head.lines)):
            self._last, self._head = data[end:], head

    def _again(self, data: bytes) -> bool:
        """Whether the chunk is one whole request behind whose request line stands what stood there
        before; it is begun then. Nothing of another request may be under way."""
        last = self._last
        if not last or self._part != NOTHING or self._present is not None or self._head_bytes:
            return False
        if not data.endswith(last) or len(data) > self.max_headers or self._head is None:
            return False
        line = _LINE.fullmatch(data, 0, len(data) - len(last))
        if line is None:
            return False
        if self._deadline is not None:
            self._disarm()
        method, path, query = line.groups(b"")
        self._begin(self._waiting(_METHODS[method], path, query, self._head, None, True))
        return True

    # -- the parser's calls ----------------------------------------------------------------

    def on_message_begin(self) -> None:
        self._url, self._lines = b"", []
        self._continue = False
        self._part = HEAD

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._part == HEAD:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self._continue = True
            self._lines.append((name, value))

    def on_headers_complete(self) -> None:
        fault = self._head_fault()
        if fault is not None:
            self._fault = fault
            raise httptools.HttpParserError(fault)
        parser = self.parser
        path, _, query = _origin(self._url).partition(b"?")
        keep_alive = parser.get_http_version() != "1.0" and parser.should_keep_alive()
        framed = not _BODIED.isdisjoint(map(_NAME, self._lines))
        go_on = self._go_on if self._continue and parser.get_http_version() == "1.1" else None
        body = Body(self._flow, go_on) if framed else None
        waiting = self._waiting(
            parser.get_method().decode("ascii"), path, query, self._known(), body, keep_alive
        )
        if self._present is None:
            self._begin(waiting)
        else:
            self._flow.pause_reading()
            self._pipeline.append(waiting)
        self._part = BODY
        self._heads += 1
        if self._deadline is not None:
            self._disarm()

    def _known(self) -> Head:
        """The head of these lines: that of the request before, if they are the same, with all that
        was found out from it."""
        recent, lines = self._recent, self._lines
        if recent is not None and recent.lines == lines:
            return recent
        head = Head(lines)
        self._recent = head if self._is_small(lines) else None
        return head

    def _is_small(self, lines: Lines) -> bool:
        return len(lines) <= _LEARN_LINES and (
            self._head_bytes <= _LEARN_LONGEST or self._head_size() <= _LEARN_LONGEST
        )

    def on_body(self, body: bytes) -> None:
        self._piece = True
        if self._newest is not None and self._newest.body is not None:
            self._newest.body.add(body)

    def on_message_complete(self) -> None:
        if self._newest is not None and self._newest.body is not None:
            self._newest.body.end()
        self._part = NOTHING
        if self._deadline is not None:
            self._disarm()

    def _waiting(
        self,
        method: str,
        path: bytes,
        query: bytes,
        head: Head,
        body: Body | None,
        keep_alive: bool,
    ) -> _Waiting:
        request = Request(method, path, query, head, self._client, https=self._https, parts=body)
        waiting = self._newest = _Waiting(request, body, keep_alive)
        return waiting

    def _head_fault(self) -> str | None:
        if self._head_bytes > self.max_headers and self._head_size() > self.max_headers:
            return "headers_too_large"
        if b"#" in self._url:
            return "target"
        names = list(map(_NAME, self._lines))
        hosts = names.count(b"host")
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            return "host"
        if b"transfer-encoding" in names and not self._is_chunked():
            return "malformed_request"
        if self.parser.should_upgrade() and self._has_body():
            return "upgrade"
        return "pipeline" if len(self._pipeline) >= MAX_PIPELINE else None

    def _is_chunked(self) -> bool:
        """llhttp refuses other codings too, but only when the application has the request."""
        codings = [value.lower() for name, value in self._lines if name == b"transfer-encoding"]
        return codings == [b"chunked"] and self.parser.get_http_version() == "1.1"

    def _has_body(self) -> bool:
        """Behind an upgrade request the parser takes a body for the next request."""
        return any(
            name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
            for name, value in self._lines
        )

    def _head_size(self) -> int:
        """Bytes on the wire, with one blank behind each colon."""
        line = len(self.parser.get_method()) + len(self._url) + len("  HTTP/1.1\r\n")
        return line + sum(len(name) + len(value) + 4 for name, value in self._lines) + 2

    # -- answers ---------------------------------------------------------------------------

    def _begin(self, waiting: _Waiting) -> None:
        self._present = waiting
        task = self._loop.create_task(self._answered(waiting))
        tasks = self._state.tasks
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _answered(self, waiting: _Waiting) -> None:
        try:
            reply = await self._respond(waiting.request)
            if reply is None:
                self._unanswered(waiting)
            elif not waiting.gone:
                await self._flow.writable()
                self._tell(waiting, reply)
        except BaseException:
            self._close()
            raise
        finally:
            self._done(waiting)

    def _unanswered(self, waiting: _Waiting) -> None:
        """There is no answer: the next one must not be taken for it."""
        if not waiting.gone:
            self._close()

    def _tell(self, waiting: _Waiting, reply: Reply) -> None:
        if waiting.gone or self.transport.is_closing():
            return
        if waiting.body is not None and waiting.body.unasked:
            # The client waits for 100-continue: whether it sends the body behind this answer is
            # its choice, and what a proxy takes for the next request we would take for the body.
            waiting.keep_alive = False
        length = b"" if reply.status == 204 else b"content-length: %d\r\n" % reply.length
        end = b"" if waiting.keep_alive else b"connection: close\r\n"
        self.transport.write(
            b"%b%b%b%b%b\r\n%b"
            % (STATUS_LINE[reply.status], self._general(), reply.head, length, end, reply.body)
        )

    def _general(self) -> bytes:
        """The header lines of all answers; uvicorn makes a new list of them each second."""
        lines, text = self._dated[0]
        if lines is not self._state.default_headers:
            lines = self._state.default_headers
            text = answers.rendered(lines)
            self._dated[0] = lines, text
        return text

    def _go_on(self) -> None:
        """100-continue: the body is wanted."""
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _done(self, waiting: _Waiting) -> None:
        """The present request has its answer, or nobody to give it to."""
        waiting.body = None  # what still comes of it is dropped
        self._present = None
        if waiting.gone:  # and so is the connection, or it has been told why it ends
            return
        if not waiting.keep_alive:
            self.transport.close()
        if self.transport.is_closing():
            self._arm(self.body_timeout, self.transport.abort)
            return
        if self._flow.reading_paused:
            self._flow.resume_reading()
        if self._pipeline:
            self._begin(self._pipeline.popleft())
        elif self._refused is not None:
            self._answer()
        else:
            if self._part == NOTHING:  # an idle connection holds no request
                self._newest, self._lines = None, []
            self._idle_since = self._loop.time()
            if self._idle_look is None:
                self._look_again(self._keep_alive)

    def shutdown(self) -> None:
        """uvicorn stops: the last answer that is under way ends the connection."""
        if self._present is None:
            self.transport.close()
        else:
            last = self._pipeline[-1] if self._pipeline else self._present
            last.keep_alive = False

    # -- refusals --------------------------------------------------------------------------

    def _refuse(self, reason: str) -> None:
        """Nothing more is read. The answer leaves when all earlier requests have theirs."""
        self._refused = Refusal("invalid_request", _REASONS[reason], reason=reason)
        self._disarm()
        if self._part == BODY:
            self._refuse_body()
        elif self._present is None:
            self._answer()

    def _refuse_body(self) -> None:
        """The newest request is at fault itself, and the application may have begun it."""
        if self._pipeline:
            self._pipeline.pop()
        elif self._present is None:
            self._close()  # it has its answer already
        else:
            self._present.lose()
            self._answer()

    def _answer(self) -> None:
        assert self._refused is not None
        self.transport.write(self._envelope(self._refused))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._arm(LINGER, self.transport.abort)

    def _envelope(self, refusal: Refusal) -> bytes:
        request_id = timed_id("req_", self.clock.now())
        answer = answers.refused(refusal, request_id)
        lines = [
            *self._state.default_headers,
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", request_id.encode()),
            *answers.COMMON,
            (b"connection", b"close"),
        ]
        if self._https:
            lines.append(answers.HTTPS_ONLY)
        return STATUS_LINE[refusal.status] + answers.rendered(lines) + b"\r\n" + answer.body

    # -- time ------------------------------------------------------------------------------

    def _arm(self, delay: float, then: Callable[[], object]) -> None:
        self._disarm()
        self._deadline = self._loop.call_later(delay, then)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        """A part of a request did not come in time; while we do not read, that is our doing."""
        if self._flow.reading_paused:
            body = self._part == BODY
            self._arm(self.body_timeout if body else self.header_timeout, self._late)
        else:
            self._close()

    def _look_again(self, delay: float) -> None:
        self._idle_look = self._loop.call_later(delay, self._look)

    def _look(self) -> None:
        """Close the connection if it was idle for long; a timer of its own for each request would
        cost more than the parsing."""
        left = self._idle_since + self._keep_alive - self._loop.time()
        if self._present is not None or self._part != NOTHING:
            self._look_again(self._keep_alive)
        elif left > 0:
            self._look_again(left)
        else:
            self._close()

    def _close(self) -> None:
        """``close`` alone would wait for ever on a peer that does not read."""
        self.transport.close()
        self._arm(LINGER, self.transport.abort)

    def pause_writing(self) -> None:
        self._flow.pause_writing()
        self._stall = self._loop.call_later(self.body_timeout, self.transport.abort)

    def resume_writing(self) -> None:
        if self._stall is not None:
            self._stall.cancel()
            self._stall = None
        self._flow.resume_writing()


def _origin(url: bytes) -> bytes:
    """Path and query of a target; a proxy's form names the server too (RFC 9112 section 3.2.2)."""
    if url.startswith(b"/"):
        return url
    parsed = httptools.parse_url(url)
    return bytes(parsed.path or b"") + (b"?" + parsed.query if parsed.query else b"")


_SYSTEM: Final = SystemClock()


def protocol_class(
    max_headers: int,
    header_timeout: float,
    body_timeout: float,
    max_connections: int,
    clock: Clock = _SYSTEM,
) -> type[Connection]:
    """``Connection`` for ``uvicorn.Config(http=...)``: bytes, seconds, seconds, connections.

    ``clock`` dates the request ids of refusals.
    """
    bound: dict[str, Any] = {
        "max_headers": max_headers,
        "header_timeout": header_timeout,
        "body_timeout": body_timeout,
        "max_connections": max_connections,
        "clock": clock,
    }
    return type("BoundConnection", (Connection,), bound)
