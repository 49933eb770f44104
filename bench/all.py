"""Every row, or those named: measure, print, store ``bench/results/<date>.json``, compare."""

import json
from datetime import UTC, datetime

from bench import (
    batch,
    decide,
    growth,
    listing,
    machine,
    memory,
    read,
    results,
    start,
    unseal,
    write,
)
from bench.row import Row, table
from bench.script import prepare
from bench.settings import parse

ROWS = {
    "read": read.run,
    "write": write.run,
    "batch": batch.run,
    "listing": listing.run,
    "decide": decide.run,
    "unseal": unseal.run,
    "memory": memory.run,
    "growth": growth.run,
    "start": start.run,
}


def run() -> int:
    """Exit status: 1 if a row fell by more than 20 % against the last stored full run."""
    settings, named = parse(__doc__, list(ROWS))
    prepare()
    began = datetime.now(UTC)
    before = results.latest()
    about: dict[str, object] = {
        "date": began.isoformat(timespec="seconds"),
        "quick": settings.quick,
        "hardware": machine.hardware(settings.folder),
        "versions": machine.versions(),
        "modes": machine.modes(settings),
    }
    print(json.dumps(about, indent=1), flush=True)
    rows: list[Row] = []
    for each in named:
        rows.append(ROWS[each](settings))
        print(table(rows[-1]), flush=True)
    name = began.strftime("%Y-%m-%dT%H%MZ") + ("-quick" if settings.quick else "")
    stored = results.write(name, about | {"rows": [row.stored() for row in rows]})
    print(f"\nstored: {stored.name}")
    worse = [] if before is None or settings.quick else results.regressions(before, rows)
    for line in worse:
        print(f"regression: {line}")
    return 1 if worse else 0


if __name__ == "__main__":
    raise SystemExit(run())
