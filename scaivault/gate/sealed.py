"""Tables whose rows are sealed under the key of their owner.

When that key is replaced, a job wraps the data keys of all of them anew and then destroys the old
key. So each such table must be among those that ``system.keys`` is given: rows of one that is not
would never open again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection


class Progress(NamedTuple):
    """How many data keys there are, and how many hang on an old version."""

    total: int
    remaining: int


class SealedTable(Protocol):
    """``newest``: the version of the owner's key that all shall hang on. Rows that were set aside
    as damaged do not count: they must not keep an old key alive for ever."""

    @property
    def name(self) -> str: ...

    def progress(self, db: Connection, owner: str, newest: int) -> Progress: ...

    def old(self, db: Connection, owner: str, newest: int, most: int) -> Sequence[Any]:
        """Up to ``most`` rows that hang on an older version, for ``rewrap``."""
        ...

    def rewrap(self, tx: Transaction, owner: str, row: Any) -> None:
        """Wrap the data key of such a row anew, unless it was changed since; set the row aside if
        its data key does not open."""
        ...
