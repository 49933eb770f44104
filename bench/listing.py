"""List one page of 200 secrets out of few and out of many, as the caller's rules allow."""

import statistics

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.vault import Vault, vault

FEW = 1_000
# The whole tenant, a folder that holds all, and one that holds about a fifth of it.
PREFIXES = {"no prefix": "", "wide prefix": "bench/", "narrow prefix": "bench/app-1"}


def run(settings: Settings) -> Row:
    """Measure with few secrets in the vault, add the others, measure again."""
    row = Row("list a page of 200")
    with stage((vault,), settings.folder, row.notes) as targets:
        for target in targets:
            assert isinstance(target, Vault)
            have = 0
            for count in (FEW, settings.many):
                load.fill(target, range(have, count))
                have = count
                row.figures += [_figure(target, count, name, settings) for name in PREFIXES]
    for name in PREFIXES:
        row.goals += _goals(row, name, settings.many)
    return row


def _case(count: int, name: str) -> str:
    return f"{name}, {count:,}"


def _figure(target: Vault, count: int, name: str, settings: Settings) -> Figure:
    page = [target.page(PREFIXES[name])]
    load.drive(target.url, page, 1, 1)
    turns = [load.drive(target.url, page, 1, settings.seconds) for _ in range(settings.turns)]
    p50, p99 = (
        statistics.median(getattr(each, at) for each in turns) for at in ("p50_us", "p99_us")
    )
    times = tuple(round(each.p50_us / 1000, 3) for each in turns)
    return Figure(_case(count, name), target.name, "ms", times, p50, p99)


def _goals(row: Row, name: str, many: int) -> list[Goal]:
    over, under = (row.find(_case(count, name), "ScaiVault") for count in (many, FEW))
    slow = over.median if over else None
    growth = over.median / under.median if over and under else None
    return [
        Goal(f"{name}, p50 milliseconds", slow, "at most", 5),
        Goal(f"{name}, {many:,} over {FEW:,}", growth, "at most", 1.5),
    ]


if __name__ == "__main__":
    main(__doc__, run)
