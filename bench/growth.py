"""Reads and writes among ten times the many secrets against few: rates must hardly fall.

Two vaults take turns, one with few and one with many secrets. The load goes to as many secrets of
both, spread evenly over all, so that what it hits is as scattered as the secrets are; then to so
many of the many that rows are not found in memory again. Memory is weighed at the end, after
reading a tenth of the secrets once: it may grow by the configured cache.
"""

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.target import Target
from bench.turns import Ask, alternate, rates
from bench.vault import CACHE_MIB, Vault, vault

FEW = 1_000
WIDE = 20_000
CONNECTIONS = 16
MIB = 1 << 20
KINDS: dict[str, Ask] = {
    "reads": lambda target, n: target.read(n),
    "writes": lambda target, n: target.write(n),
}


def run(settings: Settings) -> Row:
    """Fill both, let them take turns, weigh them."""
    counts = FEW, settings.many * 10
    row = Row(f"growth to {counts[1]:,} secrets")
    with stage((vault, vault), settings.folder, row.notes) as targets:
        for target, count in zip(targets, counts, strict=True):
            load.fill(target, range(count))
        for kind, ask in KINDS.items():
            few, many = targets
            samples = [(few, FEW, FEW), (many, counts[1], FEW), (many, counts[1], WIDE)]
            plans = [
                (target, [ask(target, n) for n in _spread(count, sample)])
                for target, count, sample in samples
            ]
            loads = alternate(plans, CONNECTIONS, settings)
            for (_, count, sample), turns in zip(samples, loads, strict=True):
                case = _case(kind, count) if sample == FEW else _wide(kind, count)
                row.figures.append(rates(case, Vault.name, turns))
        for target, count in zip(targets, counts, strict=True):
            row.figures.append(_weigh(target, count, settings.many))
    row.goals = [_kept(row, kind, *counts) for kind in KINDS] + [_added(row, *counts)]
    return row


def _case(kind: str, count: int) -> str:
    return f"{kind}, {count:,}"


def _wide(kind: str, count: int) -> str:
    return f"{kind}, {WIDE:,} of {count:,}"


def _spread(count: int, sample: int) -> range:
    return range(0, count, max(1, count // sample))


def _weigh(target: Target, count: int, sample: int) -> Figure:
    load.send(target.url, [target.read(n) for n in _spread(count, sample)])
    memory = round(target.resident() / MIB, 1)
    return Figure(_case("memory", count), Vault.name, "MiB", (memory,))


def _kept(row: Row, kind: str, few: int, most: int) -> Goal:
    under, over = (row.find(_case(kind, count), Vault.name) for count in (few, most))
    ratio = over.median / under.median if over and under else None
    return Goal(f"{kind}, {most:,} over {few:,}", ratio, "at least", 0.8)


def _added(row: Row, few: int, most: int) -> Goal:
    under, over = (row.find(_case("memory", count), Vault.name) for count in (few, most))
    added = over.median - under.median if over and under else None
    return Goal("MiB more memory, of the cache", added, "at most", CACHE_MIB)


if __name__ == "__main__":
    main(__doc__, run)
