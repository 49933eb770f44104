"""An HTTP client that connects to checked addresses only: no proxies of the environment, no
redirects, TLS from 1.2 on, certificates checked by name against the host's roots."""

from __future__ import annotations

import contextlib
import os
import ssl
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import httpx

from scaivault.outbound.addresses import AddressRefused
from scaivault.outbound.guard import Guard, Unresolved
from scaivault.outbound.targets import parse_target
from scaivault.wire.addresses import Address


class PinnedTransport(httpx.AsyncBaseTransport):
    """Sends each request to an address that was checked for it.

    One pool for each host: connections are found again by address, and two names may share one,
    whose certificate was checked for the first of them only."""

    def __init__(self, guard: Guard, context: ssl.SSLContext) -> None:
        self._guard: Final = guard
        self._context: Final = context
        self._pools: Final[dict[str, httpx.AsyncHTTPTransport]] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            target = parse_target(str(request.url))
            addresses = await self._guard.addresses(target)
        except (ValueError, AddressRefused) as refused:
            raise httpx.UnsupportedProtocol(str(refused), request=request) from refused
        except Unresolved as fault:
            raise httpx.ConnectError(str(fault), request=request) from fault
        pool = self._pool(target.host)
        *others, last = (_pinned(request, target.host, address) for address in addresses)
        for pinned in others:
            with contextlib.suppress(httpx.ConnectError):  # nothing was sent yet
                return await pool.handle_async_request(pinned)
        return await pool.handle_async_request(last)

    def _pool(self, host: str) -> httpx.AsyncHTTPTransport:
        pool = self._pools.get(host)
        if pool is None:
            pool = self._pools[host] = httpx.AsyncHTTPTransport(
                verify=self._context, trust_env=False
            )
        return pool

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()


def _pinned(request: httpx.Request, host: str, address: Address) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=str(address)),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


def tls_context(ca_file: Path | None = None, ca_pem: str | None = None) -> ssl.SSLContext:
    """The host's roots, or those of a file or text instead; TLS 1.2 or newer. ``ssl.SSLError`` for
    a text without a certificate."""
    if ca_file is None and ca_pem is None:
        where = ssl.get_default_verify_paths()
        return _of_host(_state(where.cafile), _state(where.capath))
    return _context(ca_file, ca_pem)


@lru_cache(maxsize=1)
def _of_host(*_states: tuple[str, int]) -> ssl.SSLContext:
    """Read once, and again when the host's roots change: it takes 20 to 100 ms, in which the loop
    does nothing else, and whoever can have the vault call many issuers would stop it so."""
    return _context(None, None)


def _state(path: str | None) -> tuple[str, int]:
    """A file or directory, and when it changed; 0: it is not there."""
    try:
        return (path, os.stat(path).st_mtime_ns) if path is not None else ("", 0)
    except OSError:
        return "", 0


def _context(ca_file: Path | None, ca_pem: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca_file, cadata=ca_pem)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def client(
    guard: Guard, *, seconds: float, ca_file: Path | None = None, ca_pem: str | None = None
) -> httpx.AsyncClient:
    """For one task; close it afterwards. ``seconds``: for each step of a request. ``ca_file`` or
    ``ca_pem``: roots instead of the host's."""
    return httpx.AsyncClient(
        transport=PinnedTransport(guard, tls_context(ca_file, ca_pem)),
        timeout=seconds,
        trust_env=False,
        follow_redirects=False,
        headers={"user-agent": "scaivault"},
    )


class Answer(NamedTuple):
    """What came back; header names as ``httpx`` compares them, without case."""

    status: int
    headers: httpx.Headers
    body: bytes


async def send(http: httpx.AsyncClient, request: httpx.Request, limit: int) -> Answer:
    """One request; ``httpx.HTTPError`` when there is no whole answer of at most ``limit`` bytes."""
    response = await http.send(request, stream=True)
    try:
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > limit:
                raise httpx.DecodingError("the answer is too long", request=request)
        return Answer(response.status_code, response.headers, bytes(body))
    finally:
        await response.aclose()
