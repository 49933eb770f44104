"""A server under measurement: where it is, and how it wants to be asked."""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import httpx

from bench.process import BenchmarkError, Folder, Process

SPREAD = 2654435761  # a prime, larger than any count here


def path(number: int) -> str:
    """Path of secret ``number``: three segments, spread over 50 folders."""
    return f"bench/app-{number % 50}/secret-{number}"


def scattered(count: int, first: int, sample: int) -> list[int]:
    """``sample`` of the numbers below ``count``, from the ``first`` on in an order in which
    neighbours are far apart, in other folders."""
    return [at * SPREAD % count for at in range(first, min(first + sample, count))]


def value(number: int) -> dict[str, str]:
    """A database credential; as large for every number."""
    return {
        "host": "db.internal.example",
        "port": "5432",
        "username": f"svc-{number:08d}",
        "password": f"{number * 2654435761 % 10**16:016d}-x7Qm",
        "database": "orders",
    }


def value_bytes() -> int:
    """Size of every value as compact JSON."""
    return len(json.dumps(value(0), separators=(",", ":")))


PATIENCE = 600  # seconds that one call may take


class Target(ABC):
    """One server, spoken to in whole HTTP/1.1 requests so that every generator sends the same."""

    name: str
    secrets: str  # the address above every secret
    port: int
    process: Process

    @property
    @abstractmethod
    def headers(self) -> dict[str, str]:
        """What goes with every request: the token."""

    def read(self, number: int) -> bytes:
        """The request that reads secret ``number``."""
        return self.render("GET", f"{self.secrets}/{path(number)}", self.headers)

    def write(self, number: int) -> bytes:
        """The request that writes a version of secret ``number``."""
        body = json.dumps({"data": value(number)}, separators=(",", ":")).encode()
        return self.render("PUT", f"{self.secrets}/{path(number)}", self.headers, body)

    def resident(self) -> int:
        """Resident memory of the server, bytes."""
        return self.process.resident()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def render(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes = b""
    ) -> bytes:
        """One HTTP/1.1 request as it goes over the wire (RFC 9112 §2.1), connection kept."""
        fields = {"Host": f"127.0.0.1:{self.port}", **headers}
        if method != "GET":
            fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {at}" for name, at in fields.items())]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Sealable(Target):
    """A vault: made once, then stopped, started and unsealed at will."""

    @abstractmethod
    def _run(self) -> Process:
        """The program, once it answers."""

    @abstractmethod
    def initialise(self) -> None:
        """Make the vault, open it, and get a token to measure with."""

    @abstractmethod
    def unseal(self, client: httpx.Client) -> None:
        """Open the vault; returns when the server says that it is open."""

    def client(self) -> httpx.Client:
        """For single calls."""
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)

    def start(self) -> None:
        """Start the stopped server again; it comes back sealed."""
        self.process = self._run()

    def stop(self) -> None:
        """Stop the server; its data stay."""
        self.process.stop()


Served = TypeVar("Served", bound=Sealable)


@contextmanager
def initialised(
    kind: Callable[[Path], Served], parent: Path | None, prefix: str
) -> Iterator[Served]:
    """A vault ready to be measured, in a temporary folder, gone afterwards."""
    with Folder(parent, prefix) as folder:
        server = kind(folder.path)
        try:
            server.initialise()
            yield server
        finally:
            server.process.stop()


def call(
    client: httpx.Client, method: str, address: str, body: object = None, **headers: str
) -> dict[str, object]:
    """One call of the preparations; the answer's JSON object, empty where there is none.

    Raises:
        BenchmarkError: the server refused; its answer is quoted.
    """
    answer = client.request(method, address, json=body, headers=headers)
    if answer.is_error:
        raise BenchmarkError(f"{method} {address}: {answer.status_code} {answer.text[:500]}")
    return dict(answer.json()) if answer.content else {}
