"""A B A B …: the servers take turns, so that what the machine does meanwhile hits all alike."""

import statistics
from collections.abc import Callable, Sequence

from bench import load
from bench.row import Figure
from bench.settings import Settings
from bench.target import Target

Ask = Callable[[Target, int], bytes]
# A server, and the requests that go round and round; or those of a turn, by its number.
Plan = tuple[Target, Sequence[bytes] | Callable[[int], Sequence[bytes]]]


def case(connections: int) -> str:
    """The name of a case of :func:`take_turns`."""
    return f"{connections} conn"


def take_turns(targets: Sequence[Target], ask: Ask, settings: Settings) -> list[Figure]:
    """Answers per second and latencies of every server at every number of connections."""
    plans: list[Plan] = [
        (target, [ask(target, n) for n in range(settings.paths)]) for target in targets
    ]
    figures: list[Figure] = []
    for connections in settings.connections:
        loads = alternate(plans, connections, settings)
        figures += [
            rates(case(connections), target.name, turns)
            for (target, _), turns in zip(plans, loads, strict=True)
        ]
    return figures


def alternate(plans: Sequence[Plan], connections: int, settings: Settings) -> list[list[load.Load]]:
    """The turns of each plan, after a second that does not count. Each turn another one is first,
    so that none always runs behind the same other, which may still have work left."""
    loads: list[list[load.Load]] = [[] for _ in plans]
    for turn in range(settings.turns + 1):
        order = [(turn + at) % len(plans) for at in range(len(plans))]
        for at in order:
            target, requests = plans[at]
            asked = requests(turn) if callable(requests) else requests
            seconds = settings.seconds if turn else 1
            answered = load.drive(target.url, asked, connections, seconds)
            if turn:
                loads[at].append(answered)
    return loads


def rates(name: str, server: str, turns: Sequence[load.Load]) -> Figure:
    """A case in answers per second."""
    return Figure(
        case=name,
        server=server,
        unit="answers/s",
        turns=tuple(round(each.rate, 1) for each in turns),
        p50_us=statistics.median(each.p50_us for each in turns),
        p99_us=statistics.median(each.p99_us for each in turns),
    )


def times(name: str, server: str, turns: Sequence[load.Load]) -> Figure:
    """A case in milliseconds until the answer, half of the answers sooner."""
    return Figure(
        case=name,
        server=server,
        unit="ms",
        turns=tuple(round(each.p50_us / 1000, 3) for each in turns),
        p50_us=statistics.median(each.p50_us for each in turns),
        p99_us=statistics.median(each.p99_us for each in turns),
    )
