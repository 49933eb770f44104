"""Result files: written after a run, and the last one compared with the next."""

import json
from pathlib import Path

from bench.row import Goal, Row

FOLDER = Path(__file__).with_name("results")
REGRESSION = 0.2


def write(name: str, run: dict[str, object]) -> Path:
    """Store a run as ``results/<name>.json``."""
    FOLDER.mkdir(exist_ok=True)
    file = FOLDER / f"{name}.json"
    file.write_text(json.dumps(run, indent=1) + "\n")
    return file


def latest() -> Path | None:
    """The newest stored full run; quick ones are no yardstick."""
    files = sorted(FOLDER.glob("*.json"))
    full = [file for file in files if not json.loads(file.read_text())["quick"]]
    return full[-1] if full else None


def regressions(before: Path, rows: list[Row]) -> list[str]:
    """Goals whose number is more than 20 % worse than in the stored run ``before``.

    Goals are ratios of one run, or bounds in seconds; rates themselves drift with the machine.
    """
    stored = json.loads(before.read_text())
    old = {
        (row["name"], goal["text"]): goal["measured"]
        for row in stored["rows"]
        for goal in row["goals"]
    }
    worse = []
    for row in rows:
        for goal in row.goals:
            was = old.get((row.name, goal.text))
            if was and goal.measured is not None and _worse(goal, was):
                worse.append(f"{row.name}: {goal.text}: {was:.2f} before, {goal.measured:.2f} now")
    return worse


def _worse(goal: Goal, was: float) -> bool:
    assert goal.measured is not None
    if goal.sense == "at least":
        return goal.measured < was * (1 - REGRESSION)
    return goal.measured > was * (1 + REGRESSION)
