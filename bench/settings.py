"""What a run measures, and for how long: one small record for every row."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Bounds of a run. ``seconds`` is one turn of one server at one number of connections."""

    quick: bool = False
    turns: int = 5
    seconds: int = 5
    connections: tuple[int, ...] = (1, 16, 64)
    paths: int = 200
    many: int = 100_000
    audit_rows: int = 10_000_000
    filled: Path | None = None
    folder: Path | None = None


def parse(description: str | None, rows: Sequence[str] = ()) -> tuple[Settings, list[str]]:
    """Settings from the command line, the same flags for every script; and those of ``rows``
    that were named, all of them when none was.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="one-second turns, few secrets")
    parser.add_argument("--turns", type=int, default=5, help="turns per server (at least 5)")
    parser.add_argument("--seconds", type=int, help="length of one turn")
    parser.add_argument("--many", type=int, help="secrets for unseal and memory")
    parser.add_argument("--audit-rows", type=int, help="rows of the long audit log")
    parser.add_argument("--filled", type=Path, help="where filled audit logs are kept and found")
    parser.add_argument("--folder", type=Path, help="where the servers keep their data")
    if rows:
        parser.add_argument("rows", nargs="*", metavar="row", help=", ".join(rows))
    given = parser.parse_args()
    named = given.rows if rows else []
    if not set(named) <= set(rows):
        parser.error(f"rows are {', '.join(rows)}")
    if given.turns < 5:
        parser.error("--turns: medians need at least 5")
    settings = Settings(
        quick=given.quick,
        turns=given.turns,
        seconds=given.seconds or (1 if given.quick else 5),
        many=given.many or (2_000 if given.quick else 100_000),
        audit_rows=given.audit_rows or (100_000 if given.quick else 10_000_000),
        filled=given.filled,
        folder=given.folder,
    )
    return settings, named or list(rows)
