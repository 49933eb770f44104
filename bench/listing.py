"""List one page of 200 secrets out of few and out of many, as the caller's rules allow.

Two vaults take turns, one with few and one with many secrets.
"""

from bench import load
from bench.row import Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.turns import alternate, times
from bench.vault import Vault, vault

FEW = 1_000
# The whole tenant, a folder that holds all, and one that holds about a fifth of it.
PREFIXES = {"no prefix": "", "wide prefix": "bench/", "narrow prefix": "bench/app-1"}


def run(settings: Settings) -> Row:
    """Fill both, then let them take turns at each prefix."""
    counts = FEW, settings.many
    row = Row("list a page of 200")
    with stage((vault, vault), settings.folder, row.notes) as targets:
        for target, count in zip(targets, counts, strict=True):
            load.fill(target, range(count))
        for name, prefix in PREFIXES.items():
            plans = [(each, [each.page(prefix)]) for each in targets if isinstance(each, Vault)]
            loads = alternate(plans, 1, settings)
            for count, turns in zip(counts, loads, strict=True):
                row.figures.append(times(_case(count, name), Vault.name, turns))
    for name in PREFIXES:
        row.goals += _goals(row, name, settings.many)
    return row


def _case(count: int, name: str) -> str:
    return f"{name}, {count:,}"


def _goals(row: Row, name: str, many: int) -> list[Goal]:
    over, under = (row.find(_case(count, name), Vault.name) for count in (many, FEW))
    slow = over.median if over else None
    growth = over.median / under.median if over and under else None
    return [
        Goal(f"{name}, p50 milliseconds", slow, "at most", 5),
        Goal(f"{name}, {many:,} over {FEW:,}", growth, "at most", 1.5),
    ]


if __name__ == "__main__":
    main(__doc__, run)
