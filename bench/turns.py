"""A B A B …: the servers take turns, so that what the machine does meanwhile hits all alike."""

import statistics
from collections.abc import Callable, Sequence

from bench import load
from bench.row import Figure
from bench.settings import Settings
from bench.target import Target

Ask = Callable[[Target, int], bytes]


def case(connections: int) -> str:
    """The name of a case of :func:`take_turns`."""
    return f"{connections} conn"


def take_turns(targets: Sequence[Target], ask: Ask, settings: Settings) -> list[Figure]:
    """Answers per second and latencies of every server at every number of connections."""
    plans = [(target, [ask(target, n) for n in range(settings.paths)]) for target in targets]
    figures: list[Figure] = []
    for connections in settings.connections:
        for target, plan in plans:
            load.drive(target.url, plan, connections, 1)
        loads: dict[str, list[load.Load]] = {target.name: [] for target in targets}
        for _ in range(settings.turns):
            for target, plan in plans:
                drove = load.drive(target.url, plan, connections, settings.seconds)
                loads[target.name].append(drove)
        figures += [_figure(connections, name, turns) for name, turns in loads.items()]
    return figures


def _figure(connections: int, server: str, turns: Sequence[load.Load]) -> Figure:
    return Figure(
        case=case(connections),
        server=server,
        unit="answers/s",
        turns=tuple(round(each.rate, 1) for each in turns),
        p50_us=statistics.median(each.p50_us for each in turns),
        p99_us=statistics.median(each.p99_us for each in turns),
    )
