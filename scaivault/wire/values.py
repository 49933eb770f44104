"""Durations and instants as they stand in requests and answers.

A duration is text such as ``36h`` or ``1h30m``; inside the program it is a whole number of
seconds, and it is returned to its sender as it was sent. Instants come from ``clock``.
"""

from __future__ import annotations

import re
from typing import Final

from scaivault.clock import instant, parse_instant
from scaivault.errors import Refusal

__all__ = [
    "LONGEST", "duration_field", "duration_text", "instant", "parse_duration", "parse_instant",
]  # fmt: skip

_UNITS: Final = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SHAPE: Final = re.compile("".join(rf"(?:([0-9]+){unit})?" for unit in _UNITS))
# No honest duration is longer; keeps the arithmetic small whatever is sent.
_MAX_TEXT: Final = 64

LONGEST: Final = 36_500 * 86_400
"""The longest duration that is accepted, in seconds: 100 years of 365 days."""


def parse_duration(text: str) -> int:
    """Seconds in ``text``: whole numbers with a unit of w d h m s, falling, each at most once.

    ``ValueError`` with a sentence for people when the shape is another one, or when the
    length is zero or over ``LONGEST``.
    """
    match = _SHAPE.fullmatch(text) if 0 < len(text) <= _MAX_TEXT else None
    if match is None:
        raise ValueError(
            "a duration is whole numbers with units, as in 36h, 7d or 1h30m: "
            "w d h m s in this order, each at most once"
        )
    counts = zip(match.groups(), _UNITS.values(), strict=True)
    seconds = sum(int(count) * unit for count, unit in counts if count is not None)
    if not 0 < seconds <= LONGEST:
        raise ValueError("a duration is longer than zero and at most 36500d")
    return seconds


def duration_field(field: str, text: str) -> int:
    """``parse_duration`` for a named field of a request: ``invalid_duration`` when it is bad."""
    try:
        return parse_duration(text)
    except ValueError as fault:
        raise Refusal("invalid_duration", f"{field}: {fault}", field=field) from None


def duration_text(seconds: int) -> str:
    """``seconds``, above zero, as a duration in days and what is shorter: ``1d12h``."""
    parts = []
    for unit in "dhms":
        count, seconds = divmod(seconds, _UNITS[unit])
        parts.append(f"{count}{unit}" if count else "")
    return "".join(parts)
