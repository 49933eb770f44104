"""Read 100 secrets in one call, each with its own decision and audit row; OpenBao reads singly."""

from dataclasses import replace

from bench import load
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from bench.stage import VAULTS, stage
from bench.target import Target
from bench.turns import case, take_turns
from bench.vault import Vault

SIZE = 100


def run(settings: Settings) -> Row:
    """Both servers take turns; a batch counts as the secrets in it."""
    row = Row("read 100 secrets at once")
    with stage(VAULTS, settings.folder, row.notes) as targets:
        for target in targets:
            load.fill(target, range(settings.paths))
        row.figures = [_secrets(each) for each in take_turns(targets, _ask, settings)]
    for connections in settings.connections:
        ratio = row.ratio(case(connections), ("ScaiVault", "OpenBao"))
        text = f"{case(connections)}, secrets over OpenBao's single reads"
        row.goals.append(Goal(text, ratio, "at least", 15))
    return row


def _ask(target: Target, number: int) -> bytes:
    if isinstance(target, Vault):
        return target.batch(range(number % SIZE, number % SIZE + SIZE))
    return target.read(number)


def _secrets(each: Figure) -> Figure:
    """Answers turned into secrets."""
    worth = SIZE if each.server == Vault.name else 1
    return replace(each, unit="secrets/s", turns=tuple(rate * worth for rate in each.turns))


if __name__ == "__main__":
    main(__doc__, run)
