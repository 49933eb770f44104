"""Runs what is due in the vault that is open: one task group, one run of a job at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from scaivault.clock import Clock
from scaivault.config import Settings
from scaivault.gate.gate import Act
from scaivault.system.jobs import Run
from scaivault.vault import Vault
from scaivault.worker.jobs import Job

log = logging.getLogger("scaivault.worker")

TICK: Final = 1.0  # seconds between two looks at the table


class Worker:
    """``vault`` gives the vault that is open, or None."""

    def __init__(
        self,
        jobs: Iterable[Job],
        vault: Callable[[], Vault | None],
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._jobs: Final = tuple(jobs)
        self._vault: Final = vault
        self._settings: Final = settings
        self._clock: Final = clock
        self.counts: Final[dict[tuple[str, str], int]] = {}

    async def run(self) -> None:
        """Until cancelled; runs in progress are finished first."""
        async with asyncio.TaskGroup() as group:
            try:
                while True:
                    for job, vault in self.due():
                        group.create_task(self.once(job, vault))
                    await asyncio.sleep(TICK)
            except asyncio.CancelledError:
                return

    def due(self) -> list[tuple[Job, Vault]]:
        """What has to run now; marked as running."""
        vault = self._vault()
        if vault is None or vault.closing:
            return []
        now = self._clock.now()
        chosen = []
        for job in self._jobs:
            run = self._run_of(vault, job, now)
            # A clock that was set back must not keep a job waiting longer than its period.
            run.next_at = min(run.next_at, now + run.every)
            early = run.status != "failed" and job.early(vault)
            waits = run.running or (job.outward and vault.jobs.paused)
            if (early or run.next_at <= now) and not waits:
                run.running = True
                chosen.append((job, vault))
        return chosen

    def _run_of(self, vault: Vault, job: Job, now: int) -> Run:
        run = vault.jobs.runs.get(job.name)
        if run is None:
            every = job.every(self._settings)
            last = vault.jobs.kept.get(job.name)
            first = every if last is None else max(0, last + every - now)
            run = vault.jobs.runs[job.name] = Run(every, now + first, last)
        return run

    async def once(self, job: Job, vault: Vault) -> None:
        """One run; a failing one is logged and tried again after its period."""
        run = vault.jobs.runs[job.name]
        caller = vault.internal(job.component)
        vault.inflight += 1
        try:
            await job.work(vault, caller)
            run.status = "ok"
        except Exception as error:
            run.status = "failed"
            log.error("job %s failed: %s", job.name, type(error).__name__, exc_info=error)
        finally:
            run.last_at = self._clock.now()
            run.next_at = run.last_at + run.every
            run.running = False
            vault.inflight -= 1
        name = (job.name, run.status or "failed")
        self.counts[name] = self.counts.get(name, 0) + 1
        if job.kept and not vault.closing:
            await self._keep(job, vault, run)

    async def _keep(self, job: Job, vault: Vault, run: Run) -> None:
        act = Act("job_control")
        act.extra.update(job=job.name, status=run.status)
        caller = vault.internal(job.component)
        try:
            await vault.gate.change(caller, act, lambda tx: vault.jobs.keep(tx, job.name, run))
        except Exception as error:  # noqa: BLE001 - whatever it is, the worker goes on
            log.warning("the run of %s could not be kept: %s", job.name, type(error).__name__)
