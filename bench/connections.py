"""Reads over few and over many connections: more of them must not cost rate, nor split latencies.

The load generator asks again as soon as it is answered, so with as many connections as it has the
median latency is connections over rate; what the tail says is how fairly the server takes turns.
"""

from dataclasses import replace

from bench import load
from bench.row import Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import VAULTS, stage
from bench.turns import case, take_turns

CONNECTIONS = (1, 4, 16, 64, 256)


def run(settings: Settings) -> Row:
    """Load the secrets, then let the servers take turns."""
    row = Row("read over 1 to 256 connections")
    with stage(VAULTS, settings.folder, row.notes) as targets:
        for target in targets:
            load.fill(target, range(settings.paths))
        wanted = replace(settings, connections=CONNECTIONS)
        row.figures = take_turns(targets, lambda target, n: target.read(n), wanted)
    row.goals = _goals(row)
    return row


def _goals(row: Row) -> list[Goal]:
    rate = tail = None
    many, some = (row.find(case(at), "ScaiVault") for at in (256, 64))
    if many and some and many.p50_us and many.p99_us:
        rate, tail = many.median / some.median, many.p99_us / many.p50_us
    return [
        Goal("256 conn, rate over that of 64", rate, "at least", 0.8),
        Goal("256 conn, p99 over p50", tail, "at most", 3),
    ]


if __name__ == "__main__":
    main(__doc__, run)
