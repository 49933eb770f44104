"""Every row, or those named: measure, print, store ``bench/results/<date>.json``, compare."""

import json
from datetime import UTC, datetime

from bench import (
    audit,
    authenticate,
    batch,
    connections,
    decide,
    growth,
    listing,
    machine,
    memory,
    policies,
    read,
    report,
    results,
    start,
    tail,
    unseal,
    write,
)
from bench.row import Row, table
from bench.script import prepare
from bench.settings import Settings, parse

ROWS = {
    "read": read.run,
    "write": write.run,
    "batch": batch.run,
    "listing": listing.run,
    "authenticate": authenticate.run,
    "decide": decide.run,
    "policies": policies.run,
    "connections": connections.run,
    "unseal": unseal.run,
    "memory": memory.run,
    "growth": growth.run,
    "audit": audit.run,
    "tail": tail.run,
    "start": start.run,
}


def run() -> int:
    """Exit status: 1 if a row failed, or fell by more than 20 % against the last full run."""
    settings, named = parse(__doc__, list(ROWS))
    prepare()
    began = datetime.now(UTC)
    before = results.newest()
    about: dict[str, object] = {
        "date": began.isoformat(timespec="seconds"),
        "quick": settings.quick,
        "hardware": machine.hardware(settings.folder),
        "interpreter": machine.interpreter(),
        "versions": machine.versions(),
        "modes": machine.modes(settings),
    }
    print(json.dumps(about, indent=1), flush=True)
    rows: list[Row] = []
    name = began.strftime("%Y-%m-%dT%H%MZ") + ("-quick" if settings.quick else "")
    for each in named:
        rows.append(_measure(each, settings))
        print(table(rows[-1]), flush=True)
        # Each time: a run that is broken off keeps what it has.
        results.write(name, about | {"rows": [row.stored() for row in rows]})
    print(f"\nstored: {name}.json")
    if not settings.quick:
        _report()
    worse = [] if settings.quick else results.regressions(before, rows)
    for line in worse:
        print(f"regression: {line}")
    return 1 if worse or any(row.failed for row in rows) else 0


def _report() -> None:
    """Renew the page; without the library that draws, all of it but the plot."""
    try:
        report.write()
    except ImportError as error:
        print(f"the plot is not drawn ({error}): pip install -r requirements-bench.lock")


def _measure(name: str, settings: Settings) -> Row:
    """The row; a server that fails in it does not take the other rows away."""
    began = machine.ticks()
    try:
        row = ROWS[name](settings)
    except Exception as error:  # noqa: BLE001 - hours of other rows are not to be lost
        row = Row(name, notes=[f"not measured: {error!r}"], failed=True)
    row.processor = machine.ticks().since(began)
    return row


if __name__ == "__main__":
    raise SystemExit(run())
