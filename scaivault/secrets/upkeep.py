"""What is done to secrets by itself: counters, purges, notices, the scrub."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.transaction import Transaction
from scaivault.secrets import expiry, store
from scaivault.secrets.access import Access, Portion, in_order, reach
from scaivault.secrets.removing import Removing
from scaivault.secrets.values import Values, concern

Spot = tuple[str, str, int]  # owner, path, version

_STEP: Final = 200
_TOLD: Final = 32  # secrets of one transaction, with some five statements each
_SCRUB_STEP: Final = 64  # values of half a MiB each, at the worst
_LARGE: Final = 16 * 1024  # bytes that take longer to open than a turn of the loop costs


class Upkeep:
    """One per open vault. ``places``: (tenant, partner) of an owner."""

    def __init__(
        self,
        gate: Gate,
        values: Values,
        removing: Removing,
        places: Callable[[str], tuple[str | None, str | None]],
    ) -> None:
        self._gate: Final = gate
        self._values: Final = values
        self._removing: Final = removing
        self._places: Final = places
        self._flushing: Final = asyncio.Lock()  # that of a seal may meet that of the minute

    async def flush(self, caller: Caller, seq: int) -> int:
        """Write the counts of reads up to ledger row ``seq`` down, or first the rest of those that
        could not be written; how many secrets that was."""
        async with self._flushing:
            if not self._values.access.due(seq):
                return 0
            return await self._flush(caller, self._values.access, seq)

    async def _flush(self, caller: Caller, access: Access, seq: int) -> int:
        database, flush = self._gate.database, access.take(seq)
        keys = [*flush.counts]
        # In a reader's thread: 100,000 take a quarter of a second.
        keys = await self._gate.ask(lambda _: in_order(keys))
        done = 0
        while done < len(keys):
            done += await database.submit(Portion(database, flush, keys, done))
        act = Act("job_control")
        act.extra["job"] = "flush"
        await self._gate.change(caller, act, lambda tx: reach(tx, flush))
        # Rows on the shelf know their last read already; others are fetched with the table's.
        access.flushed(flush)
        return done

    async def purge(self, caller: Caller) -> int:
        """Destroy what was soft-deleted longer ago than the retention; how many secrets."""
        before = caller.now - self._removing.retention
        due = await self._gate.ask(lambda db: store.over_retention(db, before, _STEP))
        for owner, path in due:
            await self._purge_one(caller, owner, path)
        return len(due)

    async def _purge_one(self, caller: Caller, owner: str, path: str) -> None:
        act = Act("delete", path=path)
        act.extra.update(permanent=True, purge=True)
        key = (owner, path)

        def purge(tx: Transaction) -> None:
            concern(tx, owner, self._places)
            self._removing.purge(tx, owner, path)
            tx.then(lambda: self._values.shelf.drop(key))
            tx.then(lambda: self._values.access.forget(key))

        await self._gate.change(caller, act, purge)

    def leave(self, tx: Transaction, owner: str, most: int) -> int:
        """Drop secrets of an owner whose key was destroyed; how many. Nobody is told: there is
        nobody left."""
        paths = store.some_of(tx, owner, most)
        count = sum(store.destroy(tx, owner, path) for path in paths)
        tx.note(count=len(paths), version_count=count)
        for path in paths:
            tx.then(partial(self._values.shelf.drop, (owner, path)))
            tx.then(partial(self._values.access.forget, (owner, path)))
        return len(paths)

    async def announce(self, caller: Caller) -> int:
        """Tell of ends that come near or passed (``expiry``); how many secrets were looked at."""
        due = await self._gate.ask(lambda db: store.to_tell(db, caller.now, _TOLD))
        by_owner: dict[str, list[str]] = {}
        for owner, path in due:
            by_owner.setdefault(owner, []).append(path)
        for owner, paths in by_owner.items():
            await self._announce_some(caller, owner, paths)
        return len(due)

    async def _announce_some(self, caller: Caller, owner: str, paths: list[str]) -> None:
        act = Act("job_control")
        act.extra["job"] = "expiry"

        def announce(tx: Transaction) -> None:
            concern(tx, owner, self._places)
            tx.note(events=sum(self._announce_one(tx, owner, path) for path in paths))

        await self._gate.change(caller, act, announce)

    def _announce_one(self, tx: Transaction, owner: str, path: str) -> int:
        secret = store.get(tx, owner, path)
        if secret is None or secret.deleted_at is not None:
            return 0  # meanwhile
        events = list(expiry.due(secret, tx.now))
        for kind, data in events:
            tx.emit(kind, path, **data)
        if secret.notice_at is not None and secret.notice_at <= tx.now:
            told = expiry.rearmed(secret, tx.now)
            store.notice(tx, owner, path, told.notice_at)
            tx.then(lambda: self._values.shelf.drop((owner, path)))
        return len(events)

    async def scrub(self, caller: Caller, after: Spot) -> tuple[Spot | None, int]:
        """Open the next stored versions; (where to go on or None, how many do not open)."""
        rows = await self._gate.ask(lambda db: store.some_versions(db, after, _SCRUB_STEP))
        failed = 0
        for owner, path, version in rows:
            if len(version.sealed.value) > _LARGE:
                await asyncio.sleep(0)  # others first: 64 such would take the loop for 60 ms
            key = (owner, path)
            if not self._gate.envelope.has_key(owner):
                continue  # destroyed on purpose: nothing is damaged
            if self._values.opened(key, version) is None:
                failed += 1
                await self._values.set_aside(caller, key, version.version)
        if len(rows) < _SCRUB_STEP:
            return None, failed
        owner, path, version = rows[-1]
        return (owner, path, version.version), failed
