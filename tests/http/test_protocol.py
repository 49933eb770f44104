"""The connection's limits, over real sockets against uvicorn."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from scaivault.clock import FakeClock
from scaivault.http.answers import Reply
from scaivault.http.protocol import MAX_PIPELINE, protocol_class
from scaivault.http.protocol import Connection as Served
from scaivault.http.request import Gone, Request

# Short enough not to wait for, and far longer than a local exchange takes.
SOON = 0.05
NEVER = 3600.0
MAX_HEADERS = 2048

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class App:
    """Answers every request with what it was; a path of ``/held`` waits for ``release``."""

    seen: list[str] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    release: asyncio.Event = field(default_factory=asyncio.Event)
    held: asyncio.Event = field(default_factory=asyncio.Event)
    payload: bytes | None = None

    async def __call__(self, request: Request) -> Reply | None:
        path = request.path.decode()
        self.seen.append(path)
        if path == "/early":
            return _reply(b"early")
        if path == "/held":
            self.held.set()
            await self.release.wait()
        try:
            body = await request.body(1 << 40)
        except Gone:
            self.gone.set()
            return None
        self.headers += request.head.lines
        text = f"{request.method} {path} {body.decode('latin-1')}".encode()
        return _reply(text if self.payload is None else self.payload)


def _reply(body: bytes) -> Reply:
    return Reply(200, b"", body, len(body))


@dataclass
class Running:
    """A server on a free loopback port."""

    app: App
    server: uvicorn.Server
    port: int
    lost: asyncio.Event

    async def connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self.port)

    async def empty(self) -> None:
        """Until there was a connection and all are gone."""
        await asyncio.wait_for(self.lost.wait(), 30)
        self.lost.clear()
        assert not self.server.server_state.connections

    async def exchange(self, *chunks: bytes) -> bytes:
        """Send the chunks, then read until the server closes."""
        reader, writer = await self.connect()
        for chunk in chunks:
            writer.write(chunk)
            await writer.drain()
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def running(**limits: Any) -> AsyncIterator[Running]:
    bound: dict[str, Any] = {
        "max_headers": MAX_HEADERS,
        "header_timeout": NEVER,
        "body_timeout": NEVER,
        "max_connections": 64,
        "clock": FakeClock(),
    }
    keep_alive = limits.pop("keep_alive", 3600)
    app, lost = App(), asyncio.Event()

    class Watched(protocol_class(**(bound | limits))):  # type: ignore[misc]  # made at run time
        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            lost.set()

    config = uvicorn.Config(
        app,
        interface="asgi3",
        proxy_headers=False,
        http=Watched,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=keep_alive,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        await server.startup(sockets=[listener])
        try:
            yield Running(app, server, listener.getsockname()[1], lost)
        finally:
            app.release.set()
            for one in server.servers:
                one.close()
            for connection in list(server.server_state.connections):
                connection.transport.abort()
            await asyncio.gather(*server.server_state.tasks)


def envelope(answer: bytes) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Status, headers and ``error`` of an answer that is a refusal and nothing else."""
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert headers["content-length"] == str(len(body))
    error = json.loads(body)["error"]
    assert headers["x-request-id"] == error["request_id"]
    assert headers["connection"] == "close"
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-type"] == "application/json"
    return int(status.split()[1]), headers, error


def refused(answer: bytes, reason: str) -> None:
    status, _, error = envelope(answer)
    assert (status, error["code"]) == (400, "invalid_request")
    assert error["details"] == {"reason": reason}


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: v", *lines, "", ""]).encode()


def post(path: str, body: bytes, *lines: str) -> bytes:
    length = f"Content-Length: {len(body)}"
    return "\r\n".join([f"POST {path} HTTP/1.1", "Host: v", length, *lines, "", ""]).encode() + body


LAST = get("/last", "Connection: close")


def sized(total: int) -> bytes:
    """A request whose line and headers are ``total`` bytes."""
    bare = len(get("/sized", "X-Pad: ", "Connection: close"))
    return get("/sized", "X-Pad: " + "p" * (total - bare), "Connection: close")


async def test_plain_requests_pass_and_share_a_connection() -> None:
    async with running() as here:
        answer = await here.exchange(get("/one"), post("/two", b"body"), LAST)
        assert here.app.seen == ["/one", "/two", "/last"]
        assert answer.count(b"HTTP/1.1 200 OK") == 3
        assert b"GET /one " in answer
        assert b"POST /two body" in answer


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with running() as here:
        answer = await here.exchange(get("/one") + post("/two", b"x") + LAST)
        assert answer.index(b"GET /one") < answer.index(b"POST /two x") < answer.index(b"GET /last")


async def test_a_request_may_arrive_byte_by_byte() -> None:
    async with running() as here:
        whole = post("/bytes", b"body", "Connection: close")
        answer = await here.exchange(*(whole[at : at + 1] for at in range(len(whole))))
        assert b"POST /bytes body" in answer


# -- size of the head ----------------------------------------------------------------------------


async def test_the_head_may_be_as_large_as_the_limit() -> None:
    async with running() as here:
        assert len(sized(MAX_HEADERS)) == MAX_HEADERS
        assert b"200 OK" in await here.exchange(sized(MAX_HEADERS))
        refused(await here.exchange(sized(MAX_HEADERS + 1)), "headers_too_large")
        assert here.app.seen == ["/sized"]


async def test_one_endless_header_is_refused_before_it_ends() -> None:
    async with running() as here:
        start = b"GET / HTTP/1.1\r\nHost: v\r\nX: "
        refused(await here.exchange(start + b"x" * 3000), "headers_too_large")
        refused(await here.exchange(start, *[b"x" * 500] * 6), "headers_too_large")
        refused(await here.exchange(b"GET /" + b"a" * 3000), "headers_too_large")
        refused(await here.exchange(b"\r\n" * 2000), "headers_too_large")
        assert here.app.seen == []


async def test_many_small_headers_are_refused() -> None:
    async with running() as here:
        refused(await here.exchange(get("/", *["a: b"] * 600)), "headers_too_large")


async def test_a_body_does_not_count_as_head() -> None:
    async with running() as here:
        body = b"b" * (8 * MAX_HEADERS)
        answer = await here.exchange(post("/large", body), post("/again", body), LAST)
        assert answer.count(b"200 OK") == 3


async def test_a_large_head_behind_a_body_in_one_chunk_is_refused() -> None:
    async with running() as here:
        answer = await here.exchange(post("/first", b"b" * 3000) + sized(MAX_HEADERS + 1))
        first, _, rest = answer.partition(b"b" * 3000)
        assert first.startswith(b"HTTP/1.1 200 OK")
        refused(rest, "headers_too_large")
        assert here.app.seen == ["/first"]


@pytest.mark.parametrize(
    "late",
    [
        b"0\r\nX: " + b"x" * 2**20,
        b"0\r\n" + b"x: y\r\n" * 2**17,
        b"0;" + b"e" * 2**20,  # an extension of a chunk
    ],
)
async def test_what_stands_behind_a_body_has_an_end(late: bytes) -> None:
    async with running() as here:
        head = get("/", "Transfer-Encoding: chunked")
        # By far more than is read at a time, as the first of it may come with the body.
        refused(await here.exchange(head, b"3\r\nabc\r\n", late), "headers_too_large")


async def test_trailers_are_no_headers() -> None:
    """Neither when they arrive with the head, nor later."""
    async with running() as here:
        head = get("/chunked", "X-Forwarded-For: 203.0.113.9", "Transfer-Encoding: chunked")
        body = b"3\r\nabc\r\n0\r\n"
        late = b"X-Forwarded-For: 198.51.100.1\r\nAuthorization: Bearer t\r\n\r\n"
        answer = await here.exchange(head + body + late, head, body, late, LAST)
        assert answer.count(b"GET /chunked abc") == 2
        values = [value for name, value in here.app.headers if name == b"x-forwarded-for"]
        assert values == [b"203.0.113.9"] * 2
        assert b"authorization" not in dict(here.app.headers)


async def test_a_body_may_come_in_very_small_pieces() -> None:
    async with running() as here:
        head = get("/pieces", "Transfer-Encoding: chunked")
        pieces = b"1;extension=of-a-chunk\r\nb\r\n" * 300  # by far more than a head may have
        late = b"x: y\r\n" * 20 + b"\r\n"
        answer = await here.exchange(head + pieces + b"0\r\n" + late, LAST)
        assert b"GET /pieces " + b"b" * 300 in answer
        step = len(pieces) // 50
        parts = [pieces[at : at + step] for at in range(0, len(pieces), step)]
        answer = await here.exchange(head, *parts, b"0\r\n" + late + sized(MAX_HEADERS))
        assert answer.count(b"200 OK") == 2


# -- what is no request --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw",
    [
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: v\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT example.net:443 HTTP/1.1\r\nHost: v\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        get("/", "X Y: z"),
        get("/", "X: a\x00b"),
        get("/", "X: a", " folded"),
        get("/a b"),
        "GET /é HTTP/1.1\r\nHost: v\r\n\r\n".encode(),
        b"GET / HTTP/1.1\nHost: v\n\n",
        get("/", "Content-Length: 1", "Content-Length: 2"),
        get("/", "Content-Length: +1"),
        get("/", "Content-Length: 1, 1"),
        get("/", "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked", "Content-Length: 4") + b"0\r\n\r\n",
        get("/", "Transfer-Encoding: chunked, identity"),
        get("/", "Transfer-Encoding: xchunked"),
        get("/", "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        get("/", "Transfer-Encoding : chunked"),
    ],
)
async def test_a_malformed_request_gets_the_envelope(raw: bytes) -> None:
    async with running() as here:
        answer = await here.exchange(raw)
        refused(answer, "malformed_request")
        assert here.app.seen == []


async def test_exactly_one_host() -> None:
    async with running() as here:
        refused(await here.exchange(b"GET / HTTP/1.1\r\n\r\n"), "host")
        refused(await here.exchange(get("/", "Host: w")), "host")
        assert b"200 OK" in await here.exchange(b"GET /old HTTP/1.0\r\n\r\n")
        assert here.app.seen == ["/old"]


async def test_a_fragment_is_refused_not_dropped() -> None:
    async with running() as here:
        refused(await here.exchange(get("/v1/secrets/a#/../b")), "target")
        assert here.app.seen == []


async def test_a_broken_body_is_refused_and_the_application_let_go() -> None:
    async with running() as here:
        head = get("/broken", "Transfer-Encoding: chunked")
        refused(await here.exchange(head, b"5\r\nhello\r\n", b"zz\r\n"), "malformed_request")
        await here.app.gone.wait()


async def test_what_follows_a_refusal_is_not_read() -> None:
    async with running() as here:
        refused(await here.exchange(b"nonsense\r\n\r\n" + get("/after")), "malformed_request")
        refused(await here.exchange(b"nonsense\r\n\r\n", get("/after")), "malformed_request")
        assert here.app.seen == []


async def test_a_refusal_waits_for_the_answers_before_it() -> None:
    async with running() as here:
        reader, writer = await here.connect()
        writer.write(get("/held") + get("/next") + b"nonsense\r\n\r\n")
        await here.app.held.wait()
        here.app.release.set()
        answer = await reader.read()
        writer.close()
        first, second, last = answer.split(b"HTTP/1.1 ")[1:]
        assert first.endswith(b"GET /held ")
        assert second.endswith(b"GET /next ")
        refused(b"HTTP/1.1 " + last, "malformed_request")


async def test_a_queued_request_with_a_broken_body_is_dropped() -> None:
    async with running() as here:
        reader, writer = await here.connect()
        broken = get("/broken", "Transfer-Encoding: chunked") + b"zz\r\n"
        writer.write(get("/held") + broken)
        await here.app.held.wait()
        here.app.release.set()
        answer = await reader.read()
        writer.close()
        first, last = answer.split(b"HTTP/1.1 ")[1:]
        assert first.endswith(b"GET /held ")
        refused(b"HTTP/1.1 " + last, "malformed_request")
        assert here.app.seen == ["/held"]


async def test_a_body_that_breaks_after_its_answer_closes_without_a_word() -> None:
    async with running() as here:
        reader, writer = await here.connect()
        writer.write(get("/early", "Transfer-Encoding: chunked"))
        assert (await reader.readuntil(b"early")).startswith(b"HTTP/1.1 200 OK")
        writer.write(b"zz\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_a_pipeline_has_an_end() -> None:
    async with running() as here:
        answer = await here.exchange(get("/p") * (MAX_PIPELINE + 10))
        *answers, last = answer.split(b"HTTP/1.1 ")[1:]
        assert len(answers) == MAX_PIPELINE + 1
        refused(b"HTTP/1.1 " + last, "pipeline")


@pytest.mark.parametrize("protocol", ["websocket", "h2c"])
async def test_upgrades_are_ignored(protocol: str) -> None:
    async with running() as here:
        upgrade = ("Connection: Upgrade", f"Upgrade: {protocol}", "Sec-WebSocket-Version: 13")
        none = get("/two", "Content-Length: 0", *upgrade)
        answer = await here.exchange(get("/one", *upgrade) + none, get("/three", *upgrade) + LAST)
        assert here.app.seen == ["/one", "/two", "/three", "/last"]
        assert answer.count(b"HTTP/1.1 200 OK") == 4


async def test_upgrades_count_in_the_pipeline() -> None:
    async with running() as here:
        upgrade = get("/p", "Connection: Upgrade", "Upgrade: h2c")
        answer = await here.exchange(upgrade * 500)
        assert answer.count(b"HTTP/1.1 200 OK") == MAX_PIPELINE + 1
        refused(b"HTTP/1.1 " + answer.rpartition(b"HTTP/1.1 ")[2], "pipeline")


async def test_a_head_in_parts_behind_an_upgrade_is_measured_alone() -> None:
    async with running() as here:
        upgrade = get("/one", "Connection: Upgrade", "Upgrade: h2c", "X: " + "x" * 1500)
        last = sized(MAX_HEADERS)
        answer = await here.exchange(upgrade + last[:1000], last[1000:])
        assert here.app.seen == ["/one", "/sized"]
        assert answer.count(b"HTTP/1.1 200 OK") == 2


@pytest.mark.parametrize("length", ["Content-Length: 27", "Transfer-Encoding: chunked"])
async def test_an_upgrade_never_turns_a_body_into_a_request(length: str) -> None:
    async with running() as here:
        upgrade = get("/one", "Connection: Upgrade", "Upgrade: h2c", length)
        refused(await here.exchange(upgrade + get("/smuggled")), "upgrade")
        refused(await here.exchange(upgrade, get("/smuggled")), "upgrade")
        assert here.app.seen == []


# -- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "raw", [b"", b"GET /slow HTTP/1.1\r\nHost: v\r\n", b"\r\n"], ids=["silent", "partial", "blank"]
)
async def test_a_head_that_does_not_come_closes_the_connection(raw: bytes) -> None:
    async with running(header_timeout=SOON) as here:
        assert await here.exchange(raw) == b""
        assert here.app.seen == []


async def test_single_bytes_do_not_prolong_a_head() -> None:
    async with running(header_timeout=SOON) as here:
        reader, writer = await here.connect()
        closed = asyncio.ensure_future(reader.read())
        writer.write(b"GET / HTTP/1.1\r\nX: ")
        while not closed.done():
            writer.write(b"x")
            await asyncio.wait([closed], timeout=SOON / 10)
        # Bytes that meet a closed connection are answered by a reset, which may come first.
        if not isinstance(closed.exception(), ConnectionResetError):
            assert closed.result() == b""
        writer.close()


async def test_the_second_head_has_its_time_as_well() -> None:
    async with running(header_timeout=SOON) as here:
        answer = await here.exchange(get("/one"), b"GET /two HTTP/1.1\r\n")
        assert answer.endswith(b"GET /one ")
        assert here.app.seen == ["/one"]


async def test_blank_lines_do_not_keep_an_idle_connection() -> None:
    async with running(header_timeout=SOON) as here:
        reader, writer = await here.connect()
        writer.write(get("/one"))
        await reader.readuntil(b"GET /one ")
        writer.write(b"\r\n")
        assert await reader.read() == b""
        writer.close()


async def test_a_slow_body_closes_the_connection() -> None:
    async with running(body_timeout=SOON) as here:
        answer = await here.exchange(
            b"POST /slow HTTP/1.1\r\nHost: v\r\nContent-Length: 5\r\n\r\nab"
        )
        assert answer == b""
        await here.app.gone.wait()


async def test_a_body_may_not_trail_behind_its_answer_for_ever() -> None:
    async with running(body_timeout=SOON) as here:
        answer = await here.exchange(
            b"POST /early HTTP/1.1\r\nHost: v\r\nContent-Length: 5\r\n\r\nab"
        )
        assert answer.endswith(b"early")


async def test_an_idle_connection_is_closed() -> None:
    async with running(keep_alive=0) as here:
        assert (await here.exchange(get("/one"))).endswith(b"GET /one ")


async def test_a_complete_request_may_take_its_time() -> None:
    """Both timeouts pass while the application works; the answer still comes."""
    async with running(header_timeout=SOON, body_timeout=SOON) as here:
        reader, writer = await here.connect()
        writer.write(post("/held", b"body", "Connection: close"))
        other = await here.exchange(b"GET /slow")
        assert other == b""
        here.app.release.set()
        assert (await reader.read()).endswith(b"POST /held body")
        writer.close()


async def test_time_does_not_run_while_the_server_does_not_read() -> None:
    async with running(header_timeout=SOON, body_timeout=SOON) as here:
        reader, writer = await here.connect()
        writer.write(get("/held") + get("/queued") + b"GET /part HTTP/1.1\r\nHost: v\r\n")
        await here.app.held.wait()
        assert await here.exchange(b"GET /slow") == b""
        assert await here.exchange(b"GET /slow") == b""
        writer.write(b"Connection: close\r\n\r\n")
        here.app.release.set()
        assert (await reader.read()).endswith(b"GET /part ")
        writer.close()


async def test_a_client_that_does_not_read_is_dropped() -> None:
    async with running(body_timeout=SOON) as here:
        here.app.payload = b"z" * (32 << 20)
        with socket.create_connection(("127.0.0.1", here.port)) as client:
            client.sendall(get("/large"))
            await here.empty()
            assert here.app.seen == ["/large"]


# -- number of connections -----------------------------------------------------------------------


async def test_connections_beyond_the_limit_are_turned_away() -> None:
    async with running(max_connections=2) as here:
        first, second = await here.connect(), await here.connect()
        for reader, writer in (first, second):
            writer.write(get("/one"))
            await reader.readuntil(b"GET /one ")
        status, headers, error = envelope(await here.exchange())
        assert (status, error["code"]) == (503, "service_unavailable")
        assert error["details"] == {"reason": "connections"}
        assert headers["retry-after"] == "1"

        first[1].write(LAST)
        assert (await first[0].read()).endswith(b"GET /last ")
        first[1].close()
        assert (await here.exchange(LAST)).endswith(b"GET /last ")
        second[1].close()


async def test_nothing_is_left_behind() -> None:
    async with running(header_timeout=SOON, max_connections=1) as here:
        for raw in (b"nonsense\r\n\r\n", b"GET /", sized(MAX_HEADERS + 1), LAST) * 3:
            await here.exchange(raw)
            await here.empty()
        assert here.app.seen == ["/last"] * 3


def test_each_class_has_its_own_limits() -> None:
    small = protocol_class(1, 2.0, 3.0, 4)
    large = protocol_class(10, 20.0, 30.0, 40)
    assert issubclass(small, Served)
    assert (small.max_headers, small.header_timeout) == (1, 2.0)
    assert (large.body_timeout, large.max_connections) == (30.0, 40)
