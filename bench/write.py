"""Write a version of an existing secret, on disk before the answer; beside the same servers."""

from bench import load
from bench.row import Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import BARE, VAULTS, stage
from bench.turns import case, take_turns

OPENBAO = ("ScaiVault", "OpenBao")
BOUNDS = {1: 1.5, 16: 4.0, 64: 4.0}


def run(settings: Settings) -> Row:
    """Create the secrets, then let the servers take turns at new versions of them."""
    row = Row("write a version")
    with stage((*VAULTS, *BARE), settings.folder, row.notes) as targets:
        for target in targets:
            load.fill(target, range(settings.paths))
        row.figures = take_turns(targets, lambda target, n: target.write(n), settings)
    for connections, bound in BOUNDS.items():
        ratio = row.ratio(case(connections), OPENBAO)
        row.goals.append(Goal(f"{case(connections)}, rate over OpenBao", ratio, "at least", bound))
        tail = row.ratio(case(connections), OPENBAO, "p99_us")
        row.goals.append(Goal(f"{case(connections)}, p99 over OpenBao", tail, "at most", 1))
    return row


if __name__ == "__main__":
    main(__doc__, run)
