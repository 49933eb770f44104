"""A file that fails."""

from __future__ import annotations

from typing import Any, Final

from scaivault.storage.database import Database
from scaivault.storage.file import EngineError


class Failing:
    """A connection that fails at statements that begin so, with the engine's error of this name.
    ``failed``: how often it did."""

    def __init__(self, inner: Any, start: str, name: str) -> None:
        self.inner: Final = inner
        self.failed = 0
        self._start: Final = start
        self._name: Final = name

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def execute(self, sql: str, *values: Any) -> Any:
        if sql.startswith(self._start):
            self.failed += 1
            error = EngineError("not this time")
            error.sqlite_errorname = self._name
            raise error
        return self.inner.execute(sql, *values)


def fail(database: Database, start: str, name: str) -> Failing:
    """From now on the file fails its writer, whichever connection it opens."""
    bad = Failing(database._own, start, name)
    database._own = bad  # type: ignore[assignment]
    database._afresh = lambda connection, error: connection  # type: ignore[method-assign]
    return bad


def mend(database: Database, bad: Failing) -> None:
    """The end of it."""
    database._own = bad.inner
    del database._afresh
