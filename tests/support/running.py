"""One house for many examples of a property test: opened once, on a loop of its own."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, settings

from tests.support.house import House

T = TypeVar("T")

# An example is a few requests with their commits: time says nothing, and the first is dearer.
EXAMPLES: Final = settings(
    deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


class Running:
    """A house and the loop that it lives on."""

    def __init__(self, runner: asyncio.Runner, house: House) -> None:
        self._runner: Final = runner
        self.house: Final = house
        self._numbers: Final = itertools.count()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    def fresh(self) -> str:
        """A path that no example used before."""
        return f"example-{next(self._numbers)}"


@contextmanager
def running_house(path: Path, **flags: Any) -> Iterator[Running]:
    with asyncio.Runner() as runner:
        house = runner.run(House.opened(path, rate_limits__enabled=False, **flags))
        try:
            yield Running(runner, house)
        finally:
            runner.run(house.close())
