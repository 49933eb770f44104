"""The verbs of the audit chain: ``(caller, request) -> answer``."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import Final

from scaivault.audit import chain
from scaivault.audit.checkpoints import stored_keys
from scaivault.clock import instant, parse_instant
from scaivault.errors import faults
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Pages
from scaivault.gate.gate import Act, Gate
from scaivault.gate.ledger import Ledger
from scaivault.storage.failures import StorageFailed, translate
from scaivault.storage.file import Connection, EngineError, FileDamaged
from scaivault.wire import audit as wire

_POINTS: Final = (
    "SELECT seq, hash, timestamp, prev_seq, key_id, signature FROM checkpoint"
    " WHERE seq < ? ORDER BY seq DESC LIMIT ?"
)


class Audit:
    """One per open vault."""

    def __init__(self, gate: Gate, ledger: Ledger, vault_id: str, cursors: Cursors) -> None:
        self._gate: Final = gate
        self._ledger: Final = ledger
        self._vault_id: Final = vault_id
        self._pages: Final = Pages(cursors, "audit_checkpoints")
        # Seconds of work beside the requests: one at a time.
        self._turn: Final = asyncio.Lock()

    async def verify(self, caller: Caller, request: wire.VerifyChain) -> wire.ChainReport:
        """What is wrong with the chain, if anything; a finding is no error."""
        act = Act("audit_verify")

        async def look() -> wire.ChainReport:
            since, until = _times(request)
            async with self._turn:
                report = await asyncio.to_thread(self._check, request, since, until)
            act.extra["records"] = report.rows_checked
            return report

        return await self._gate.read(caller, act, look)

    def _check(
        self, request: wire.VerifyChain, since: str | None, until: str | None
    ) -> wire.ChainReport:
        """In a thread and on a connection of its own: one that meets a damaged page is of no use
        to anybody afterwards."""
        # Read before the snapshot is taken: that must hold this row at least.
        committed = self._ledger.committed_seq
        expect = None if request.expect is None else chain.expected(request.expect)
        try:
            with closing(self._gate.database.connect()) as db:
                db.execute("BEGIN")
                first, last = request.from_seq or 1, request.to_seq
                if since is not None or until is not None:
                    first, last = chain.stretch(db, since, until)
                wanted = chain.Request(first, last, expect, committed)
                rest = self._gate.database.pace().rest
                return chain.verify(db, self._vault_id, stored_keys(db), wanted, rest)
        except FileDamaged as fault:
            raise StorageFailed("damaged") from fault
        except EngineError as error:
            raise translate(error) from error

    async def checkpoints(
        self, caller: Caller, request: wire.ListCheckpoints
    ) -> wire.CheckpointPage:
        """One page of the signed heads, newest first."""

        async def look() -> wire.CheckpointPage:
            return await self._page(caller, request)

        return await self._gate.read(caller, Act("audit_read"), look)

    async def _page(self, caller: Caller, request: wire.ListCheckpoints) -> wire.CheckpointPage:
        place = self._pages.place(caller, request, 2**53)

        def question(db: Connection) -> list[wire.Checkpoint]:
            rows = db.execute(_POINTS, (place.position, place.limit + 1)).fetchall()
            return [
                wire.Checkpoint(self._vault_id, seq, point.hex(), *others)
                for seq, point, *others in rows
            ]

        found = await self._gate.ask(question)
        return wire.CheckpointPage(*self._pages.cut(caller, place, found, lambda point: point.seq))

    async def keys(self, caller: Caller, _request: wire.ListKeys) -> wire.CheckpointKeys:
        """The public keys of the checkpoints, to be noted outside of the vault."""

        def question(db: Connection) -> list[wire.CheckpointKey]:
            rows = db.execute(
                "SELECT id, public_key, created_at FROM signing_key"
                " WHERE purpose = 'checkpoint' ORDER BY created_at, id"
            ).fetchall()
            return [
                wire.CheckpointKey(key_id, wire.ED25519, public, instant(created_at))
                for key_id, public, created_at in rows
            ]

        async def look() -> wire.CheckpointKeys:
            return wire.CheckpointKeys(self._vault_id, await self._gate.ask(question))

        return await self._gate.read(caller, Act("audit_read"), look)


def _times(request: wire.VerifyChain) -> tuple[str | None, str | None]:
    """``from`` and ``to`` as stored instants; 422 names every field at fault."""
    found: dict[str, str] = {}
    times: dict[str, str | None] = {}
    for name, text in (("from", request.from_), ("to", request.to)):
        times[name] = None
        if text is None:
            continue
        try:
            times[name] = instant(parse_instant(text))
        except (ValueError, OverflowError):
            found[name] = "must be an RFC 3339 time or a date"
    by_time = request.from_ is not None or request.to is not None
    if by_time and (request.from_seq is not None or request.to_seq is not None):
        found["from_seq"] = "give numbers or times, not both"
    if request.to_seq is not None and request.to_seq < (request.from_seq or 1):
        found["to_seq"] = "must not be below from_seq"
    since, until = times["from"], times["to"]
    if since is not None and until is not None and until <= since:
        found["to"] = "must be later than from"
    if found:
        raise faults(found)
    return since, until
