"""Server programs as children: start, wait until they answer, weigh, stop."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

START_LIMIT = 30.0
STOP_LIMIT = 40.0


class MissingProgramError(Exception):
    """A program that a benchmark needs is not installed; the message says how to get it."""


class BenchmarkError(Exception):
    """A server did not start, or gave an answer that would make its figures meaningless."""


def free_port() -> int:
    """A TCP port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One running program; its output goes to a log file that error messages quote."""

    def __init__(
        self, argv: Sequence[str], log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        # A benchmark that is killed takes its servers with it.
        guard = ["setpriv", "--pdeathsig", "TERM", "--"] if shutil.which("setpriv") else []
        with log.open("ab") as output:
            self._child = subprocess.Popen(
                [*guard, *argv],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
            )

    @property
    def running(self) -> bool:
        return self._child.poll() is None

    def tail(self) -> str:
        """The last lines that the program printed."""
        return self.log.read_text(errors="replace")[-2000:]

    def await_answer(self, url: str, limit: float = START_LIMIT) -> None:
        """Return once ``url`` gives any HTTP answer.

        Raises:
            BenchmarkError: the program ended, or ``limit`` seconds passed; it is stopped.
        """
        deadline = time.perf_counter() + limit
        while time.perf_counter() < deadline:
            if not self.running:
                break
            try:
                httpx.get(url, timeout=2, trust_env=False)
            except httpx.TransportError:
                time.sleep(0.01)
            else:
                return
        self.stop()
        raise BenchmarkError(f"no answer from {url}; the program printed:\n{self.tail()}")

    def resident(self) -> int:
        """Bytes of memory resident in the program and its children, pages swapped out included."""
        return sum(_resident(pid) for pid in _family(self._child.pid))

    def stop(self) -> None:
        """Ask the program to end and wait; end it by force when it does not."""
        if self.running:
            self._child.terminate()
        try:
            self._child.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()


class Folder:
    """A temporary folder (0700) for data and logs; removed when left."""

    def __init__(self, parent: Path | None, prefix: str) -> None:
        self._held = tempfile.TemporaryDirectory(dir=parent, prefix=f"bench-{prefix}-")
        self.path = Path(self._held.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._held.cleanup()


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(
        int(line.split()[1]) * 1024 for line in lines if line.startswith(("VmRSS:", "VmSwap:"))
    )


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    family = [root]
    for pid in family:  # grows while it is walked: children of children are found as well
        family += [child for child, parent in parents.items() if parent == pid]
    return family
