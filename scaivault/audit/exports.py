"""The verbs of exports: ``(caller, request) -> answer``. What a job does: ``export_run``."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scaivault.audit import export_store as store
from scaivault.audit import ranges
from scaivault.audit.asked import Known, scopes, sight
from scaivault.audit.export_request import Wanted, wanted
from scaivault.audit.export_store import Creator, Job
from scaivault.audit.ranges import Stretch
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Pages, Place
from scaivault.gate.gate import Act, Gate
from scaivault.gate.ledger import Ledger, Record
from scaivault.gate.transaction import Transaction
from scaivault.ids import timed_id
from scaivault.outbound import Guard
from scaivault.storage.file import Connection
from scaivault.wire import audit_jobs as wire

_BEHIND: Final = "exp_~"  # sorts behind every id


class Exports:
    """One per open vault."""

    def __init__(
        self, gate: Gate, ledger: Ledger, cursors: Cursors, guard: Guard, known: Known
    ) -> None:
        self._gate: Final = gate
        self._ledger: Final = ledger
        self._pages: Final = Pages(cursors, "audit_exports")
        self._guard: Final = guard
        self._known: Final = known

    async def create(self, caller: Caller, request: wire.CreateExport) -> wire.ExportStarted:
        """A job that writes rows to a destination; it runs by itself."""
        body, to = request.body, request.body.destination
        seen = sight(caller, body.filters.scope or "tenant")
        # With file there is no secret to read, and nobody else's place to write to.
        act = Act("export_created", None if to.type == "file" else "read", to.credentials_path)
        act.extra.update(destination_type=to.type, format=body.format)
        act.extra["filters"] = _plain(body.filters)
        head = self._ledger.committed_seq

        def look(db: Connection) -> tuple[Wanted, Stretch, int]:
            found = wanted(db, caller.tenant, body, self._known, self._guard)
            meant = found.filter
            span = ranges.stretch(db, found.since, found.until, head)

            def counts(entry: Record) -> bool:
                return seen.sees(entry) and meant.fits(entry)

            return found, span, ranges.estimate(db, span, counts)

        found, span, about = await self._gate.ask(look)

        def create(tx: Transaction) -> wire.ExportStarted:
            job = _job(tx, found, span, about)
            store.add(tx, job)
            tx.note(export_id=job.id)
            return wire.ExportStarted(job.id, job.status, about)

        return await self._gate.change(caller, act, create)

    async def page(self, caller: Caller, request: wire.ListExports) -> wire.ExportPage:
        """One page of the tenant's jobs, newest first."""
        act = Act("audit_read")

        async def look() -> wire.ExportPage:
            place = self._pages.place(caller, request, _BEHIND)
            found = await self._gate.ask(lambda db: _page(db, caller, place))
            page = self._pages.cut(caller, place, found, lambda job: job.id)
            return wire.ExportPage(
                [store.shown(job) for job in page.items], page.cursor, page.has_more
            )

        return await self._gate.read(caller, act, look)

    async def get(self, caller: Caller, request: wire.ExportId) -> wire.Export:
        """One job with its manifest."""
        act = Act("audit_read")

        async def look() -> wire.Export:
            job = await self._gate.ask(
                lambda db: store.find(db, caller.owner, scopes(caller), request.id)
            )
            if job is None or not _is_shown(caller, job):
                raise Refusal("export_not_found", "there is no such export", id=request.id[:64])
            act.extra["export_id"] = job.id
            return store.with_manifest(job)

        return await self._gate.read(caller, act, look)


def _page(db: Connection, caller: Caller, place: Place) -> list[Job]:
    """One more than the page takes, of those that may be told."""
    found: list[Job] = []
    before, most = place.position, place.limit + 1
    while len(found) < most:
        some = store.page(db, caller.owner, scopes(caller), before, most)
        found += [job for job in some if _is_shown(caller, job)]
        if len(some) < most:
            break
        before = some[-1].id
    return found[:most]


def _is_shown(caller: Caller, job: Job) -> bool:
    """A job names the secret that it writes with: not to a token that is narrowed to others."""
    path = job.wanted.body.destination.credentials_path
    return path is None or sight(caller).reaches(path)


def _job(tx: Transaction, found: Wanted, span: Stretch, about: int) -> Job:
    caller = tx.caller
    if caller.principal is None:
        raise Refusal("authentication_required", "this call needs a token")
    creator = Creator(caller.principal, caller.source_ip, caller.tenant_id, caller.partner_id)
    return Job(
        owner_id=caller.owner,
        id=timed_id("exp_", tx.now),
        status="pending",
        request=msgspec.json.encode(found).decode(),
        creator=msgspec.json.encode(creator).decode(),
        first_seq=span.first,
        last_seq=span.last,
        estimated=about,
        records=None,
        tries=0,
        next_at=tx.now,
        created_at=tx.now,
        started_at=None,
        completed_at=None,
        error=None,
        manifest=None,
    )


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain
