"""Names that people give to things and read in lists; not those that stand in URLs."""

from __future__ import annotations

from typing import Final

NAME_LONGEST: Final = 128


def name_fault(name: str | None) -> str | None:
    """Why ``name`` cannot name a policy, webhook or backend; None for a good one, and for none.

    Printable in the sense of Unicode: what cannot be seen (controls, format characters, blanks
    other than the plain one) would let two names look the same.
    """
    if name is None:
        return None
    if not 1 <= len(name) <= NAME_LONGEST:
        return f"must have 1 to {NAME_LONGEST} characters"
    if not name.isprintable():
        return "must hold printable characters only"
    if name != name.strip(" "):
        return "must not begin or end with a blank"
    return None
