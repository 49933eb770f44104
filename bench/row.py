"""What a row of the results is made of: figures of the servers, and goals as ratios of them."""

import statistics
from dataclasses import asdict, dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Figure:
    """One measured number of one server: the median of its turns, and the turns themselves."""

    case: str
    server: str
    unit: str
    turns: tuple[float, ...]
    p50_us: float | None = None
    p99_us: float | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.turns)


@dataclass(frozen=True)
class Goal:
    """A ratio (or bound) to reach; ``measured`` is empty where a server was missing."""

    text: str
    measured: float | None
    sense: Literal["at least", "at most"]
    bound: float

    @property
    def met(self) -> bool | None:
        if self.measured is None:
            return None
        if self.sense == "at least":
            return self.measured >= self.bound
        return self.measured <= self.bound


@dataclass
class Row:
    """One row of the results. ``processor``: what became of the machine's processor time meanwhile
    (``machine.Ticks.since``); with more than a few percent stolen the figures say little."""

    name: str
    figures: list[Figure] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: bool = False
    processor: dict[str, float] = field(default_factory=dict)

    def find(self, case: str, server: str) -> Figure | None:
        """The figure of ``server`` in ``case``, where it was measured."""
        hits = (each for each in self.figures if (each.case, each.server) == (case, server))
        return next(hits, None)

    def ratio(
        self,
        case: str,
        servers: tuple[str, str],
        field_name: Literal["median", "p99_us"] = "median",
    ) -> float | None:
        """The first server's number over the second's in ``case``, empty if either is missing."""
        over, under = (self.find(case, server) for server in servers)
        if over is None or under is None:
            return None
        return float(getattr(over, field_name)) / float(getattr(under, field_name))

    def stored(self) -> dict[str, object]:
        """The row as it stands in the results file."""
        figures = [asdict(each) | {"median": each.median} for each in self.figures]
        goals = [asdict(each) | {"met": each.met} for each in self.goals]
        about: dict[str, object] = {"name": self.name, "notes": self.notes, "failed": self.failed}
        about["processor"] = self.processor
        return about | {"figures": figures, "goals": goals}


def table(row: Row) -> str:
    """The row for people: a line per figure, then a line per goal."""
    lines = [f"\n{row.name}", *(f"  {note}" for note in row.notes)]
    if row.processor:
        lines.append("  processor: " + ", ".join(f"{v:.1%} {k}" for k, v in row.processor.items()))
    lines += [_figure(each) for each in row.figures]
    lines += [_goal(each) for each in row.goals]
    return "\n".join(lines)


def _figure(each: Figure) -> str:
    latency = ""
    if each.p50_us is not None and each.p99_us is not None:
        latency = f"  p50 {each.p50_us / 1000:8.2f} ms  p99 {each.p99_us / 1000:8.2f} ms"
    spread = f"({number(min(each.turns))}..{number(max(each.turns))})"
    median = f"{number(each.median):>10} {each.unit:10}"
    return f"  {each.case:16} {each.server:16} {median} {spread:20}{latency}"


def _goal(each: Goal) -> str:
    verdict = {True: "met", False: "MISSED", None: "not measured"}[each.met]
    measured = "-" if each.measured is None else f"{each.measured:.2f}"
    return f"  {each.text:48} {measured:>8}  ({each.sense} {each.bound:g}: {verdict})"


def number(value: float) -> str:
    """Three digits of it, or the whole part."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
