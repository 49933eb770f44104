"""docs/guide/performance.md and its plot, from the stored results: ``python -m bench.report``.

Each row is shown as the newest full run that measured it has it, so a run of some rows renews these
alone. ``--check`` writes nothing and names what is out of date; it needs no plotting library, since
the plot carries a digest of what it shows. Text around the figures stands in ``report.template``.
"""

import argparse
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any

from bench import results
from bench.results import Stored
from bench.row import number

GUIDE = Path(__file__).parent.parent / "docs" / "guide"
PAGE, PLOT = GUIDE / "performance.md", GUIDE / "performance.svg"
TEMPLATE = Path(__file__).with_name("report.template")
RESULTS = "../../bench/results"

# Rows that begin with these words come in this order, others behind them.
ORDER = (
    "read one", "write a", "read 100", "read over", "read with", "list a", "policy", "authentic",
    "growth", "audit log", "tail", "unseal", "resident", "start",
)  # fmt: skip
PLOTTED = ("read one secret", "write a version")
VERDICTS = {True: "met", False: "**missed**", None: "not measured"}
SENSES = {"at least": "≥", "at most": "≤"}


def run() -> int:
    """Exit status: 1 if something is out of date, with ``--check``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    if parser.parse_args().check:
        late = stale()
        for each in late:
            print(f"{each.name} is out of date: python -m bench.report")
        return 1 if late else 0
    write()
    return 0


def stale() -> list[Path]:
    """Which of the two files are not what the stored results give."""
    rows = results.newest()
    late = [] if _text(PAGE) == page(rows) else [PAGE]
    return late if digest(plotted(rows)) in _text(PLOT) else [*late, PLOT]


def write() -> None:
    """Both files."""
    rows = results.newest()
    PAGE.write_text(page(rows))
    found = plotted(rows)
    if digest(found) not in _text(PLOT):
        # Here, since it takes a library that nothing else does.
        from bench.plot import draw

        draw(found, digest(found), PLOT)


def page(rows: Mapping[str, Stored]) -> str:
    """The text of the page."""
    told = [rows[name] for name in sorted(rows, key=_place)]
    goals = [goal for each in told for goal in each.row["goals"]]
    return Template(TEMPLATE.read_text()).substitute(
        met=sum(goal["met"] is True for goal in goals),
        goals=len(goals),
        targets="\n".join(_targets(told)),
        figures="\n\n".join("\n".join(_figures(each)) for each in told),
        runs="\n".join(_runs({each.file: each.run for each in told})),
    )


def plotted(rows: Mapping[str, Stored]) -> dict[str, Any]:
    """What the plot shows: figures by row."""
    return {name: rows[name].row["figures"] for name in PLOTTED if name in rows}


def digest(found: object) -> str:
    """Names what a plot shows."""
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _place(name: str) -> tuple[int, str]:
    places = (at for at, start in enumerate(ORDER) if name.startswith(start))
    return next(places, len(ORDER)), name


def _line(cells: Sequence[object]) -> str:
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def _table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    yield _line(head)
    yield _line(["---"] * len(head))
    yield from map(_line, rows)


def _targets(told: Sequence[Stored]) -> Iterator[str]:
    rows = []
    for each in told:
        name = each.row["name"]
        for goal in each.row["goals"]:
            measured = "" if goal["measured"] is None else f"{goal['measured']:,.2f}"
            wanted = f"{SENSES[goal['sense']]} {goal['bound']:,g}"
            rows.append((name, goal["text"], measured, wanted, VERDICTS[goal["met"]]))
            name = ""  # once
    return _table(("Row", "Target", "Measured", "Wanted", ""), rows)


def _figures(each: Stored) -> Iterator[str]:
    yield f"### {each.row['name'].capitalize()}"
    yield ""
    stolen = each.row.get("processor", {}).get("stolen")
    noise = "" if stolen is None else f" {stolen:.1%} of the processor's time was stolen meanwhile."
    yield f"Run of [{each.run['date'][:10]}]({RESULTS}/{each.file}).{noise}"
    yield from (f"{note}." for note in each.row["notes"])
    yield ""
    yield from _table(
        ("Case", "Server", "Median", "Lowest to highest", "p50 ms", "p99 ms"),
        [
            (
                figure["case"],
                figure["server"],
                f"{number(figure['median'])} {figure['unit']}",
                f"{number(min(figure['turns']))} to {number(max(figure['turns']))}",
                _milliseconds(figure["p50_us"]),
                _milliseconds(figure["p99_us"]),
            )
            for figure in each.row["figures"]
        ],
    )


def _milliseconds(taken: float | None) -> str:
    return "" if taken is None else number(taken / 1000)


def _runs(runs: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    """What all runs have in common, then a column for each run with what they have not."""
    names = sorted(runs)
    about = [dict(_flat(runs[name])) for name in names]
    lines = {key: [each.get(key, "") for each in about] for one in about for key in one}
    shared = {key: found[0] for key, found in lines.items() if len(set(map(str, found))) == 1}
    yield from _table(("In all runs", ""), list(shared.items()))
    yield ""
    yield from _table(
        ("In each", *(f"[{name[:16]}]({RESULTS}/{name})" for name in names)),
        [(key, *found) for key, found in lines.items() if key not in shared],
    )


def _flat(run: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, object]]:
    for key, value in run.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _flat(value, f"{name}, ")
        elif key not in ("rows", "quick"):
            yield name, ("no", "yes")[value] if isinstance(value, bool) else value


if __name__ == "__main__":
    raise SystemExit(run())
