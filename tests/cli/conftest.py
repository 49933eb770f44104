"""A real HTTP server with canned answers of the contract, and two ways to run the program."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pty
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from scaivault.cli.main import scaivault
from tests.support.certificates import self_signed
from tests.support.process import Server


@dataclass
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Canned:
    """Answers in order by ``METHOD /path``; the last one stays. ``requests``: what came in."""

    url: str = ""
    token: str = "skt_canary0token0canary0token0canary0token0canary"
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, list[tuple[int, bytes, dict[str, str]]]] = field(default_factory=dict)

    def answer(
        self, call: str, body: Any = None, status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        raw = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        self.answers.setdefault(call, []).append((status, raw, headers or {}))

    def refuse(self, call: str, status: int, code: str, message: str, **details: Any) -> None:
        error = {"code": code, "message": message, "details": details, "request_id": "req_1"}
        self.answer(call, {"error": error}, status)

    def next(self, call: str) -> tuple[int, bytes, dict[str, str]]:
        queue = self.answers.get(call)
        if not queue:
            error = {"code": "not_found", "message": f"no {call}", "request_id": "req_0"}
            return 404, _json({"error": error}), {}
        return queue.pop(0) if len(queue) > 1 else queue[0]

    def sent(self, call: str) -> list[Any]:
        """Bodies of the requests for ``METHOD /path``."""
        return [each.body for each in self.requests if f"{each.method} {each.path}" == call]


def _json(body: Any) -> bytes:
    return json.dumps(body).encode()


def handler_for(canned: Canned) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _reply(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            form = "form" in headers.get("content-type", "")
            body = raw.decode() if form else json.loads(raw) if raw else None
            canned.requests.append(Request(self.command, self.path, headers, body))
            status, content, extra = canned.next(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in extra.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _reply  # noqa: N815 - of the base class

        def address_string(self) -> str:
            return "peer"

        def log_message(self, *_: Any) -> None: ...

    return Handler


@contextlib.contextmanager
def running(server: ThreadingHTTPServer) -> Iterator[None]:
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def server() -> Iterator[Canned]:
    canned = Canned()
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(canned))
    canned.url = f"http://127.0.0.1:{http.server_address[1]}"
    with running(http):
        yield canned


@pytest.fixture
def unix_server(tmp_path: Path) -> Iterator[Canned]:
    class UnixServer(ThreadingHTTPServer):
        address_family = socket.AF_UNIX

        def server_bind(self) -> None:
            self.socket.bind(self.server_address)
            self.server_name, self.server_port = "localhost", 0

        def get_request(self) -> tuple[socket.socket, Any]:
            return self.socket.accept()[0], ("peer", 0)

    canned = Canned()
    path = str(tmp_path / "api.sock")
    canned.url = f"unix:{path}"
    with running(UnixServer(path, handler_for(canned))):  # type: ignore[arg-type]  # typed for IP
        yield canned


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[Canned, Path]]:
    """A server with a certificate of its own; the path is the PEM file to trust."""
    context, trusted = self_signed(tmp_path)

    class TlsServer(ThreadingHTTPServer):
        def handle_error(self, *_: Any) -> None:
            """A client that refuses the certificate ends the handshake; that is no news."""

    canned = Canned()
    http = TlsServer(("127.0.0.1", 0), handler_for(canned))
    http.socket = context.wrap_socket(http.socket, server_side=True, do_handshake_on_connect=False)
    canned.url = f"https://127.0.0.1:{http.server_address[1]}"
    with running(http):
        yield canned, trusted


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home directory of the runs, still empty."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def environment(server: Canned, home: Path) -> dict[str, str | None]:
    """The variables of one run: everything of the caller's own environment is taken out."""
    clean: dict[str, str | None] = dict.fromkeys(
        name for name in os.environ if name.startswith("SCAIVAULT_")
    )
    own = {"SCAIVAULT_URL": server.url, "SCAIVAULT_TOKEN": server.token}
    return {**clean, **own, "HOME": str(home), "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _no_debugging() -> Iterator[None]:
    """`--debug` is for one process; here several runs share one."""
    yield
    logging.getLogger("scaivault_sdk").handlers.clear()


Run = Callable[..., Result]


@pytest.fixture
def run(environment: dict[str, str | None]) -> Run:
    """Run the program in this process, in a pipe: ``run("operator", "status")``."""

    def call(*args: str, stdin: str | bytes = "", **env: str | None) -> Result:
        runner = CliRunner(env={**environment, **env})
        result = runner.invoke(scaivault, list(args), input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal(environment: dict[str, str | None]) -> Terminal:
    """Run the program in a process of its own at a terminal, and type.

    ``terminal(["operator", "unseal"], [("Passphrase", "…")])``: wait for a text, type a line.
    Exit code and everything the terminal showed.
    """

    def call(args: list[str], typed: list[tuple[str, str]], **env: str) -> tuple[int, str]:
        variables = {**os.environ, **environment, **env}
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "scaivault.cli.main", *args],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={name: value for name, value in variables.items() if value is not None},
        )
        os.close(slave)
        try:
            screen = _converse(master, typed)
            return process.wait(30), screen
        finally:
            process.kill()
            process.wait()
            os.close(master)

    return call


def _converse(master: int, typed: list[tuple[str, str]]) -> str:
    screen, seen = "", 0
    waiting = list(typed)
    while True:
        readable, _, _ = select.select([master], [], [], 30)
        assert readable, f"nothing happened after: {screen!r}"
        try:
            piece = os.read(master, 65536)
        except OSError:  # EIO: the process closed the terminal
            piece = b""
        if not piece:
            assert not waiting, f"never asked for {waiting[0][0]!r}: {screen!r}"
            return screen.replace("\r\n", "\n")
        screen += piece.decode()
        if waiting and waiting[0][0] in screen[seen:] and screen.endswith(": "):
            seen = len(screen)
            os.write(master, waiting.pop(0)[1].encode() + b"\n")


# -- a server that really runs --------------------------------------------------------------------


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("live"))
    try:
        yield server.founded()
    finally:
        server.end()


@pytest.fixture
def vault(run: Any, live: Server, home: Path) -> Any:
    """Somebody who has logged in, and nothing in the environment."""
    free: dict[str, str | None] = {"SCAIVAULT_URL": None, "SCAIVAULT_TOKEN": None}
    url = f"http://127.0.0.1:{live.port}"
    done = run("auth", "login", "--token", "-", "--url", url, stdin=live.token, **free)
    assert done.exit_code == 0, done.stderr

    def call(*words: str, exits: int = 0, **more: Any) -> Any:
        result = run(*words, **{**free, **more})
        assert result.exit_code == exits, result.stderr
        assert live.token not in result.output + result.stderr
        return json.loads(result.stdout) if "--json" in words and result.stdout else result.stdout

    return call
