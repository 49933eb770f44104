"""Resident memory with many secrets: fresh, after loading them, after reading each of them."""

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import VAULTS, stage
from bench.target import Target

MIB = 1 << 20
READ = "after reading"


def run(settings: Settings) -> Row:
    """One server after the other; only one holds the secrets at a time."""
    row = Row(f"resident memory, {settings.many:,} secrets")
    for starter in VAULTS:
        with stage((starter,), settings.folder, row.notes) as targets:
            for target in targets:
                row.figures += _weigh(target, settings.many)
    ratio = row.ratio(READ, ("ScaiVault", "OpenBao"))
    row.goals = [Goal("after reading, over OpenBao", ratio, "at most", 1)]
    return row


def _weigh(target: Target, many: int) -> list[Figure]:
    figures = [_figure("fresh", target)]
    load.fill(target, range(many))
    figures.append(_figure("after loading", target))
    load.send(target.url, [target.read(n) for n in range(many)])
    figures.append(_figure(READ, target))
    return figures


def _figure(case: str, target: Target) -> Figure:
    return Figure(case, target.name, "MiB", (round(target.resident() / MIB, 1),))


if __name__ == "__main__":
    main(__doc__, run)
