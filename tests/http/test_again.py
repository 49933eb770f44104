"""A head that comes a second time is not parsed anew, and nobody can tell: whatever comes in, in
whatever pieces, a connection that takes the short way and one that parses all of it say the same,
and hand over the same requests."""

from __future__ import annotations

import asyncio
import itertools
import re
from collections import deque
from typing import Any, NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scaivault.clock import FakeClock
from scaivault.http.answers import Reply
from scaivault.http.protocol import MAX_PIPELINE, protocol_class
from scaivault.http.request import Gone, Head, Request
from tests.support.kept import FAR, connected, quiet

MAX_HEADERS = 640
Limited = protocol_class(MAX_HEADERS, FAR, FAR, 64, FakeClock())


class Short(Limited):  # type: ignore[misc,valid-type]  # made at run time
    """As it is; counts."""

    taken = 0

    def _again(self, data: bytes) -> bool:
        found: bool = super()._again(data)
        type(self).taken += found
        return found


class Long(Limited):  # type: ignore[misc,valid-type]  # made at run time
    """Parses everything, and knows no head again."""

    def _again(self, data: bytes) -> bool:
        return False

    def _known(self) -> Head:
        return Head(self._lines)


class App:
    """Keeps what it is given, and answers when it is told to."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        self._waiting: deque[asyncio.Event] = deque()

    async def __call__(self, request: Request) -> Reply | None:
        told = (
            request.method, request.path, request.query, list(request.head.lines), request.client,
            request.https, request.parts is not None,
        )  # fmt: skip
        turn = asyncio.Event()
        self._waiting.append(turn)
        self.given.append(told)
        await turn.wait()
        body = b""
        if request.path != b"/unread":
            try:
                body = await request.body(1 << 20)
            except Gone:
                self.given.append("gone")
                return None
        self.given.append(body)
        text = b"%d" % len(self.given)
        status = 204 if request.path == b"/empty" else 200
        length = 0 if status == 204 else len(text)
        return Reply(
            status, b"x: y\r\n", b"" if request.method == "HEAD" else text[:length], length
        )

    def answer(self) -> None:
        if self._waiting:
            self._waiting.popleft().set()


class Side:
    """One of the two connections."""

    def __init__(self, kind: type[Any]) -> None:
        self.app = App()
        self.connection, self.wire = connected(self.app, kind)

    async def feed(self, data: bytes) -> None:
        # A transport that is closed, or does not read, hands over nothing.
        if not (self.wire.closed or self.wire.paused):
            self.connection.data_received(data)
        await quiet()

    async def answer(self) -> None:
        self.app.answer()
        await quiet()

    @property
    def seen(self) -> tuple[Any, ...]:
        """Whatever anybody can see of it: the client, the application, the clock."""
        said = re.sub(rb"req_[0-9a-z]{26}", b"req_", bytes(self.wire.sent))
        connection, wire = self.connection, self.wire
        return (
            said, self.app.given, wire.closed, wire.ended, wire.paused,
            connection._part, connection._head_bytes, connection._deadline is None,
            connection._present is None, len(connection._pipeline),
        )  # fmt: skip


class Feed(NamedTuple):
    data: bytes


class Answer(NamedTuple):
    """The oldest request that has none gets its answer."""


async def compared(steps: list[Feed | Answer]) -> None:
    short, long = Side(Short), Side(Long)
    for step in steps:
        for side in (short, long):
            if isinstance(step, Feed):
                await side.feed(step.data)
            else:
                await side.answer()
        assert short.seen == long.seen, step
    for side in (short, long):
        side.connection.connection_lost(None)
        for task in list(side.connection._state.tasks):
            task.cancel()
        await quiet()


# -- what comes in -------------------------------------------------------------------------------

HOST = b"Host: v\r\n"
AUTH = b"Authorization: Bearer skt_one\r\n"
# Few of them, so that they come again; each next to one that differs where it counts.
BLOCKS = [
    HOST, HOST + AUTH, b"host: v\r\n" + AUTH, HOST + AUTH[:-3] + b"two\r\n", AUTH + HOST,
    HOST + b"X-Tenant-ID: tnt_a\r\n", HOST + b"X-Tenant-ID: tnt_b\r\n", HOST + b"Host: w\r\n",
    HOST + b"X-Request-ID: mine\r\n", HOST + b"X-Forwarded-For: 192.0.2.1\r\n",
    HOST + b"Idempotency-Key: k\r\n", HOST + b"Accept:\t*/*  \r\n", HOST + b"A:\r\nB: \r\n",
    HOST + b"Connection: keep-alive\r\n", HOST + b"Connection: close\r\n",
    HOST + b"Connection: keep-alive, close\r\n", HOST + b"Proxy-Connection: close\r\n",
    HOST + b"Connection: upgrade\r\n", HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n",
    HOST + b"Content-Length: 0\r\n", HOST + b"Content-Length: 3\r\n",
    HOST + b"Transfer-Encoding: chunked\r\n", HOST + b"TE: trailers\r\n",
    HOST + b"Expect: 100-continue\r\n", HOST + b"Expect: 100-continue\r\nContent-Length: 3\r\n",
    HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n", b"", HOST + b"X y: z\r\n",
    HOST + b"X: a\r\n folded\r\n", HOST[:-2] + b"\n", HOST + b"P: " + b"p" * 500 + b"\r\n",
    HOST + b"P: " + b"p" * 700 + b"\r\n",
]  # fmt: skip
METHODS = [b"GET", b"GET", b"HEAD", b"DELETE", b"POST", b"PUT", b"OPTIONS", b"get", b"CONNECT"]
TARGETS = [
    b"/", b"/a", b"/a?b=c", b"/a??", b"/a%2Fb", b"/a%2fb", b"/A", b"//a", b"/a/../b", b"/%00",
    b"/unread", b"/empty", b"/a b", b"/a#b", b"/a\tb", b"*", b"http://v/a", b"http://w/a?b#c",
    b"http://v", b"HTTP://V/a", b"a", b"/\xc3\xa9", b"/a'\"", b"/a[0]{1}|\\^`<>", b"/" + b"x" * 400,
    b"v:443", b"", b"/?", b"/;a=b", b"/a?b?c", b"/a\r",
]  # fmt: skip
VERSIONS = [b"HTTP/1.1"] * 6 + [
    b"HTTP/1.0",
    b"HTTP/2.0",
    b"HTTP/0.9",
    b"http/1.1",
    b"HTTP/1.1 ",
    b"",
]
BEHIND = [b""] * 8 + [
    b"abc",
    b"3\r\nabc\r\n0\r\n\r\n",
    b"0\r\nX: y\r\n\r\n",
    b"\r\n",
    b"\n",
    b"\r",
    b"G",
]

usual = st.just(b"GET"), st.sampled_from(TARGETS[:6]), st.just(b"HTTP/1.1")
any_one = st.sampled_from(METHODS), st.sampled_from(TARGETS), st.sampled_from(VERSIONS)


@st.composite
def requests(draw: Any, blocks: list[bytes]) -> bytes:
    parts = usual if draw(st.booleans()) else any_one
    line = b" ".join(draw(part) for part in parts)
    before = draw(st.sampled_from([b""] * 12 + [b"\r\n", b"\n", b"\r"]))
    behind = draw(st.sampled_from(BEHIND))
    return b"".join((before, line, b"\r\n", draw(st.sampled_from(blocks)), b"\r\n", behind))


@st.composite
def stories(draw: Any) -> list[Feed | Answer]:
    """Requests with few heads, mostly each in a piece of its own; else cut anywhere, or several in
    one. What came in once may come in again."""
    blocks = draw(st.lists(st.sampled_from(BLOCKS), min_size=1, max_size=2))
    pieces = draw(st.lists(requests([*BLOCKS[:2], *blocks]), min_size=1, max_size=7))
    if draw(st.integers(0, 3)) == 0:
        whole = b"".join(pieces)
        cuts = sorted(draw(st.sets(st.integers(0, len(whole)), max_size=6)))
        ends = [0, *cuts, len(whole)]
        pieces = [whole[a:b] for a, b in itertools.pairwise(ends)]
    pieces += draw(st.lists(st.sampled_from(pieces), max_size=3))
    steps: list[Feed | Answer] = []
    for piece in pieces:
        steps.append(Feed(piece))
        steps += [Answer()] * draw(st.sampled_from([0, 1, 1, 1, 2]))
    return [*steps, Answer(), Answer()]


@settings(deadline=None, max_examples=600)
@given(stories())
def test_nobody_can_tell(steps: list[Feed | Answer]) -> None:
    asyncio.run(compared(steps))


GET = b"GET /a HTTP/1.1\r\n" + HOST + AUTH + b"\r\n"
LEFT = MAX_HEADERS - len(GET)


BEHIND_LINE = GET.partition(b"\r\n")[2]


@pytest.mark.parametrize("cut", range(len(GET) + 1))
async def test_cut_at_any_byte(cut: int) -> None:
    """Behind a request that could be learned, and in the middle of its twin; then a line with what
    the last piece ended with."""
    other = b"GET /b HTTP/1.1" + GET[cut:][GET[cut:].find(b"\r\n") :]
    pieces = [GET, GET[:cut], GET[cut:], GET, GET[:cut], GET[cut:] + GET, GET, GET[:cut]]
    for last in (GET[cut:], other):
        steps: list[Feed | Answer] = []
        for piece in [*pieces, last, other]:
            steps += [Feed(piece), Answer()]
        await compared([*steps, Answer(), Answer()])


def head(line: bytes, *more: bytes) -> bytes:
    return b"\r\n".join((line, BEHIND_LINE)) + b"".join(more)


# What differs from what is known by one thing, behind what made it known.
NEARLY: dict[str, list[bytes]] = {
    "another version": [GET, head(b"GET /a HTTP/1.0")],
    "no version": [GET, head(b"GET /a")],
    "a method of small letters": [GET, head(b"get /a HTTP/1.1")],
    "a method that may have a body": [GET, head(b"POST /a HTTP/1.1"), GET],
    "a second line in front": [GET, head(b"GET /a HTTP/1.1\r\nX-Tenant-ID: tnt_b")],
    "a bare line end in front": [GET, head(b"GET /a HTTP/1.1\nX-Tenant-ID: tnt_b")],
    "a whole request in front": [GET, GET + GET],
    "two requests, twice": [GET + GET, GET + GET],
    "a body that looks like a request": [
        GET, head(b"POST /unread HTTP/1.1\r\nContent-Length: %d" % len(GET)), GET, GET,
    ],
    "a body with the request, twice": [
        head(b"POST /a HTTP/1.1\r\nContent-Length: 3", b"abc"),
        head(b"POST /a HTTP/1.1\r\nContent-Length: 3", b"abc"),
    ],
    "a chunk that looks like a request": [
        GET, head(b"POST /unread HTTP/1.1\r\nTransfer-Encoding: chunked"),
        b"%x\r\n" % len(GET), GET, b"\r\n0\r\n\r\n", GET,
    ],
    "blank lines before": [GET, b"\r\n", GET, GET],
    "half a blank line before": [GET, b"\r", GET, GET],
    "blank lines behind": [GET + b"\r\n", GET + b"\r\n", GET],
    "a line that is too long": [GET, head(b"GET /%b HTTP/1.1" % (b"x" * MAX_HEADERS)), GET],
    "a line that just fits": [GET, head(b"GET /%b HTTP/1.1" % (b"x" * (LEFT + 1)))],
    "an upgrade between": [
        GET, head(b"GET /a HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c"), GET,
    ],
    "the end before": [GET, head(b"GET /a HTTP/1.1\r\nConnection: close"), GET],
    "nonsense before": [GET, b"nonsense\r\n\r\n", GET],
}  # fmt: skip


@pytest.mark.parametrize("pieces", NEARLY.values(), ids=NEARLY)
@pytest.mark.parametrize("answered", [True, False])
async def test_what_is_nearly_the_same(pieces: list[bytes], answered: bool) -> None:
    """``answered``: each before the next piece; else all at the end."""
    steps: list[Feed | Answer] = []
    for piece in pieces:
        steps += [Feed(piece), *([Answer()] * 3 if answered else [])]
    await compared([*steps, *[Answer()] * 8, Feed(GET), Answer(), Feed(GET), Answer()])


@given(st.binary(max_size=40), st.integers(0, len(GET)))
@example(b"\r\n\r\nGET /b HTTP/1.1\r\n", 15)  # a second request in front of the known lines
@example(b"Expect: 100-continue\r\n", len(GET) - 2)
@example(b"\r\nContent-Length: 9", 15)
@example(b" HTTP/1.1\r\nX: y", 6)
@settings(deadline=None)
def test_anything_put_into_the_twin(more: bytes, place: int) -> None:
    bent = GET[:place] + more + GET[place:]
    asyncio.run(compared([Feed(GET), Answer(), Feed(bent), Answer(), Feed(GET), Answer()]))


async def test_the_short_way_is_taken() -> None:
    """Else all of this would show nothing."""
    before = Short.taken
    other = GET.replace(b"/a", b"/other?x=%41")
    await compared([Feed(GET), Answer(), Feed(other), Answer(), Feed(GET), Answer()])
    assert Short.taken == before + 2


@pytest.mark.parametrize(
    "block",
    [
        one
        for one in BLOCKS[:-1]
        if re.search(rb"(?i)length|encoding|expect|upgrade:|te:|close", one)
    ],
)
async def test_it_is_never_taken_for_a_head_that_says_how_to_read_on(block: bytes) -> None:
    before = Short.taken
    raw = b"GET /a HTTP/1.1\r\n" + block + b"\r\n"
    await compared([Feed(raw), Answer(), Feed(raw), Answer()])
    assert Short.taken == before


async def test_it_is_never_taken_while_a_request_has_no_answer() -> None:
    before = Short.taken
    await compared([Feed(GET), Feed(GET), Feed(GET), Answer(), Answer(), Answer()])
    assert Short.taken == before


async def test_a_pipeline_of_twins_has_an_end() -> None:
    await compared([Feed(GET), Answer(), Feed(GET * (MAX_PIPELINE + 5)), *[Answer()] * 70])
