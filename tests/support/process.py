"""``scaivault serve`` as a process of its own: started, asked, signalled, killed.

Nothing here sleeps for a guessed time: ``until`` looks again until what is awaited is true, and
fails the test when that takes too long.
"""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from tests.support.house import PASSPHRASE, Answer

T = TypeVar("T")

TOP = Path(__file__).parents[2]
PATIENCE = 30.0  # seconds; a busy machine may need a few, a hanging server gets no more


def until(condition: Callable[[], T], what: str, seconds: float = PATIENCE) -> T:
    """The first true value of ``condition``; the test fails when there is none in time."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")
        select.select([], [], [], 0.01)
    return value


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def request(
    port: int,
    method: str,
    target: str,
    body: Any = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    seconds: float = PATIENCE,
) -> Answer:
    """One request on a connection of its own; ``OSError`` or ``HTTPException`` without answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        return ask(connection, method, target, body, token=token, headers=headers)
    finally:
        connection.close()


def ask(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    body: Any = None,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One request on a connection that stays open; a text as ``body`` is an encoded form."""
    lines = dict(headers or {})
    if token is not None:
        lines["Authorization"] = f"Bearer {token}"
    sent = body if body is None or isinstance(body, str) else json.dumps(body)
    if sent is not None:
        kind = "x-www-form-urlencoded" if isinstance(body, str) else "json"
        lines["Content-Type"] = f"application/{kind}"
    connection.request(method, target, sent, lines)
    got = connection.getresponse()
    names = {name.lower(): value for name, value in got.getheaders()}
    return Answer(got.status, names, got.read())


@dataclass
class Server:
    """One data directory and, while it runs, the process that has it.

    ``settings``: keys by their dotted names. ``program``: what to run instead of the server's own
    entry point, with the same flags (a script that breaks something on purpose)."""

    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    program: Path | None = None
    port: int = 0
    token: str = ""
    made: dict[str, Any] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    # -- life -----------------------------------------------------------------------------------

    def start(self, *flags: str) -> Self:
        """Start and wait until it listens; the test fails when it ends instead."""
        process = self.launch(*flags)
        until(lambda: process.poll() is not None or self._listens(), "the server listens")
        assert process.poll() is None, self.told
        return self

    def launch(self, *flags: str, preexec: Callable[[], None] | None = None) -> Any:
        """Start without waiting."""
        config = self._configure()
        run = [str(self.program)] if self.program else ["-m", "scaivault.cli.main"]
        root = ["--allow-root"] if os.geteuid() == 0 else []
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *run, "serve", "--config", str(config), *root, *flags],
                cwd=TOP,
                env={**os.environ, "PYTHONPATH": str(TOP), **self.env},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=preexec,  # noqa: PLW1509 - the parent has no other threads yet
            )
        return self.process

    def refused(self, *flags: str) -> tuple[int, str]:
        """Start a server that must not come up: its exit code and what it said."""
        self.log.unlink(missing_ok=True)
        self.launch(*flags)
        return self.wait(), self.told

    def _configure(self) -> Path:
        self.folder.mkdir(exist_ok=True)
        self.port = free_port()
        tree: dict[str, Any] = {}
        for name, value in {
            "data_dir": str(self.data),
            "server.bind": f"127.0.0.1:{self.port}",
            "server.tls.mode": "off",
            "server.drain_delay": "0s",
            "seal.argon2.ops": 1,
            "seal.argon2.mem_kib": 65536,
            "rate_limits.enabled": False,
            "metrics.bind": f"127.0.0.1:{free_port()}",
            "storage.min_free": 0,
            **self.settings,
        }.items():
            *sections, key = name.split(".")
            level = tree
            for section in sections:
                level = level.setdefault(section, {})
            level[key] = value
        config = self.folder / "config.yaml"
        config.write_text(yaml.safe_dump(tree))
        return config

    def _listens(self) -> bool:
        try:
            return self.call("GET", "/v1/health", seconds=5).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def signal(self, number: int) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def wait(self, seconds: float = PATIENCE) -> int:
        """The exit code, once it ended."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.process = None
        return code

    def stop(self) -> int:
        """As systemd does."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        """As a power cut does, but for what the kernel has already."""
        self.signal(signal.SIGKILL)
        assert self.wait() == -signal.SIGKILL

    def end(self) -> None:
        """Whatever state it is in; for the end of a test."""
        if self.process is not None:
            self.process.kill()
            self.wait()

    @property
    def told(self) -> str:
        """Everything it logged."""
        return self.log.read_text() if self.log.exists() else ""

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    # -- requests -------------------------------------------------------------------------------

    def call(
        self, method: str, target: str, body: Any = None, *, token: str | None = "", **more: Any
    ) -> Answer:
        """One request; ``token``: ``""`` the root token, ``None`` none."""
        own = (self.token or None) if token == "" else token
        return request(self.port, method, target, body, token=own, **more)

    def init(self, **body: Any) -> Answer:
        """A vault with one passphrase slot, unless said otherwise."""
        body.setdefault("slots", [{"type": "passphrase", "passphrase": PASSPHRASE}])
        answer = self.call("POST", "/v1/system/init", body, token=None)
        if answer.status == 201:
            self.made = answer.json
            self.token = self.made["root_token"]
        return answer

    def founded(self) -> Self:
        """Started and initialised."""
        self.start()
        answer = self.init()
        assert answer.status == 201, answer.body
        return self

    def unseal(self, **body: Any) -> Answer:
        return self.call(
            "POST", "/v1/system/unseal", body or {"passphrase": PASSPHRASE}, token=None
        )

    def reopened(self, *flags: str) -> Self:
        """Started again and unsealed, at once and without repair."""
        self.start(*flags)
        answer = self.unseal()
        assert answer.status == 200, answer.body
        assert answer.json["sealed"] is False
        return self

    def status(self) -> Any:
        return self.call("GET", "/v1/system/seal-status", token=None).json

    def put(self, path: str, data: Any, **more: Any) -> Answer:
        return self.call("PUT", f"/v1/secrets/{path}", {"data": data, **more})

    def read(self, path: str) -> Answer:
        return self.call("GET", f"/v1/secrets/{path}")

    def slots(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/v1/system/slots").json["slots"]
        return found
