"""What a run measures, and for how long: one small record for every row."""

import argparse
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
    folder: Path | None = None


def parse(description: str | None) -> Settings:
    """Settings from the command line, the same flags for every script."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="one-second turns, few secrets")
    parser.add_argument("--turns", type=int, default=5, help="turns per server (at least 5)")
    parser.add_argument("--seconds", type=int, help="length of one turn")
    parser.add_argument("--many", type=int, help="secrets for unseal and memory")
    parser.add_argument("--folder", type=Path, help="where the servers keep their data")
    given = parser.parse_args()
    if given.turns < 5:
        parser.error("--turns: medians need at least 5")
    return Settings(
        quick=given.quick,
        turns=given.turns,
        seconds=given.seconds or (1 if given.quick else 5),
        many=given.many or (2_000 if given.quick else 100_000),
        folder=given.folder,
    )
