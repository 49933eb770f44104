"""Who sends a request: client address, bearer token, and what the ledger keeps of the sender."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from scaivault.clock import Clock
from scaivault.errors import Refusal, without_tokens
from scaivault.gate.caller import Caller
from scaivault.http.request import Request
from scaivault.ids import timed_id
from scaivault.wire.addresses import Range, in_ranges, parse_address

_BEARER: Final = re.compile(rb"bearer +([!-~]{1,16384}) *\Z", re.IGNORECASE)
_CLIENT_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}\Z")
_FOR: Final = re.compile(rb'(?:^|[;,])\s*for=("?)([^";,\s]+)\1', re.IGNORECASE)
_ELSEWHERE: Final = frozenset((b"forwarded", b"origin", b"via", b"x-real-ip"))
_AGENT_LONGEST: Final = 256


class Sender(NamedTuple):
    """What header lines and the peer's address say of who sends them. ``trusted``: the proxies
    that were believed then."""

    source_ip: str | None
    user_agent: str | None
    notes: dict[str, str]
    trusted: tuple[Range, ...]


class Identify:
    """``trusted``: proxies whose forwarding headers are believed; ``local_from``: addresses that
    count as this host."""

    def __init__(self, clock: Clock, trusted: Sequence[Range], local_from: Sequence[Range]) -> None:
        self._clock: Final = clock
        self.trusted = tuple(trusted)
        self._local_from: Final = tuple(local_from)

    def caller(self, request: Request) -> Caller:
        """The caller of a request before his token is looked at."""
        now = self._clock.now()
        sender: Sender | None = request.head.sender
        if sender is None or sender.trusted is not self.trusted:
            sender = request.head.sender = self._sender(request)
            request.head.standings.clear()
        source_ip, user_agent, notes, _ = sender
        caller = Caller(timed_id("req_", now), source_ip, user_agent, self._clock.monotonic(), now)
        if notes:
            caller.notes.update(notes)
        return caller

    def _sender(self, request: Request) -> Sender:
        peer = _canonical(request.client) if request.client is not None else None
        theirs = request.lone(b"x-request-id")
        known = theirs is not None and _CLIENT_ID.match(theirs) is not None
        return Sender(
            peer if not self.trusted else self._source(request, peer),
            _agent(request.lone(b"user-agent") or b""),
            {"client_request_id": without_tokens(theirs.decode())}
            if theirs is not None and known
            else {},
            self.trusted,
        )

    def is_local(self, request: Request) -> bool:
        """From this host, and not handed on by a proxy on it; or from ``seal.local_from``.

        A browser sends Origin with every POST: a foreign page in it must not act as the operator
        in front of it, whatever name it reaches this host by."""
        names = (name for name, _ in request.head.lines)
        if any(name in _ELSEWHERE or name.startswith(b"x-forwarded-") for name in names):
            return False
        if request.client is None:  # a Unix socket
            return True
        peer = parse_address(request.client)
        return peer.is_loopback or in_ranges(peer, self._local_from)

    def _source(self, request: Request, peer: str | None) -> str | None:
        """The right-most hop that is no trusted proxy, if the peer is one; None: unknown."""
        if peer is None or not in_ranges(parse_address(peer), self.trusted):
            return peer
        lists = [hops for hops in (_forwarded(request), _forwarded_for(request)) if hops]
        if len(lists) == 2 and lists[0] != lists[1]:
            # A proxy keeps one of the two headers; the other is what the client made up. The
            # address is unknown then, and no rule that asks for one holds.
            return None
        source = peer
        for hop in reversed(lists[0] if lists else []):
            try:
                source = _canonical(hop)
            except ValueError:
                return None
            if not in_ranges(parse_address(source), self.trusted):
                return source
        return source


def bearer(request: Request) -> str:
    """The token of the one Authorization header; ``authentication_required`` otherwise."""
    try:
        value = request.header(b"authorization")
    except Refusal:
        value = b""
    match = _BEARER.match(value) if value is not None else None
    if match is None:
        raise Refusal("authentication_required", "send one header: Authorization: Bearer <token>")
    return match[1].decode("ascii")


def _forwarded(request: Request) -> list[str]:
    """RFC 7239 section 5.2."""
    listed = b",".join(request.headers(b"forwarded"))
    return [_host(match[2].decode("latin-1")) for match in _FOR.finditer(listed)]


def _forwarded_for(request: Request) -> list[str]:
    listed = b",".join(request.headers(b"x-forwarded-for"))
    return [_host(hop.strip().decode("latin-1")) for hop in listed.split(b",") if hop.strip()]


def _host(hop: str) -> str:
    """Without brackets and port."""
    if hop.startswith("["):
        return hop[1:].partition("]")[0]
    return hop.partition(":")[0] if hop.count(":") == 1 else hop


@lru_cache(maxsize=4096)
def _canonical(address: str) -> str:
    return str(parse_address(address))


@lru_cache(maxsize=1024)
def _agent(raw: bytes) -> str | None:
    text = without_tokens(raw[:_AGENT_LONGEST].decode("utf-8", "replace"))
    return "".join(c if c.isprintable() else " " for c in text)[:_AGENT_LONGEST] or None
