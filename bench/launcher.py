"""``scaivault`` with one job more: the file ``order`` names what is done over and over while it is
there. So jobs that are due once an hour or a week, or that no route starts, run in a benchmark.

    SCAIVAULT_BENCH_ORDER=<file> python -m bench.launcher serve --config F

``<file>.begun`` is there from the first run on; ``<file>.made`` says how many runs there were, once
the last one is over. Without the variable nothing is done.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Final

import scaivault.app
from scaivault.cli.main import main
from scaivault.gate.caller import Caller
from scaivault.storage import folding
from scaivault.vault import Vault
from scaivault.worker.jobs import JOBS, Job

ORDER: Final = "SCAIVAULT_BENCH_ORDER"
PAUSE: Final = 0.02  # seconds between two runs
FOLDS: Final = 0.5  # and between two folds of the log

Work = Callable[[Vault, Caller], Awaitable[object]]


class Order:
    """What is asked for, and what is told of it: three files."""

    def __init__(self, path: Path) -> None:
        self.wanted: Final = path
        self.begun: Final = path.with_name(path.name + ".begun")
        self.made: Final = path.with_name(path.name + ".made")

    @property
    def name(self) -> str | None:
        """Of what is to be done; None: nothing."""
        try:
            return self.wanted.read_text()
        except FileNotFoundError:
            return None

    def forget(self) -> None:
        """Before it is given."""
        for path in (self.wanted, self.begun, self.made):
            path.unlink(missing_ok=True)


async def _copy(vault: Vault, _caller: Caller) -> None:
    """An online copy of the file, gone again at once."""
    target = vault.database.path.with_name("bench-copy.db")
    try:
        await asyncio.to_thread(vault.database.copy_to, target)
    finally:
        target.unlink(missing_ok=True)


async def _fold(vault: Vault, _caller: Caller) -> None:
    """All that is in the write-ahead log, which begins anew: oftener than under heavy writes."""
    with closing(vault.database.connect()) as connection:
        await asyncio.to_thread(folding.fold, connection, 0)
    await vault.database.alone(folding.restart)
    await asyncio.sleep(FOLDS)


WORKS: Final[Mapping[str, Work]] = MappingProxyType(
    {"copy": _copy, "fold": _fold, **{job.name: job.work for job in JOBS}}
)


async def _obey(vault: Vault, _caller: Caller) -> None:
    order = Order(Path(os.environ.get(ORDER, os.devnull)))
    runs, begun = 0, False
    try:
        while (name := order.name) and not vault.closing:
            begun = True
            order.begun.touch()
            await WORKS[name](vault, vault.internal("bench"))
            runs += 1
            await asyncio.sleep(PAUSE)
    finally:
        if begun:
            order.made.write_text(str(runs))


if __name__ == "__main__":
    obey = Job("bench", "bench", _obey, lambda _: 0)
    scaivault.app.JOBS = (*JOBS, obey)  # type: ignore[misc]  # it has no other door
    main()
