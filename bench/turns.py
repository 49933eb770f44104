"""A B A B …: the servers take turns, so that what the machine does meanwhile hits all alike."""

import statistics
from collections.abc import Callable, Sequence

from bench import load
from bench.row import Figure
from bench.settings import Settings
from bench.target import Target

Ask = Callable[[Target, int], bytes]
Plan = tuple[Target, Sequence[bytes]]  # a server, and the requests that go round and round


def case(connections: int) -> str:
    """The name of a case of :func:`take_turns`."""
    return f"{connections} conn"


def take_turns(targets: Sequence[Target], ask: Ask, settings: Settings) -> list[Figure]:
    """Answers per second and latencies of every server at every number of connections."""
    plans = [(target, [ask(target, n) for n in range(settings.paths)]) for target in targets]
    figures: list[Figure] = []
    for connections in settings.connections:
        loads = alternate(plans, connections, settings)
        figures += [
            rates(case(connections), target.name, turns)
            for (target, _), turns in zip(plans, loads, strict=True)
        ]
    return figures


def alternate(plans: Sequence[Plan], connections: int, settings: Settings) -> list[list[load.Load]]:
    """The turns of each plan, after a second that does not count."""
    for target, requests in plans:
        load.drive(target.url, requests, connections, 1)
    loads: list[list[load.Load]] = [[] for _ in plans]
    for _ in range(settings.turns):
        for (target, requests), turns in zip(plans, loads, strict=True):
            turns.append(load.drive(target.url, requests, connections, settings.seconds))
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
