"""What happens by itself, as its administrators see and stop it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from scaivault.clock import SECOND, Clock, instant, instant_or_none
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection
from scaivault.wire import system as wire


@dataclass(slots=True)
class Run:
    """When a job ran and will run; instants."""

    every: int
    next_at: int
    last_at: int | None = None
    status: str | None = None
    running: bool = False


class Jobs:
    """One per open vault. The worker keeps ``runs`` up to date; ``paused`` stops what acts
    outward, over restarts too."""

    def __init__(self, gate: Gate, clock: Clock) -> None:
        self._gate: Final = gate
        self._clock: Final = clock
        self.runs: Final[dict[str, Run]] = {}
        self.kept: Final[dict[str, int]] = {}
        self.paused = False

    def load(self, connection: Connection) -> None:
        """Take up when long-period jobs ran last."""
        for name, last_at in connection.execute("SELECT name, last_run_at FROM job"):
            self.kept[name] = last_at
        row = connection.execute("SELECT 1 FROM meta WHERE name = 'jobs_paused'").fetchone()
        self.paused = row is not None

    def keep(self, tx: Transaction, name: str, run: Run) -> None:
        """Remember a run of a long-period job."""
        tx.execute(
            "INSERT INTO job (name, last_run_at, next_run_at, last_status)"
            " VALUES (:name, :last, :next, :status) ON CONFLICT (name) DO UPDATE SET"
            " last_run_at = excluded.last_run_at, next_run_at = excluded.next_run_at,"
            " last_status = excluded.last_status",
            {"name": name, "last": run.last_at, "next": run.next_at, "status": run.status},
        )

    # -- verbs ---------------------------------------------------------------------------------

    async def table(self, caller: Caller, _request: Any) -> wire.Jobs:
        """Every job by name."""

        async def look() -> wire.Jobs:
            return self._shown()

        return await self._gate.read(caller, Act("system_read"), look)

    async def pause(self, caller: Caller, _request: Any) -> wire.Jobs:
        """Stop everything that acts outward."""
        return await self._switch(caller, paused=True)

    async def resume(self, caller: Caller, _request: Any) -> wire.Jobs:
        """Go on with it."""
        return await self._switch(caller, paused=False)

    async def _switch(self, caller: Caller, *, paused: bool) -> wire.Jobs:
        act = Act("job_control")
        act.extra["paused"] = paused
        shown = self._shown()
        shown.paused = paused

        def switch(tx: Transaction) -> wire.Jobs:
            tx.execute("DELETE FROM meta WHERE name = 'jobs_paused'")
            if paused:
                tx.execute("INSERT INTO meta (name, value) VALUES ('jobs_paused', '1')")
            tx.then(lambda: setattr(self, "paused", paused))
            return shown

        return await self._gate.change(caller, act, switch)

    def _shown(self) -> wire.Jobs:
        now = self._clock.now()
        return wire.Jobs(
            self.paused,
            [
                wire.JobState(
                    name,
                    instant_or_none(run.last_at),
                    instant(run.next_at),
                    run.status,
                    max(0, now - run.next_at) // SECOND,
                )
                for name, run in sorted(self.runs.items())
            ],
        )
