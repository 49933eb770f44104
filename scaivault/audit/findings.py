"""What a verification finds, and how much of it is told."""

from __future__ import annotations

from typing import Final, Literal

from scaivault.wire.audit import Problem

MOST: Final = 100

Kind = Literal[
    "row_modified",
    "row_missing",
    "link_broken",
    "sequence_error",
    "checkpoint_mismatch",
    "checkpoint_invalid",
    "truncated",
    "page_damaged",
    "prune_unmatched",
    "file_missing",
    "file_modified",
]


class Findings:
    """Counts all problems and keeps the first of them, by place."""

    def __init__(self) -> None:
        self._kept: Final[dict[str, list[Problem]]] = {}
        self.count = 0

    def add(self, kind: Kind, seq: int | None, detail: str) -> None:
        self.count += 1
        # Per kind, so that thousands of one kind leave none of the others out.
        kept = self._kept.setdefault(kind, [])
        if len(kept) < MOST:
            kept.append(Problem(kind, seq, detail))

    def told(self) -> list[Problem]:
        """At most 100, in the order of rows; the first of every kind is among them."""
        lists = self._kept.values()
        first = [kept[0] for kept in lists]
        rest = sorted((one for kept in lists for one in kept[1:]), key=_place)
        return sorted(first + rest[: MOST - len(first)], key=_place)


def _place(problem: Problem) -> int:
    return -1 if problem.seq is None else problem.seq
