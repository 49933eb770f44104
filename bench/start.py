"""How long a command takes to say its version; the bare interpreter stands beside it."""

import subprocess
import sys
import time
from collections.abc import Callable

from bench import rival, vault
from bench.process import MissingProgramError
from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings

CASE = "print version"


def run(settings: Settings) -> Row:
    """The commands take turns; the first round, which may compile byte code, does not count."""
    row = Row("start of the command")
    commands = {"Python alone": [sys.executable, "-c", "pass"]}
    _add(commands, row, "ScaiVault", lambda: [*vault.program(), "--version"])
    _add(commands, row, "OpenBao", lambda: [rival.program(), "version"])
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(1 + 4 * settings.turns):
        for name, argv in commands.items():
            times[name].append(_time(argv))
    for name, taken in times.items():
        row.figures.append(Figure(CASE, name, "ms", tuple(round(each, 1) for each in taken[1:])))
    ours = row.find(CASE, "ScaiVault")
    row.goals = [Goal("milliseconds", ours.median if ours else None, "at most", 150)]
    return row


def _add(
    commands: dict[str, list[str]], row: Row, name: str, command: Callable[[], list[str]]
) -> None:
    try:
        commands[name] = command()
    except MissingProgramError as missing:
        row.notes.append(str(missing))


def _time(argv: list[str]) -> float:
    began = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main(__doc__, run)
