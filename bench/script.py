"""What every script of the benchmarks does around its row."""

import os
import signal
from collections.abc import Callable
from types import FrameType

from bench import load
from bench.process import BenchmarkError
from bench.row import Row, table
from bench.settings import Settings, parse

CORES = 2


def prepare() -> None:
    """Keep to two cores, servers and load generator alike, and end servers when ended."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    signal.signal(signal.SIGTERM, _end)


def main(description: str | None, run: Callable[[Settings], Row]) -> None:
    """One row: measure and print; exit status 1 when it could not be measured."""
    settings, _ = parse(description)
    prepare()
    print(f"load generator: {load.name()}")
    try:
        print(table(run(settings)))
    except BenchmarkError as error:
        raise SystemExit(f"not measured: {error}") from error


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
