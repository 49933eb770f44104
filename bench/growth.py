"""Reads and writes among ten times the many secrets against few: rates must hardly fall.

Two vaults take turns, one with few and one with many secrets. The load goes to as many secrets of
both, scattered over all; then, in the large one, to others in each turn, of which nothing is in
memory. Memory is weighed at the end, after reading a tenth of the secrets once: it may grow by the
configured cache.
"""

from functools import partial

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.target import Target, scattered
from bench.turns import Ask, Plan, alternate, rates
from bench.vault import CACHE_MIB, Vault, vault

FEW = 1_000
FRESH = 20_000  # secrets of one turn: more than are asked for in five seconds
CONNECTIONS = 16
MIB = 1 << 20
KINDS: dict[str, Ask] = {
    "reads": lambda target, n: target.read(n),
    "writes": lambda target, n: target.write(n),
}


def run(settings: Settings) -> Row:
    """Fill both, let them take turns, weigh them."""
    few, many = FEW, settings.many * 10
    row = Row(f"growth to {many:,} secrets")
    with stage((vault, vault), settings.folder, row.notes) as targets:
        small, large = targets
        load.fill(small, range(few))
        load.fill(large, range(many))
        for kind, ask in KINDS.items():
            fresh = partial(_fresh, large, ask, many)
            plans: dict[str, Plan] = {
                _case(kind, few): (small, [ask(small, n) for n in range(few)]),
                _case(kind, many): (large, [ask(large, n) for n in scattered(many, 0, few)]),
                _case(f"fresh {kind}", many): (large, fresh),
            }
            loads = alternate([*plans.values()], CONNECTIONS, settings)
            for case, turns in zip(plans, loads, strict=True):
                row.figures.append(rates(case, Vault.name, turns))
        for target, count in ((small, few), (large, many)):
            row.figures.append(_weigh(target, count, settings.many))
    row.goals = [
        *(_kept(row, kind, few, many, how) for kind in KINDS for how in ("", "fresh ")),
        _added(row, few, many),
    ]
    return row


def _fresh(target: Target, ask: Ask, count: int, turn: int) -> list[bytes]:
    """Requests for secrets that no turn before had."""
    numbers = scattered(count, FEW + turn * FRESH, FRESH)
    return [ask(target, n) for n in numbers or scattered(count, 0, FRESH)]


def _case(kind: str, count: int) -> str:
    return f"{kind}, {count:,}"


def _weigh(target: Target, count: int, sample: int) -> Figure:
    load.send(target.url, [target.read(n) for n in scattered(count, 0, sample)])
    memory = round(target.resident() / MIB, 1)
    return Figure(_case("memory", count), Vault.name, "MiB", (memory,))


def _kept(row: Row, kind: str, few: int, many: int, how: str) -> Goal:
    cases = _case(kind, few), _case(how + kind, many)
    under, over = (row.find(case, Vault.name) for case in cases)
    ratio = over.median / under.median if over and under else None
    return Goal(f"{how}{kind}, {many:,} over {few:,}", ratio, "at least", 0.8)


def _added(row: Row, few: int, most: int) -> Goal:
    under, over = (row.find(_case("memory", count), Vault.name) for count in (few, most))
    added = over.median - under.median if over and under else None
    return Goal("MiB more memory, of the cache", added, "at most", CACHE_MIB)


if __name__ == "__main__":
    main(__doc__, run)
