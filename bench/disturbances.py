"""What goes on beside a steady load: the vault's own jobs, begun when wanted, and other clients.

Each is a context manager: it prepares, begins, and is over when left. One that did nothing
meanwhile would prove nothing, so that is an error.
"""

import json
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from types import MappingProxyType

import httpx

from bench import load
from bench.launcher import ORDER, Order
from bench.process import BenchmarkError, Process
from bench.target import call, path
from bench.vault import Vault

LIMIT = 300.0  # seconds until something has begun, or is over
DELETED = 1_000  # secrets for each second of a purge: more than it manages
RETENTION = 1  # seconds
LARGE = json.dumps({"data": {"text": "x" * 500_000}}).encode()  # 512 KiB are the most
SLOW = 8  # slow clients of a kind
SIP = 1024  # bytes that one reads at a time
SIP_PAUSE = 0.02
BYTE_PAUSE = 0.2


class Disturbed(Vault):
    """A vault whose jobs run when they are ordered to, and which purges and prunes at once."""

    def __init__(self, folder: Path) -> None:
        self.order = Order(folder / "order")
        self.owner: Mapping[str, str] = {}
        super().__init__(folder)

    def _config(self) -> dict[str, object]:
        short = f"{RETENTION}s"
        further = {"secrets": {"soft_delete_retention": short}, "audit": {"retention": short}}
        return super()._config() | further

    def _run(self) -> Process:
        argv = [sys.executable, "-m", "bench.launcher", "serve"]
        argv += ["--config", str(self._folder / "config.yaml")]
        argv += ["--allow-root"] if os.geteuid() == 0 else []
        ordered = {ORDER: str(self.order.wanted)}
        process = Process(argv, self._folder / "server.log", ordered)
        process.await_answer(f"{self.url}/v1/health")
        return process

    def rights(self, client: httpx.Client) -> str:
        self.owner = {"Authorization": client.headers["Authorization"]}
        return super().rights(client)

    def delete(self, number: int) -> bytes:
        """The request that deletes a secret."""
        return self.render("DELETE", f"{self.secrets}/{path(number)}", self.owner)

    def large(self, method: str, number: int) -> bytes:
        """The request that reads or writes a value of the largest size."""
        body = LARGE if method == "PUT" else b""
        return self.render(method, f"{self.secrets}/bench/large/{number}", self.headers, body)


Disturbance = Callable[[Disturbed, int], AbstractContextManager[None]]


# -- jobs ------------------------------------------------------------------------------------------


@contextmanager
def ordered(name: str, vault: Disturbed, _seconds: int) -> Iterator[None]:
    """A job of the launcher, over and over."""
    order = vault.order
    order.forget()
    given = order.wanted.with_suffix(".new")
    given.write_text(name)
    given.rename(order.wanted)  # whole at once: somebody is looking
    _await(order.begun, vault)
    try:
        yield
    finally:
        order.wanted.unlink()
        _await(order.made, vault)
        if order.made.read_text() == "0":
            raise BenchmarkError(f"{name} failed:\n{vault.process.tail()}")


def _await(file: Path, vault: Disturbed) -> None:
    deadline = time.perf_counter() + LIMIT
    while not file.exists():
        if time.perf_counter() > deadline:
            raise BenchmarkError(f"no {file.name}; the server printed:\n{vault.process.tail()}")
        time.sleep(0.01)


class Purge:
    """Secrets are deleted first, the last of ``beyond``, so that there is something to purge: at
    most ``most`` for a turn."""

    def __init__(self, beyond: int, most: int) -> None:
        self._beyond = beyond
        self._most = most

    @contextmanager
    def __call__(self, vault: Disturbed, seconds: int) -> Iterator[None]:
        """As a disturbance."""
        at = self._beyond - min(self._most, DELETED * seconds)
        load.send(vault.url, [vault.delete(n) for n in range(at, self._beyond)])
        self._beyond = at
        time.sleep(RETENTION)
        with ordered("purge", vault, seconds):
            yield


@contextmanager
def _endless(step: Callable[[], object]) -> Iterator[None]:
    """``step`` again and again in a thread, at least once."""
    ended = threading.Event()
    failed: list[BaseException] = []
    made = 0

    def run() -> None:
        nonlocal made
        try:
            while not ended.is_set():
                step()
                made += 1
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed or not made:
        raise BenchmarkError(f"a disturbance did not go on: {failed}")


@contextmanager
def verification(vault: Disturbed, _seconds: int) -> Iterator[None]:
    """Of the chain, a million rows at a time."""
    with _asking(vault) as client, _endless(lambda: call(client, "GET", "/v1/audit/verify")):
        yield


@contextmanager
def export(vault: Disturbed, _seconds: int) -> Iterator[None]:
    """Of all rows, into a directory."""
    with _asking(vault) as client, _endless(lambda: _export(client)):
        yield


def _export(client: httpx.Client) -> None:
    span = {"from": "2020-01-01", "to": "2100-01-01", "format": "jsonl"}
    wanted = {**span, "destination": {"type": "file"}}
    made = call(client, "POST", "/v1/audit/export", wanted)
    state: dict[str, object] = {}
    while state.get("status") not in ("completed", "failed"):
        time.sleep(0.1)
        state = call(client, "GET", f"/v1/audit/exports/{made['export_id']}")
    if state["status"] == "failed":
        raise BenchmarkError(f"export: {state['error']}")


def _asking(vault: Disturbed) -> httpx.Client:
    """As an administrator."""
    return httpx.Client(base_url=vault.url, timeout=LIMIT, trust_env=False, headers=vault.owner)


# -- clients ---------------------------------------------------------------------------------------


@contextmanager
def _beside(vault: Disturbed, plan: Sequence[bytes], seconds: int) -> Iterator[None]:
    """One connection that asks without a pause."""
    with _endless(lambda: load.drive(vault.url, plan, 1, seconds)):
        yield


def pages(vault: Disturbed, seconds: int) -> AbstractContextManager[None]:
    """Of 200, all secrets in reach."""
    return _beside(vault, [vault.page("bench/")], seconds)


def batches(vault: Disturbed, seconds: int) -> AbstractContextManager[None]:
    """Of 100."""
    return _beside(vault, [vault.batch(range(n, n + 100)) for n in range(0, 900, 100)], seconds)


def values(vault: Disturbed, seconds: int) -> AbstractContextManager[None]:
    """Of the largest size, written and read."""
    plan = [vault.large(method, n) for n in range(4) for method in ("PUT", "GET")]
    load.send(vault.url, plan[::2])
    return _beside(vault, plan, seconds)


@contextmanager
def sippers(vault: Disturbed, _seconds: int) -> Iterator[None]:
    """Clients that take a large answer in small pieces."""
    load.send(vault.url, [vault.large("PUT", 0)])
    with ExitStack() as running:
        for _ in range(SLOW):
            running.enter_context(_endless(partial(_sip, vault)))
        yield


def _sip(vault: Disturbed) -> None:
    """As much of an answer as comes in a second."""
    with _socket(vault) as connection:
        connection.sendall(vault.large("GET", 0))
        deadline = time.perf_counter() + 1
        while time.perf_counter() < deadline and connection.recv(SIP):
            time.sleep(SIP_PAUSE)


@contextmanager
def dribblers(vault: Disturbed, _seconds: int) -> Iterator[None]:
    """Clients that send the beginning of a head byte by byte, and go."""
    with ExitStack() as running:
        for _ in range(SLOW):
            running.enter_context(_endless(partial(_dribble, vault)))
        yield


def _dribble(vault: Disturbed) -> None:
    with _socket(vault) as connection, suppress(ConnectionError):
        for at in range(5):
            connection.sendall(vault.read(1)[at : at + 1])
            time.sleep(BYTE_PAUSE)


def _socket(vault: Disturbed) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * SIP)
    connection.connect(("127.0.0.1", vault.port))
    return connection


JOBS: Mapping[str, Disturbance] = MappingProxyType(
    {
        "fold": partial(ordered, "fold"),
        "scrub": partial(ordered, "scrub"),
        "verify": verification,
        "copy": partial(ordered, "copy"),
        "export": export,
    }
)
CLIENTS: Mapping[str, Disturbance] = MappingProxyType(
    {
        "slow readers": sippers,
        "slow senders": dribblers,
        "pages": pages,
        "batches": batches,
        "large values": values,
    }
)
# Takes away what others need.
LAST: Mapping[str, Disturbance] = MappingProxyType({"prune": partial(ordered, "audit-prune")})
