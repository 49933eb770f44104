"""One policy decision, inside the process: many policies must cost little more than few.

The policies reach their caller through groups; who is in which group is settled when the rules
are compiled, which happens once per caller and change, so only the compiled rules are timed.
"""

import statistics
import time
from collections.abc import Iterator

from bench.row import Figure, Goal, Row
from bench.script import main
from bench.settings import Settings
from scaivault.gate.conditions import Context, parse_conditions
from scaivault.gate.rules import Compiled, Rule, decide

FEW, MANY = 10, 1000
ROUNDS = 20_000
CONTEXT = Context("192.0.2.7", None, 1_900_000_000_000_000)
OFFICE = parse_conditions({"ip_ranges": ["192.0.2.0/24"]})


def run(settings: Settings) -> Row:
    """Few and many policies take turns."""
    row = Row("policy decision")
    compiled = {count: Compiled(_rules(count)) for count in (FEW, MANY)}
    times: dict[int, list[float]] = {count: [] for count in compiled}
    for _ in range(settings.turns):
        for count, rules in compiled.items():
            times[count].append(_time(rules, count))
    for count, taken in times.items():
        turns = tuple(round(each, 2) for each in taken)
        row.figures.append(Figure(_case(count), "ScaiVault", "us", turns))
    few, many = (statistics.median(times[count]) for count in (FEW, MANY))
    row.goals = [
        Goal("1,000 policies, microseconds", many, "at most", 20),
        Goal("1,000 policies over 10", many / few, "at most", 2),
    ]
    return row


def _case(count: int) -> str:
    return f"{count} policies"


def _rules(policies: int) -> Iterator[Rule]:
    """Three rules a policy: a folder, names with a wildcard, and one that fits many places."""
    for n in range(policies):
        policy = f"pol_{n:020d}"
        yield Rule(policy, n, 0, f"team-{n}/**", frozenset({"read", "list"}))
        yield Rule(policy, n, 1, f"team-{n}/*/db-*", frozenset({"write"}), OFFICE)
        yield Rule(policy, n, 2, f"**/shared-{n}", frozenset({"read"}))


def _time(rules: Compiled, policies: int) -> float:
    """Microseconds of one decision: half are granted by a folder, half meet a condition."""
    paths = [f"team-{n % policies}/live/db-main" for n in range(ROUNDS // 2)]
    began = time.perf_counter()
    for path in paths:
        for permission in ("read", "write"):
            decision = decide(
                allowed_paths=(),
                covered_by_role=False,
                rules=rules,
                permission=permission,
                path=path,
                context=CONTEXT,
            )
            assert decision.allowed
    return (time.perf_counter() - began) / ROUNDS * 1e6


if __name__ == "__main__":
    main(__doc__, run)
