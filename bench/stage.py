"""The servers of a row, all started before the first turn and stopped after the last."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from bench.baseline import baseline
from bench.process import MissingProgramError
from bench.rival import rival
from bench.target import Target
from bench.vault import vault

Starter = Callable[[Path | None], AbstractContextManager[Target]]

VAULTS: tuple[Starter, ...] = (vault, rival)
BARE: tuple[Starter, ...] = (
    lambda folder: baseline("route", folder),
    lambda folder: baseline("raw", folder),
)


@contextmanager
def stage(
    starters: Sequence[Starter], folder: Path | None, notes: list[str]
) -> Iterator[list[Target]]:
    """Start what is installed; what is not is said in ``notes``."""
    with ExitStack() as running:
        targets: list[Target] = []
        for start in starters:
            try:
                targets.append(running.enter_context(start(folder)))
            except MissingProgramError as missing:
                notes.append(str(missing))
        yield targets
