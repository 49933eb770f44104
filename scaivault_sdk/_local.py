"""A throw-away vault inside this process, and the httpx transport that reaches it.

The real server application, on an event loop and thread of its own, so that clients of both kinds
can use it from any loop. Nothing listens; the data directory is removed at the end.

The server is imported only here, and only when a local vault is asked for.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
import tempfile
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

if TYPE_CHECKING:
    from scaivault.app import App
    from scaivault.clock import Clock

T = TypeVar("T")

BASE_URL = "http://localhost"


class LocalVault:
    """Initialised and unsealed once constructed. ``clock``: any ``scaivault.clock.Clock``;
    ``settings``: keys of the server's configuration by their dotted names."""

    def __init__(self, clock: Clock | None = None, **settings: Any) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="scaivault-local-"))
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="scaivault-local", daemon=True
        )
        self._thread.start()
        self._app: App | None = None
        self._worker: Future[Any] | None = None
        try:
            self._app = _application(self.folder, clock, settings)
            made = self._founded()
            self._worker = self.start(self._app.worker.run())
        except BaseException:
            self.close()
            raise
        self.root_token: str = made["root_token"]

    def _founded(self) -> dict[str, Any]:
        """Init with a key file, so that no passphrase is stretched."""
        key = {"path": str(self.folder / "local.key"), "create": True}
        body = {"slots": [{"type": "keyfile", "params": key}], "recovery": False}
        request = httpx.Request("POST", f"{BASE_URL}/v1/system/init", json=body)
        response = self.run(self.answer(request, request.read()))
        made: dict[str, Any] = json.loads(response.content)
        if response.status_code != 201:
            raise RuntimeError(f"the local vault could not be made: {made}")
        return made

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run on the vault's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """As ``start``, and wait."""
        return self.start(work).result()

    async def answer(self, request: httpx.Request, content: bytes) -> httpx.Response:
        """One exchange in ASGI 3, on the vault's loop."""
        if self._app is None:
            raise httpx.ConnectError("the local vault is closed")
        messages: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": content, "more_body": False}

        async def send(message: Any) -> None:
            messages.append(message)

        await self._app(_scope(request), receive, send)
        body = b"".join(message.get("body", b"") for message in messages[1:])
        return httpx.Response(messages[0]["status"], headers=messages[0]["headers"], content=body)

    def close(self) -> None:
        """End the vault and remove its directory; twice is fine."""
        app, self._app = self._app, None
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(BaseException):
                self._worker.result()
        if app is not None:
            self.run(app.system.close(None))
            app.folder.release()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _application(folder: Path, clock: Clock | None, settings: dict[str, Any]) -> App:
    from scaivault.app import App
    from scaivault.clock import SystemClock
    from scaivault.config import load
    from scaivault.system.start import StartOptions

    keys = {
        "data_dir": str(folder / "data"),
        "server.bind": "127.0.0.1:8443",
        "rate_limits.enabled": False,
        "storage.min_free": 0,
        **settings,
    }
    app = App(load(None, {}, keys), StartOptions(), clock or SystemClock())
    app.acquire()
    return app


def _scope(request: httpx.Request) -> dict[str, Any]:
    path, _, query = request.url.raw_path.partition(b"?")
    return {
        "type": "http",
        "method": request.method,
        "path": path.decode("ascii"),
        "raw_path": path,
        "query_string": query,
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 0),
        "scheme": "http",
    }


class LocalTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """For clients of both kinds; closing it ends the vault."""

    def __init__(self, vault: LocalVault) -> None:
        self.vault = vault

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self.vault.run(self.vault.answer(request, request.read()))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answering = self.vault.start(self.vault.answer(request, await request.aread()))
        return await asyncio.wrap_future(answering)

    def close(self) -> None:
        self.vault.close()

    async def aclose(self) -> None:
        await asyncio.to_thread(self.vault.close)


def opened(clock: Any = None, **settings: Any) -> LocalVault:
    """A vault, for the blocking client."""
    return LocalVault(clock, **settings)


async def async_opened(clock: Any = None, **settings: Any) -> LocalVault:
    """A vault; the caller's loop goes on meanwhile."""
    return await asyncio.to_thread(LocalVault, clock, **settings)
