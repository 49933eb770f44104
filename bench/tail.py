"""How long the slowest reads and writes take while something else goes on.

Reads at 16 connections and one writer, quiet and disturbed in turns. What the vault does by itself
(folding its log, purging, scrubbing, verifying, copying, exporting, pruning) may make the 99th
percentile three times as long at most. What other clients do (slow ones, pages, batches and values
of the largest size, each without a pause) may add 5 ms: such a request takes the event loop for a
few milliseconds, and some answers wait for one of them, but none for two, nor for a slow network.

Both cores are shared with the load generator, so the work itself shows, not only waiting for it.

Each connection waits for its answer before it asks again. So one stall of a second delays as many
answers as there are connections, too few for a 99th percentile: the longest answer of each turn is
told beside it, without a goal, as a single one may be the machine's.
"""

import statistics
import threading
from dataclasses import dataclass

from bench import load
from bench.disturbances import CLIENTS, JOBS, LAST, Disturbance, Disturbed, Purge
from bench.load import Load
from bench.process import BenchmarkError
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.target import initialised, scattered

CONNECTIONS = 16
SAMPLE = 5_000
QUIET, DISTURBED = "quiet", "disturbed"


@dataclass(frozen=True)
class Turn:
    """One turn of the steady load."""

    reads: Load
    writes: Load


class Steady:
    """Reads at 16 connections and one writer, scattered over the first half of the secrets."""

    def __init__(self, vault: Disturbed, settings: Settings) -> None:
        numbers = scattered(settings.many // 2, 0, SAMPLE)
        self._url = vault.url
        self._reads = [vault.read(n) for n in numbers]
        self._writes = [vault.write(n) for n in numbers[::10]]

    def turn(self, seconds: int) -> Turn:
        """For so long."""
        written: list[Load] = []

        def write() -> None:
            written.append(load.drive(self._url, self._writes, 1, seconds))

        writer = threading.Thread(target=write)
        writer.start()
        try:
            read = load.drive(self._url, self._reads, CONNECTIONS, seconds)
        finally:
            writer.join()
        if not written:
            raise BenchmarkError("the writer failed")
        return Turn(read, written[0])


def run(settings: Settings) -> Row:
    """Every disturbance with as many quiet turns as disturbed ones, one after the other."""
    row = Row(f"tail among {settings.many:,} secrets")
    with initialised(Disturbed, settings.folder, "tail") as vault:
        load.fill(vault, range(settings.many))
        steady = Steady(vault, settings)
        steady.turn(1)
        jobs = {**JOBS, "purge": Purge(settings.many, settings.many // 2 // settings.turns), **LAST}
        clients = dict(CLIENTS)
        for name, disturb in {**clients, **jobs}.items():
            row.figures += _figures(name, disturb, (vault, steady), settings)
    for name in jobs:
        row.goals += _goals(row, name, "disturbed over quiet", 3)
    for name in clients:
        row.goals += _goals(row, name, "milliseconds added", 5)
    return row


def _figures(
    name: str, disturb: Disturbance, on: tuple[Disturbed, Steady], settings: Settings
) -> list[Figure]:
    vault, steady = on
    turns: dict[str, list[Turn]] = {QUIET: [], DISTURBED: []}
    for _ in range(settings.turns):
        turns[QUIET].append(steady.turn(settings.seconds))
        with disturb(vault, settings.seconds):
            turns[DISTURBED].append(steady.turn(settings.seconds))
    figures = []
    for kind in ("reads", "writes"):
        for when, taken in turns.items():
            loads = [getattr(each, kind) for each in taken]
            figures.append(_figure(f"{name}, {kind}", when, loads))
            longest = tuple(round(each.max_us / 1000, 1) for each in loads)
            figures.append(Figure(f"{name}, longest of {kind}", when, "ms", longest))
    return figures


def _figure(case: str, when: str, loads: list[Load]) -> Figure:
    """The 99th percentile."""
    return Figure(
        case,
        when,
        "ms",
        tuple(round(each.p99_us / 1000, 2) for each in loads),
        statistics.median(each.p50_us for each in loads),
        statistics.median(each.p99_us for each in loads),
    )


def _goals(row: Row, name: str, what: str, bound: float) -> list[Goal]:
    goals = []
    for kind in ("reads", "writes"):
        quiet, disturbed = (row.find(f"{name}, {kind}", when) for when in (QUIET, DISTURBED))
        measured = None
        if quiet is not None and disturbed is not None:
            ratio, added = disturbed.median / quiet.median, disturbed.median - quiet.median
            measured = ratio if name not in CLIENTS else added
        goals.append(Goal(f"{name}: p99 of {kind}, {what}", measured, "at most", bound))
    return goals


if __name__ == "__main__":
    main(__doc__, run)
