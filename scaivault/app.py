"""The composition root: settings -> data directory -> seal -> routes and worker, and the life of
the process around them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import uvicorn

from scaivault import logs
from scaivault.clock import Clock, SystemClock
from scaivault.config import ConfigError, Settings, load, reloadable
from scaivault.crypto.memory import lock_process
from scaivault.gate.limits import Limits
from scaivault.http.asgi import Receive, Scope, Send, respond
from scaivault.http.endpoint import Endpoint
from scaivault.http.identify import Identify
from scaivault.http.loop import Loop
from scaivault.http.meter import Meter, metrics_responder, metrics_routes
from scaivault.http.openapi import encoded
from scaivault.http.protocol import Connection, protocol_class
from scaivault.http.routes import ROUTES
from scaivault.notify import notify, watchdog_seconds
from scaivault.seal.file import SealFileInvalid
from scaivault.storage.folder import Folder, StartRefused
from scaivault.storage.private import UnsafeFile
from scaivault.system.dev import found_dev_vault
from scaivault.system.health import Health
from scaivault.system.opening import Leave, Opened
from scaivault.system.room import System
from scaivault.system.start import StartOptions
from scaivault.vault import Vault
from scaivault.worker.garbage import Garbage
from scaivault.worker.jobs import JOBS
from scaivault.worker.loop import Worker

log = logging.getLogger("scaivault.app")

# TLS 1.2 suites with forward secrecy and AEAD only; TLS 1.3 has no others.
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
_KEEP_ALIVE: Final = 75  # seconds an idle connection may stay
_BACKLOG: Final = 2048
_BODY_SECONDS: Final = 30.0  # for a request's body to arrive
_SHARES_LOOK: Final = 10  # seconds between two looks at the age of collected shares


class App:
    """Everything of one process but its sockets and signals: an ASGI application with a worker.

    ``clock`` is the tests' to replace."""

    def __init__(self, settings: Settings, options: StartOptions, clock: Clock) -> None:
        self.settings = settings
        self.clock: Final = clock
        self.folder: Final = Folder(
            settings.data_dir, allow_network_fs=settings.storage.allow_network_fs
        )
        leave = Leave(seal_mismatch=options.accept_seal_mismatch, clock=options.accept_clock)
        self.system: Final = System(settings, self.folder, clock, self._build, leave)
        self.limits: Final = Limits(clock, settings.rate_limits.per_minute())
        server = settings.server
        identify = Identify(
            clock,
            [network.range for network in server.trusted_proxies],
            [network.range for network in settings.seal.local_from],
        )
        self.meter: Final = Meter(self.system, self.limits, clock)
        routes = (*ROUTES, *metrics_routes(settings.metrics.main_port))
        self.endpoint: Final = Endpoint(routes, self.system, identify, self.limits, self.meter)
        self.endpoint.always = {
            "system": self.system,
            "slots": self.system.slots,
            "root_key": self.system.root_key,
            "health": Health(self.system, lambda: encoded(routes)),
            "metrics": self.meter,
        }
        self.worker: Final = Worker(JOBS, self._vault, settings, clock)
        self.garbage: Final = Garbage(self._vault)
        self.meter.job_runs = self.worker.counts

    def _build(self, opened: Opened) -> Vault:
        return Vault(opened, self.folder, self.settings, self.limits, self.clock)

    def _vault(self) -> Vault | None:
        return self.system.vault

    def acquire(self) -> None:
        """Take the data directory and read vault.seal."""
        self.folder.acquire()
        try:
            self.system.load()
        except (SealFileInvalid, UnsafeFile) as error:
            self.folder.release()
            raise StartRefused(str(error)) from error
        except BaseException:
            self.folder.release()
            raise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3, HTTP only."""
        await respond(self.endpoint, scope, receive, send)

    async def auto_unseal(self) -> None:
        """Try until the vault is open, held, or has no slot that opens by itself."""
        attempts = 0
        while not await self.system.auto_unseal():
            attempts += 1
            await asyncio.sleep(self.system.auto_pause(attempts))

    async def forget_shares(self) -> None:
        """Wipe collected shares in time, also when nobody calls any more."""
        while True:
            await asyncio.sleep(_SHARES_LOOK)
            self.system.unsealing.forget_old_shares()

    def reload(self, options: StartOptions, env: dict[str, str]) -> None:
        """SIGHUP: take over what can change while running, and name what cannot."""
        try:
            fresh = load(options.config_path, env, options.flags)
        except ConfigError as error:
            log.error("the configuration was not reloaded: %s", error)
            return
        self.settings, waiting = reloadable(self.settings, fresh)
        self.limits.configure(self.settings.rate_limits.per_minute())
        self.endpoint.identify.trusted = tuple(
            network.range for network in self.settings.server.trusted_proxies
        )
        logs.configure(self.settings.log)
        log.info("configuration reloaded")
        if waiting:
            log.warning("these settings need a restart: %s", ", ".join(waiting))


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(settings: Settings, options: StartOptions) -> int:
    """Run until SIGTERM or SIGINT. The exit code: 0, or 1 after a second signal.

    ``StartRefused`` when the data directory is not fit."""
    logs.configure(settings.log)
    for warning in (*settings.warnings, *lock_process(settings.server.lock_memory)):
        log.warning("%s", warning)
    # Two threads share one interpreter lock: the writer asks for it back after each statement,
    # and by default waits 5 ms for a busy event loop.
    sys.setswitchinterval(0.0005)
    with asyncio.Runner(loop_factory=partial(Loop, settings.server.header_timeout)) as runner:
        return runner.run(_Process(settings, options).run())


class _Process:
    """Sockets, signals and the order of starting and stopping."""

    def __init__(self, settings: Settings, options: StartOptions) -> None:
        self._settings: Final = settings
        self._options: Final = options
        self._app: Final = App(settings, options, SystemClock())
        self._stop: Final = asyncio.Event()
        self._hurry: Final = asyncio.Event()
        self._signals = 0
        self._refused: StartRefused | None = None
        self._config: uvicorn.Config | None = None

    async def run(self) -> int:
        app = self._app
        app.acquire()
        try:
            return await self._run()
        finally:
            await app.system.close(None)
            app.folder.release()

    async def _run(self) -> int:
        app, settings = self._app, self._settings
        app.system.fatal = self._fatal
        self._config = self._configured()
        server = _Server(self._config)
        sockets = _sockets(settings)
        self._listen_to_signals()
        if self._options.dev:
            await found_dev_vault(app.system, self._options.dev_token)
        tasks = [asyncio.create_task(server.serve(sockets=sockets))]
        tasks += self._background()
        while not server.started and not tasks[0].done():  # noqa: ASYNC110 - uvicorn tells by a flag
            await asyncio.sleep(0.01)
        notify("READY=1")
        await self._until_stopped(tasks[0])
        return await self._shut_down(server, tasks)

    def _background(self) -> list[asyncio.Task[None]]:
        app = self._app
        tasks = [
            asyncio.create_task(app.auto_unseal()),
            asyncio.create_task(app.forget_shares()),
            asyncio.create_task(app.meter.watch_loop()),
            asyncio.create_task(app.garbage.watch()),
        ]
        if self._options.worker:
            tasks.append(asyncio.create_task(app.worker.run()))
        if (bind := self._settings.metrics.bind) is not None and not self._options.dev:
            config = uvicorn.Config(
                cast(Any, metrics_responder(app.meter)),
                host=bind.host,
                port=bind.port,
                http=self._protocol(),
                ws="none",
                lifespan="off",
                interface="asgi3",
                proxy_headers=False,
                server_header=False,
                access_log=False,
                log_config=None,
            )
            tasks.append(asyncio.create_task(_Server(config).serve()))
        if (period := watchdog_seconds()) is not None:
            tasks.append(asyncio.create_task(_watchdog(period)))
        if self._settings.server.tls.mode == "files":
            tasks.append(asyncio.create_task(self._watch_certificate()))
        return tasks

    async def _until_stopped(self, serving: asyncio.Task[None]) -> None:
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()

    async def _shut_down(self, server: _Server, tasks: list[asyncio.Task[None]]) -> int:
        """Not ready, then no new connections, then the last answers, then the keys."""
        notify("STOPPING=1")
        system = self._app.system
        system.draining = True
        if not self._options.dev:
            await self._hurried(self._settings.server.drain_delay)
        server.should_exit = True
        for task in tasks[1:]:
            task.cancel()
        forced = asyncio.create_task(self._force(server))
        await asyncio.gather(tasks[0], return_exceptions=True)
        if system.vault is not None:
            system.vault.closing = True  # jobs end at their next step
        await asyncio.gather(*tasks, return_exceptions=True)
        await system.close(None)
        forced.cancel()
        if self._refused is not None:
            raise self._refused
        return 1 if self._signals > 1 else 0

    async def _force(self, server: _Server) -> None:
        """After a second signal nobody is waited for."""
        await self._hurry.wait()
        server.force_exit = True
        self._app.system.hurry = True

    async def _hurried(self, seconds: float) -> None:
        """Wait, but not behind a second signal."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), seconds)

    # -- signals -------------------------------------------------------------------------------

    def _listen_to_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._signalled)
        loop.add_signal_handler(signal.SIGHUP, self._reload)

    def _signalled(self) -> None:
        self._signals += 1
        if self._signals > 1:
            self._hurry.set()
        self._stop.set()

    def _fatal(self, refused: StartRefused) -> None:
        self._refused = refused
        self._stop.set()

    def _reload(self) -> None:
        self._app.reload(self._options, dict(os.environ))
        self._renew_certificate()

    # -- TLS -----------------------------------------------------------------------------------

    def _protocol(self) -> type[Connection]:
        server = self._settings.server
        return protocol_class(
            server.max_headers,
            server.header_timeout,
            _BODY_SECONDS,
            server.max_connections,
        )

    def _configured(self) -> uvicorn.Config:
        server = self._settings.server
        config = uvicorn.Config(
            cast(Any, self._app.endpoint),
            http=self._protocol(),
            ws="none",
            lifespan="off",
            interface="asgi3",
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=int(server.shutdown_grace),
        )
        config.load()
        if server.tls.mode == "files":
            config.ssl = _tls_context(server.tls.min_version)
            self._config = config
            self._load_certificate()
        return config

    def _load_certificate(self) -> None:
        tls = self._app.settings.server.tls
        context = self._config.ssl if self._config is not None else None
        if context is None or tls.cert_file is None or tls.key_file is None:
            return
        try:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        except (OSError, ssl.SSLError) as error:
            raise StartRefused(
                f"{tls.cert_file}: certificate or key cannot be loaded ({type(error).__name__})"
            ) from error

    async def _watch_certificate(self) -> None:
        """Take over a renewed certificate; a broken one leaves the old one in place."""
        seen = self._certificate_age()
        while True:
            await asyncio.sleep(10)
            age = self._certificate_age()
            if age == seen:
                continue
            seen = age
            self._renew_certificate()

    def _renew_certificate(self) -> None:
        try:
            self._load_certificate()
        except StartRefused as refused:
            log.error("%s", refused.message)
        else:
            if self._config is not None and self._config.ssl is not None:
                log.info("certificate reloaded")

    def _certificate_age(self) -> tuple[int, ...]:
        tls = self._app.settings.server.tls
        files = (tls.cert_file, tls.key_file)
        with contextlib.suppress(OSError):
            return tuple(file.stat().st_mtime_ns for file in files if file is not None)
        return ()


def _tls_context(minimum: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3 if minimum == "1.3" else ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    return context


def _sockets(settings: Settings) -> list[socket.socket]:
    """The listening sockets; ``StartRefused`` when the address is taken."""
    bind = settings.server.bind
    family = socket.AF_INET6 if ":" in bind.host else socket.AF_INET
    try:
        listener = socket.socket(family)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((bind.host, bind.port))
        sockets = [listener]
        if settings.server.unix_socket is not None:
            sockets.append(_unix_socket(settings.server.unix_socket))
    except OSError as error:
        raise StartRefused(f"cannot listen on {bind.host}:{bind.port}: {error.strerror}") from error
    return sockets


def _unix_socket(path: Path) -> socket.socket:
    if path.is_socket():
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    return listener


async def _watchdog(period: float) -> None:
    while True:
        notify("WATCHDOG=1")
        await asyncio.sleep(period)
