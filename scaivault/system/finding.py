"""One line of what ``doctor`` found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["OK", "WARN", "FAIL"]


@dataclass(frozen=True, slots=True)
class Finding:
    """``FAIL``: the server will not start, or something will be lost. ``WARN``: a risk.
    ``detail`` says what is so, and the remedy where one is needed."""

    check: str
    level: Level
    detail: str


def worst(check: str, faults: list[str], fine: str, level: Level = "FAIL") -> Finding:
    """All faults of one check in one line, or that it is fine."""
    return Finding(check, level, "; ".join(faults)) if faults else Finding(check, "OK", fine)
