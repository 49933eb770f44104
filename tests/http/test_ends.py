"""How answers and connections end: no answer is taken for another, no body for a request."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from scaivault.http.answers import Reply
from scaivault.http.request import Gone, Request
from tests.support.kept import Wire, connected, quiet

HOST = b"Host: v\r\n"
GET = b"GET /%b HTTP/1.1\r\n" + HOST + b"\r\n"


async def app(request: Request) -> Reply | None:
    """Answers with the path; ``/none`` not at all, ``/unread`` without a look at the body."""
    if request.path == b"/none":
        return None
    if request.path == b"/broken":
        raise LookupError
    if request.path != b"/unread":
        try:
            await request.body(1 << 20)
        except Gone:
            return None
    if request.path == b"/nothing":
        return Reply(204, b"", b"", 0)
    return Reply(200, b"", request.path, len(request.path))


async def exchanged(*pieces: bytes) -> Wire:
    """What came of these pieces, each sent when the last one was dealt with. Nothing but the
    application may fail."""
    connection, wire = connected(app)
    for piece in pieces:
        if not wire.closed:
            connection.data_received(piece)
        tasks = list(connection._state.tasks)
        await quiet()
        failed = [task.exception() for task in tasks if task.done()]
        assert [one for one in failed if not isinstance(one, LookupError | None)] == []
    return wire


@pytest.mark.parametrize("path", [b"none", b"broken"])
async def test_a_request_without_an_answer_ends_the_connection(path: bytes) -> None:
    """Else the client would take the next answer for this one's."""
    for pieces in ([GET % path, GET % b"next"], [GET % path + GET % b"next"]):
        wire = await exchanged(*pieces)
        assert wire.closed
        assert bytes(wire.sent) == b""


@pytest.mark.parametrize("pieces", [1, 2])
async def test_a_broken_body_is_refused_once(pieces: int) -> None:
    head = b"POST /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    body = b"5\r\nhello\r\nzz\r\n"
    wire = await exchanged(*([head + body] if pieces == 1 else [head, body]))
    assert bytes(wire.sent).count(b"HTTP/1.1 ") == 1
    assert wire.sent.startswith(b"HTTP/1.1 400 ")
    assert wire.ended


async def test_an_answer_without_content_has_no_length() -> None:
    """RFC 9110 section 8.6."""
    wire = await exchanged(GET % b"nothing", GET % b"next")
    first, _, rest = bytes(wire.sent).partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 204 ")
    assert b"content-length" not in first
    assert rest.startswith(b"HTTP/1.1 200 ")


# -- Expect: 100-continue ------------------------------------------------------------------------


def expecting(path: bytes, version: bytes = b"1.1", length: int = 0) -> bytes:
    length = length or len(GET % b"smuggled")
    return b"".join((
        b"POST /%b HTTP/%b\r\n" % (path, version), HOST,
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % length,
    ))  # fmt: skip


async def test_a_body_that_was_never_asked_for_ends_the_connection() -> None:
    """Whether it comes behind the answer is the client's choice, and a proxy between may choose
    otherwise than we think: what it sends next is a request to one and a body to the other."""
    wire = await exchanged(expecting(b"unread"), GET % b"smuggled")
    assert b"100 Continue" not in wire.sent
    assert b"connection: close" in wire.sent
    assert wire.closed
    assert b"smuggled" not in wire.sent


@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
async def test_a_body_is_asked_for_once_it_is_wanted(version: bytes) -> None:
    """Of HTTP/1.0 never: it knows no such answer (RFC 9110 section 10.1.1)."""
    connection, wire = connected(app)
    connection.data_received(expecting(b"asked", version, 3))
    await quiet()
    assert bytes(wire.sent) == (b"HTTP/1.1 100 Continue\r\n\r\n" if version == b"1.1" else b"")
    connection.data_received(b"abc")
    await asyncio.gather(*connection._state.tasks)
    assert wire.sent.endswith(b"/asked")
    assert wire.closed is (version == b"1.0")


@pytest.mark.parametrize("path", [b"read", b"unread"])
async def test_a_body_that_did_not_wait(path: bytes) -> None:
    """It is there: the connection goes on behind it."""
    wire = await exchanged(expecting(path, length=3) + b"abc", GET % b"next")
    assert b"connection: close" not in wire.sent
    assert wire.sent.endswith(b"/next")


# -- stops, and who leaves -----------------------------------------------------------------------


async def test_a_stop_lets_out_what_is_under_way() -> None:
    """All that came before it is answered, the last one with the word that it is the last; what
    comes behind it is not begun."""
    go, begun = asyncio.Event(), []

    async def held(request: Request) -> Reply:
        begun.append(request.path)
        await go.wait()
        return Reply(200, b"", request.path, len(request.path))

    connection, wire = connected(held)
    connection.data_received(GET % b"one" + GET % b"two")
    await quiet()
    connection.shutdown()
    connection.data_received(GET % b"late")
    go.set()
    await quiet()
    first, second = bytes(wire.sent).split(b"HTTP/1.1 200 OK\r\n")[1:]
    assert (b"connection: close" in first, first.endswith(b"/one")) == (False, True)
    assert (b"connection: close" in second, second.endswith(b"/two")) == (True, True)
    assert wire.closed
    assert begun == [b"/one", b"/two"]


async def test_a_stop_ends_what_is_idle() -> None:
    connection, wire = connected(app)
    connection.data_received(GET % b"one")
    await quiet()
    assert not wire.closed
    connection.shutdown()
    assert wire.closed


async def test_who_left_leaves_nothing_behind() -> None:
    """No request of his is begun, and no timer holds the connection."""
    go, begun = asyncio.Event(), []

    async def held(request: Request) -> Reply:
        begun.append(request.path)
        await go.wait()
        return Reply(200, b"", b"", 0)

    connection, wire = connected(held)
    connection.data_received(GET % b"one" + GET % b"two" + b"GET /part HTT")
    await quiet()
    wire.close()
    connection.connection_lost(None)
    go.set()
    await quiet()
    assert begun == [b"/one"]
    assert bytes(wire.sent) == b""
    assert connection._deadline is None
    assert connection._state.connections == set()


LINES = b"".join(b"x%d:\r\n" % number for number in range(2000))
CHEAP: dict[str, tuple[bytes, bytes]] = {
    "few lines": (b"", b""),
    "many lines": (LINES, b""),
    "many lines and a body": (LINES + b"Content-Length: 3\r\n", b"abc"),
    "one long line": (b"X: " + b"x" * 30_000 + b"\r\n", b""),
    "blank lines behind": (b"", b"\r\n" * 20_000),
}


@pytest.mark.parametrize(("lines", "behind"), CHEAP.values(), ids=CHEAP)
async def test_an_idle_connection_holds_little(lines: bytes, behind: bytes) -> None:
    """A few bytes are a line, and a line is some hundred bytes of objects: who sends thousands of
    them on each connection, and no token, costs no memory but while he is answered."""
    connections = []
    gc.collect()
    tracemalloc.start()
    for _ in range(20):
        connection, wire = connected(app)
        connection.data_received(b"GET /many HTTP/1.1\r\n" + HOST + lines + b"\r\n" + behind)
        await quiet()
        assert wire.sent.endswith(b"/many")
        connections.append((connection, wire))
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held // len(connections) < 24_000
