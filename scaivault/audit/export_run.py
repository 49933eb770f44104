"""Running export jobs: two at a time, each begun anew after a stop, and tried five times in an
hour where the destination fails.

The right to read the credentials is looked at again: as its creator stands now, not as he stood.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from scaivault.audit import export_files
from scaivault.audit import export_store as store
from scaivault.audit.asked import sight
from scaivault.audit.destinations import DestinationFailed, Place, open_place
from scaivault.audit.export_store import Creator, Job
from scaivault.audit.lending import Lend, credentials
from scaivault.audit.ranges import Stretch
from scaivault.clock import MINUTE, SECOND
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.outbound import Guard
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection
from scaivault.wire.audit_jobs import ExportError, Manifest

AT_ONCE: Final = 2
LOOK: Final = 1.0  # seconds between two looks for a job to begin beside one that runs
# Pauses behind failed tries: five tries within the hour.
PAUSES: Final = (30 * SECOND, 2 * MINUTE, 8 * MINUTE, 30 * MINUTE)

log = logging.getLogger("scaivault.audit")

# (connection, principal) -> the principal as the identity stands now, None: it is gone.
Standing = Callable[[Connection, Principal], Principal | None]
Resolve = Callable[[Caller, str | None], None]


class Stopped(Exception):
    """The vault closes: the job is left as it is, and begun anew when it opens."""


class ExportRun:
    """One per open vault. ``leave``: bytes that stay free on the disk of ``folder``; ``sign``: a
    checkpoint at the head; ``resolve``: the tenancy's; ``closing``: whether to stop;
    ``paused``: whether to begin nothing more."""

    def __init__(
        self,
        gate: Gate,
        vault_id: str,
        folder: Path,
        guard: Guard,
        *,
        leave: int,
        lend: Lend,
        standing: Standing,
        resolve: Resolve,
        sign: Callable[[], Awaitable[None]],
        closing: Callable[[], bool],
        paused: Callable[[], bool],
    ) -> None:
        self._gate: Final = gate
        self._vault_id: Final = vault_id
        self._folder: Final = folder
        self._guard: Final = guard
        self._leave: Final = leave
        self._lend: Final = lend
        self._standing: Final = standing
        self._resolve: Final = resolve
        self._sign: Final = sign
        self._closing: Final = closing
        self._paused: Final = paused

    async def run(self, caller: Caller) -> int:
        """All jobs that are due, also those that become so meanwhile; how many."""
        done = 0
        working: dict[str, asyncio.Task[None]] = {}
        failed: list[BaseException] = []
        try:
            while True:
                for job in [] if failed else await self._next(working):
                    working[job.id] = asyncio.create_task(self._one(caller, job))
                if not working:
                    break
                await asyncio.wait(working.values(), timeout=LOOK, return_when="FIRST_COMPLETED")
                for name in [name for name, task in working.items() if task.done()]:
                    error = working.pop(name).exception()
                    failed += [] if error is None else [error]
                    done += 1
        finally:
            for task in working.values():
                task.cancel()
        # Not before the others ended: the next look would begin them a second time.
        if failed:
            raise failed[0]
        return done

    async def _next(self, working: Collection[str]) -> list[Job]:
        """Jobs to begin beside those."""
        free = AT_ONCE - len(working)
        if not free or self._closing() or self._paused():
            return []
        now = self._gate.clock.now()
        due = await self._gate.ask(partial(store.due, now=now, limit=AT_ONCE + len(working)))
        return [job for job in due if job.id not in working][:free]

    async def _one(self, caller: Caller, job: Job) -> None:
        creator = job.made_by
        own = self._as_system(caller, creator)
        await self._gate.change(own, _act(job), lambda tx: store.begin(tx, job))
        try:
            manifest = await self._export(job, creator, own)
        except Stopped:
            return
        except StorageFailed as failed:
            if failed.reason != "damaged":
                raise  # it is begun anew at the next look
            await self._end(own, job, ExportError("internal_error", "vault.db has damaged pages"))
        except DestinationFailed as failed:
            await self._failed(own, job, failed)
        except Refusal as refused:
            await self._refused(own, job, refused)
        except Exception as error:
            log.error("export %s: %s", job.id, type(error).__name__, exc_info=error)
            await self._end(own, job, ExportError("internal_error", "a defect; see the log"))
        else:
            await self._end(own, job, None, manifest)

    def _as_system(self, caller: Caller, creator: Creator) -> Caller:
        return Caller(
            request_id=caller.request_id,
            source_ip=None,
            user_agent=None,
            started=self._gate.clock.monotonic(),
            now=self._gate.clock.now(),
            principal=caller.principal,
            tenant_id=creator.tenant_id,
            partner_id=creator.partner_id,
            by_role=True,
        )

    # -- one try -------------------------------------------------------------------------------

    async def _export(self, job: Job, creator: Creator, own: Caller) -> Manifest:
        acting = await self._acting(creator, own)
        plan = await self._plan(job, acting)
        place = await self._place(job, acting)
        async with open_place(place) as to:
            written = await export_files.write(plan, to, self._gate.ask, self._go_on)
            manifest = await self._manifest(job, written)
            await export_files.write_manifest(to, manifest)
            await to.finish()
        return manifest

    def _go_on(self) -> None:
        if self._closing():
            raise Stopped

    async def _acting(self, creator: Creator, own: Caller) -> Caller:
        """The creator as he stands now; ``access_denied`` when he could not ask any more."""
        principal = await self._gate.ask(lambda db: self._standing(db, creator.principal))
        if principal is None or principal.scopes.isdisjoint(("audit:export", "admin")):
            raise Refusal("access_denied", "who asked for this export may not any more")
        acting = Caller(
            request_id=own.request_id,
            source_ip=creator.source_ip,
            user_agent=None,
            started=own.started,
            now=own.now,
            principal=principal,
        )
        self._resolve(acting, creator.tenant_id)
        return acting

    async def _plan(self, job: Job, acting: Caller) -> export_files.Plan:
        asked = job.wanted
        span = Stretch(job.first_seq, job.last_seq)
        signed = await self._gate.ask(lambda db: _signed(db, span.last))
        if signed is None:
            await self._sign()
            signed = await self._gate.ask(lambda db: _signed(db, span.last))
        chain = Stretch(span.first, span.last if span.last < span.first else signed or span.last)
        seen = sight(acting, asked.body.filters.scope or "tenant")
        csv = asked.body.format == "csv"
        return export_files.Plan(self._vault_id, span, chain, asked.filter, seen, csv)

    async def _place(self, job: Job, acting: Caller) -> Place:
        to = job.wanted.body.destination
        if to.type == "file":
            return self._directory(job)
        path = to.credentials_path or ""
        return Place(
            to.type,
            f"{to.prefix}{job.id}/",
            bucket=to.bucket or "",
            region=to.region,
            endpoint=to.endpoint,
            credentials=await credentials(self._lend, acting, path, "audit_export"),
            guard=self._guard,
        )

    def _directory(self, job: Job) -> Place:
        where = f"{job.owner_id}/{job.wanted.body.destination.prefix}{job.id}/"
        again = _was_cut_off(job)
        return Place("file", where, root=self._folder, whole=True, again=again, leave=self._leave)

    async def _manifest(self, job: Job, written: export_files.Written) -> Manifest:
        wanted, point = job.wanted, written.checkpoint
        body = wanted.body
        key_id = None if point is None else point["key_id"]
        scope = body.filters.scope or "tenant"
        return Manifest(
            export_id=job.id,
            vault_id=self._vault_id,
            tenant_id=job.owner_id if scope == "tenant" else None,
            from_=wanted.since,
            to=wanted.until,
            filters=msgspec.to_builtins(body.filters),
            format=body.format,
            records=written.records,
            files=written.files,
            chain=written.chain,
            checkpoint=point,
            public_key=await self._gate.ask(lambda db: _public_key(db, key_id)),
        )

    # -- how it ended --------------------------------------------------------------------------

    async def _failed(self, own: Caller, job: Job, failed: DestinationFailed) -> None:
        log.warning("export %s: try %d: %s", job.id, job.tries + 1, failed.reason)
        if job.tries >= len(PAUSES):
            await self._end(own, job, ExportError("upstream_error", str(failed), failed.reason))
            return
        next_at = self._gate.clock.now() + PAUSES[job.tries]
        await self._gate.change(own, _act(job), lambda tx: store.again(tx, job, next_at))

    async def _refused(self, own: Caller, job: Job, refused: Refusal) -> None:
        """Of the credential, the tenant or the scope: asking again would not help."""
        if _was_cut_off(job) and job.wanted.body.destination.type == "file":
            with contextlib.suppress(DestinationFailed):  # no later try clears away what is there
                async with open_place(self._directory(job)):
                    pass
        code = refused.code
        if code not in ("secret_not_found", "secret_expired", "version_not_found"):
            code = "access_denied"
        await self._end(own, job, ExportError(code, refused.message))

    async def _end(
        self, own: Caller, job: Job, error: ExportError | None, made: Manifest | None = None
    ) -> None:
        act = Act("export_run")
        act.extra["export_id"] = job.id
        records = None if made is None else made.records
        status = "completed" if error is None else "failed"
        told = None if error is None else msgspec.json.encode(error).decode()
        manifest = None if made is None else msgspec.json.encode(made).decode()

        def end(tx: Transaction) -> None:
            store.end(tx, job, status, records, told, manifest)
            if error is not None:
                tx.fail(error.code)
            else:
                tx.note(records=records)

        await self._gate.change(own, act, end)


def _was_cut_off(job: Job) -> bool:
    """Whether the vault stopped in the middle of a try."""
    return job.status == "running"


def _act(job: Job) -> Act:
    act = Act("job_control")
    act.extra.update(job="audit-exports", export_id=job.id)
    return act


def _signed(db: Connection, seq: int) -> int | None:
    """The first checkpoint at or behind a row."""
    (found,) = db.execute("SELECT min(seq) FROM checkpoint WHERE seq >= ?", (seq,)).fetchone()
    return None if found is None else int(found)


def _public_key(db: Connection, key_id: object) -> str | None:
    row = db.execute(
        "SELECT public_key FROM signing_key WHERE purpose = 'checkpoint' AND id = ?", (key_id,)
    ).fetchone()
    return None if row is None else str(row[0])
