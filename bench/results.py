"""Result files: written after a run, read for the report, and compared with the next run."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from bench.row import Goal, Row

FOLDER = Path(__file__).with_name("results")
REGRESSION = 0.2


class Stored(NamedTuple):
    """A row as a file holds it, and the run that it is of."""

    file: str
    run: dict[str, Any]
    row: dict[str, Any]


def write(name: str, run: dict[str, object]) -> Path:
    """Store a run as ``results/<name>.json``."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps(run, indent=1) + "\n")
    return file


def newest(folder: Path = FOLDER) -> dict[str, Stored]:
    """Each row by its name, from the newest full run that measured it. No yardstick are quick runs,
    those without the rival, and those of the slower load generator.

    Names of files begin with the date, so they sort by it.
    """
    found: dict[str, Stored] = {}
    for file in sorted(folder.glob("*.json"), reverse=True):
        run = json.loads(file.read_text())
        if run["quick"] or "not installed" in (run["versions"]["OpenBao"], run["versions"]["wrk"]):
            continue
        for row in run["rows"]:
            if not row["failed"]:
                found.setdefault(row["name"], Stored(file.name, run, row))
    return found


def regressions(before: dict[str, Stored], rows: list[Row]) -> list[str]:
    """Goals whose number is more than 20 % worse than in the last full run of their row.

    Goals are ratios of one run, or bounds in seconds; rates themselves drift with the machine.
    """
    worse = []
    for row in rows:
        stored = before.get(row.name)
        old = {} if stored is None else {each["text"]: each for each in stored.row["goals"]}
        for goal in row.goals:
            was = old.get(goal.text, {}).get("measured")
            if was and goal.measured is not None and _worse(goal, was):
                worse.append(f"{row.name}: {goal.text}: {was:.2f} before, {goal.measured:.2f} now")
    return worse


def _worse(goal: Goal, was: float) -> bool:
    assert goal.measured is not None
    if goal.sense == "at least":
        return goal.measured < was * (1 - REGRESSION)
    return goal.measured > was * (1 + REGRESSION)
