"""The load generator: closed loop, kept connections, every answer must be a success.

``wrk`` (one thread) where it is installed; else ``bench.generator``, which is slower and takes more
of the two cores, so that figures of the two must not be compared: results name the generator.
"""

import itertools
import json
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import generator
from bench.process import BenchmarkError
from bench.target import Target

PORTION = 10_000
SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True)
class Load:
    """What one turn of load gave; latencies in microseconds, seen by the client."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    failed: int

    @property
    def rate(self) -> float:
        """Answers per second."""
        return self.requests / self.seconds


def name() -> str:
    """The generator that :func:`drive` uses on this machine."""
    return "wrk" if shutil.which("wrk") else "python"


def drive(url: str, requests: Sequence[bytes], connections: int, seconds: int) -> Load:
    """Send ``requests`` round and round over ``connections`` kept connections for ``seconds``.

    Raises:
        BenchmarkError: an answer was missing or not a success, so the figures mean nothing.
    """
    if shutil.which("wrk"):
        load = _wrk(url, requests, connections, seconds)
    else:
        endless = itertools.cycle(requests)
        load = _python(url, generator.until(seconds, endless), connections)
    if load.failed or not load.requests:
        raise BenchmarkError(f"{load.failed} of {load.requests} requests to {url} failed")
    return load


def send(url: str, requests: Sequence[bytes], connections: int = 32) -> Load:
    """Send each request once: how secrets are loaded, and how a counted run is made.

    Raises:
        BenchmarkError: an answer was not a success.
    """
    load = _python(url, iter(requests), connections)
    if load.failed or load.requests != len(requests):
        raise BenchmarkError(f"{load.requests} of {len(requests)} answered, {load.failed} failed")
    return load


def fill(target: Target, numbers: range) -> None:
    """Write each secret of ``numbers`` once, in portions, so that few requests are held at once."""
    for at in range(0, len(numbers), PORTION):
        send(target.url, [target.write(n) for n in numbers[at : at + PORTION]])


def _wrk(url: str, requests: Sequence[bytes], connections: int, seconds: int) -> Load:
    with tempfile.NamedTemporaryFile(prefix="bench-plan-") as plan:
        plan.write(b"\0".join(requests))
        plan.flush()
        argv = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "--latency"]
        argv += ["-s", str(SCRIPT), url, "--", plan.name]
        ran = subprocess.run(argv, capture_output=True, text=True, timeout=seconds + 60, check=True)
    return Load(**json.loads(ran.stdout.splitlines()[-1]))


def _python(url: str, requests: "generator.Source", connections: int) -> Load:
    ran = generator.run(url, requests, connections)
    times = sorted(ran.latencies)
    if not times:
        return Load(0, ran.seconds, 0, 0, 0, max(ran.failed, 1))
    p50, p99 = (times[int(len(times) * share)] * 1e6 for share in (0.50, 0.99))
    return Load(len(times), ran.seconds, p50, p99, times[-1] * 1e6, ran.failed)
