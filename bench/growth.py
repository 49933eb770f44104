"""Reads and writes among ten times the many secrets against few: rates must hardly fall.

The load goes to a sample spread evenly over all secrets, so that what it hits is as scattered as
the secrets are. The memory of the server stands beside.
"""

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import stage
from bench.target import Target
from bench.turns import Ask
from bench.vault import vault

FEW = 1_000
SAMPLE = 20_000
CONNECTIONS = 16
MIB = 1 << 20
KINDS: dict[str, Ask] = {
    "reads": lambda target, n: target.read(n),
    "writes": lambda target, n: target.write(n),
}


def run(settings: Settings) -> Row:
    """Measure with few secrets in the vault, add the others, measure again."""
    most = settings.many * 10
    row = Row(f"growth to {most:,} secrets")
    with stage((vault,), settings.folder, row.notes) as targets:
        for target in targets:
            have = 0
            for count in (FEW, most):
                load.fill(target, range(have, count))
                have = count
                row.figures += _figures(target, count, settings)
    for kind in KINDS:
        over, under = (row.find(_case(kind, count), "ScaiVault") for count in (most, FEW))
        ratio = over.median / under.median if over and under else None
        row.goals.append(Goal(f"{kind}, {most:,} over {FEW:,}", ratio, "at least", 0.8))
    return row


def _case(kind: str, count: int) -> str:
    return f"{kind}, {count:,}"


def _figures(target: Target, count: int, settings: Settings) -> list[Figure]:
    figures = []
    sample = range(0, count, max(1, count // SAMPLE))
    for kind, ask in KINDS.items():
        plan = [ask(target, n) for n in sample]
        load.drive(target.url, plan, CONNECTIONS, 1)
        rates = [
            round(load.drive(target.url, plan, CONNECTIONS, settings.seconds).rate, 1)
            for _ in range(settings.turns)
        ]
        figures.append(Figure(_case(kind, count), target.name, "answers/s", tuple(rates)))
    memory = round(target.resident() / MIB, 1)
    return [*figures, Figure(_case("memory", count), target.name, "MiB", (memory,))]


if __name__ == "__main__":
    main(__doc__, run)
