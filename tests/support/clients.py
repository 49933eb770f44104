"""Both clients under one test: the asynchronous one is driven by a loop of its own, so that a test
is written once, as blocking code."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from scaivault_sdk import ScaiVaultClient, SyncScaiVaultClient
from scaivault_sdk._pace import Pace

KINDS: Final = ["sync", "async"]
URL: Final = "https://vault.example.net"


class Blocking:
    """An object of the asynchronous client, as a test sees it: what can be awaited was awaited,
    and an asynchronous iterator is an iterator."""

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self.inner: Final = inner
        self._runner: Final = runner

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.inner, name)
        if inspect.ismethod(value):
            return lambda *args, **kwargs: self._told(value(*args, **kwargs))
        return self._wrapped(value)

    def _told(self, value: Any) -> Any:
        if inspect.isawaitable(value):
            return self._wrapped(self._runner.run(_awaited(value)))
        if isinstance(value, AsyncIterator):
            return self._collected(value)
        return self._wrapped(value)

    def _collected(self, items: AsyncIterator[Any]) -> Iterator[Any]:
        while True:
            try:
                yield self._runner.run(_awaited(anext(items)))
            except StopAsyncIteration:
                return

    def _wrapped(self, value: Any) -> Any:
        ours = type(value).__module__.startswith("scaivault_sdk._async")
        return Blocking(value, self._runner) if ours else value

    def __iter__(self) -> Iterator[Any]:
        return iter(self.inner)

    def __len__(self) -> int:
        return len(self.inner)

    def __repr__(self) -> str:
        return repr(self.inner)


async def _awaited(value: Any) -> Any:
    return await value


@dataclass
class Clients:
    """Makes clients of one kind. ``slept``: the pauses of all of them, in seconds; time passes by
    them and by ``pass_time`` only."""

    kind: str
    runner: asyncio.Runner
    slept: list[float] = field(default_factory=list)
    now: float = 1000.0

    @property
    def cls(self) -> Any:
        return SyncScaiVaultClient if self.kind == "sync" else ScaiVaultClient

    def made(self, base_url: str = URL, **settings: Any) -> Any:
        """By the constructor; time stands still."""
        client = self.cls(base_url, **settings)
        client._transport.pace = self._pace()
        return self.seen(client)

    def seen(self, client: Any) -> Any:
        return client if self.kind == "sync" else Blocking(client, self.runner)

    def mocked(self, handler: Callable[[httpx.Request], httpx.Response], **settings: Any) -> Any:
        """A client whose server is a function."""
        settings.setdefault("token", "skt_test")
        return self.made(transport=httpx.MockTransport(handler), **settings)

    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    def _pace(self) -> Pace:
        if self.kind == "sync":
            return Pace(lambda: self.now, self._sleep, lambda top: top)

        async def sleep(seconds: float) -> None:
            self._sleep(seconds)

        return Pace(lambda: self.now, sleep, lambda top: top)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def refused(status: int, code: str, message: str = "no", **headers: str) -> httpx.Response:
    """An error envelope."""
    error = {"code": code, "message": message, "request_id": "req_1", "details": {}}
    lines = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": error}, headers=lines)


class Script:
    """A server that says its lines in order, and remembers what was asked."""

    def __init__(self, *lines: httpx.Response | Exception) -> None:
        self.lines = list(lines)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request)
        line = self.lines.pop(0)
        if isinstance(line, Exception):
            raise line
        # A response is used up by the client that read it; a line may be said twice.
        return httpx.Response(line.status_code, headers=line.headers, content=line.content)
