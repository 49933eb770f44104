"""What Python's garbage collector looks through, and how often.

A full collection stops every thread, and visits all that is not frozen: of the 100,000 objects of
a vault that was just opened (two thirds are modules and types) it never found one to free, in 60
to 100 ms while the machine was busy. So all that is there once the vault is open is frozen, and
young objects are collected in larger lots: that took 2 % of the time of reads and not 4 %.

What becomes garbage in a cycle is still found, as everything younger is looked through.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

# Of objects between two collections of the youngest; how many of those between two of the next
# older, and of all.
THRESHOLDS: Final = (2_000, 5, 200)
LOOK: Final = 0.5  # seconds between two looks whether the vault was opened or sealed


class Garbage:
    """One per process. ``vault`` gives the vault that is open, or None."""

    def __init__(self, vault: Callable[[], object | None]) -> None:
        self._vault: Final = vault
        self._frozen: object | None = None

    async def watch(self) -> None:
        """Until cancelled."""
        gc.set_threshold(*THRESHOLDS)
        while True:
            self.look()
            await asyncio.sleep(LOOK)

    def look(self) -> None:
        """Freeze what an opened vault brought along; thaw it when that vault is gone."""
        vault = self._vault()
        if vault is self._frozen:
            return
        self._frozen = None
        gc.unfreeze()
        gc.collect()
        if vault is not None:
            gc.freeze()
        self._frozen = vault
