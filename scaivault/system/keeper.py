"""vault.seal as it stands, and how a change of it goes to disk together with a commit."""

from __future__ import annotations

import asyncio
import errno
import logging
from pathlib import Path
from typing import Final

from scaivault.errors import Refusal
from scaivault.gate.transaction import Transaction
from scaivault.seal.file import SealFile, dump
from scaivault.storage import private
from scaivault.system.opening import set_generation

log = logging.getLogger("scaivault.system")


class Keeper:
    """One per process. ``file`` is None until the vault is made; ``turn``: one change at a time."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self.file: SealFile | None = None
        self.turn: Final = asyncio.Lock()

    def replace(self, tx: Transaction, changed: SealFile) -> None:
        """The next vault.seal, as the last step of a change: the file goes first, the row follows
        with the commit; a stop in between leaves the file one ahead, which opens."""
        before = self.file
        set_generation(tx.connection, changed.generation)
        if before is not None:
            tx.otherwise(lambda: self._put_back(before))
        try:
            private.write_atomically(self._path, dump(changed))
        except OSError as error:
            raise Refusal(
                "service_unavailable",
                "vault.seal could not be written to disk, so nothing was changed; try again later",
                reason="disk_full" if error.errno == errno.ENOSPC else "io",
            ) from error
        tx.then(lambda: setattr(self, "file", changed))

    def _put_back(self, file: SealFile) -> None:
        """The change did not commit. Where this fails too the file stays one ahead, which opens."""
        try:
            private.write_atomically(self._path, dump(file))
        except OSError as error:
            log.error("vault.seal could not be put back: %s", type(error).__name__)
