"""Read one secret: policy checked, decrypted, audited; beside OpenBao and two bare servers."""

from bench import load
from bench.row import Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import BARE, VAULTS, stage
from bench.turns import case, take_turns

OPENBAO = ("ScaiVault", "OpenBao")
ROUTE = ("ScaiVault", "Starlette route")


def run(settings: Settings) -> Row:
    """Load the secrets, then let the servers take turns."""
    row = Row("read one secret")
    with stage((*VAULTS, *BARE), settings.folder, row.notes) as targets:
        for target in targets:
            load.fill(target, range(settings.paths))
        row.figures = take_turns(targets, lambda target, n: target.read(n), settings)
    row.goals = _goals(row)
    return row


def _goals(row: Row) -> list[Goal]:
    goals = [Goal("1 conn, rate over OpenBao", row.ratio(case(1), OPENBAO), "at least", 1.3)]
    for at in (case(16), case(64)):
        tail = row.ratio(at, OPENBAO, "p99_us")
        goals += [
            Goal(f"{at}, rate over OpenBao", row.ratio(at, OPENBAO), "at least", 5),
            Goal(f"{at}, p99 over OpenBao", tail, "at most", 0.25),
            Goal(f"{at}, rate over Starlette route", row.ratio(at, ROUTE), "at least", 0.5),
        ]
    return goals


if __name__ == "__main__":
    main(__doc__, run)
