"""Rows that were kept long enough give up their content, and leave a tombstone in the chain.

Of a row at or before a checkpoint it is known that it is older than that checkpoint. So what is
pruned is the rows up to the last checkpoint before the cutoff: everybody can check that later,
though the rows themselves are gone. ``audit_prune`` rows stay for good: they are what tombstones
are held against.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

import msgspec

from scaivault.audit import index, retention
from scaivault.audit.checkpoints import last_before
from scaivault.audit.tombstones import START, Tombstone
from scaivault.clock import SECOND, instant
from scaivault.crypto import digest
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act, Gate
from scaivault.gate.ledger import canonical
from scaivault.gate.transaction import Transaction
from scaivault.storage.file import Connection

ACTION: Final = "audit_prune"
# Rows of one transaction. What can be is done in a reader, and many rows are one statement: each
# gives up the interpreter's lock, and with 3,000 of them 500 rows held the writer for 150 ms.
STEP: Final = 500
REST: Final = 2  # so many times as long as a step took, while others commit, too
_PAGE: Final = 5000
OTHERS: Final = "*"
NOBODY: Final = ""

_ROWS: Final = (
    "SELECT seq, record FROM ledger WHERE seq > :behind AND seq <= :last ORDER BY seq LIMIT :limit"
)
_THESE: Final = (
    "SELECT seq, CAST(record AS BLOB) FROM ledger"
    " WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq"
)
_REPLACE: Final = (
    "UPDATE ledger SET record = stone.value ->> 1 FROM json_each(:stones) stone"
    " WHERE ledger.seq = stone.value ->> 0"
)
_REACHED: Final = (
    "INSERT INTO audit_pruned (owner, seq) VALUES (:owner, :seq)"
    " ON CONFLICT (owner) DO UPDATE SET seq = max(seq, excluded.seq)"
)


class _Whose(msgspec.Struct):
    """What matters of a record here."""

    action: str
    tenant_id: str | None = None


_whose: Final = msgspec.json.Decoder(_Whose).decode


class Group(NamedTuple):
    """Rows with one cutoff: those of a tenant, of all tenants but those (``*``), of none (``""``).
    Rows behind ``behind`` and up to ``last`` are looked through."""

    owner: str
    cutoff: str
    behind: int
    last: int


class Prune:
    """One per open vault. ``default``: seconds; ``shipped``: the last row in the archive, None
    where there is none; ``closing``: whether to stop."""

    def __init__(
        self,
        gate: Gate,
        default: int,
        places: Callable[[str], tuple[str | None, str | None]],
        shipped: Callable[[Connection], int | None],
        closing: Callable[[], bool],
        terms: index.Index,
    ) -> None:
        self._gate: Final = gate
        self._default: Final = default
        self._places: Final = places
        self._shipped: Final = shipped
        self._closing: Final = closing
        self._index: Final = terms
        self._reached: Final[dict[str, int]] = {}  # also where nothing was pruned on the way
        self._commits = 0  # of the vault, by the end of the last step

    async def run(self, caller: Caller) -> int:
        """Everything that is due; how many rows."""
        done = 0
        groups, known = await self._gate.ask(lambda db: self._groups(db, caller.now))
        for group in groups:
            done += await self._group(caller, group, known)
        return done

    def _groups(self, db: Connection, now: int) -> tuple[list[Group], frozenset[str]]:
        own = retention.own(db, now)
        lengths = {**own, OTHERS: self._default * SECOND, NOBODY: self._default * SECOND}
        reached = dict(db.execute("SELECT owner, seq FROM audit_pruned").fetchall())
        shipped = self._shipped(db)
        groups = []
        for owner, length in lengths.items():
            cutoff = instant(max(0, now - length))
            last = last_before(db, cutoff)
            if shipped is not None:
                last = min(last, shipped)
            behind = max(reached.get(owner, 0), self._reached.get(owner, 0))
            if behind < last:
                groups.append(Group(owner, cutoff, behind, last))
        return groups, frozenset(own)

    async def _group(self, caller: Caller, group: Group, own: frozenset[str]) -> int:
        done = 0
        waiting: dict[str | None, list[int]] = {}
        behind = group.behind
        while behind < group.last and not self._closing():
            behind, found = await self._gate.ask(
                partial(_look, group=group, own=own, behind=behind)
            )
            for tenant, seqs in found.items():
                waiting.setdefault(tenant, []).extend(seqs)
            for tenant, seqs in waiting.items():
                while len(seqs) >= STEP:
                    done += await self._step(caller, group, tenant, seqs[:STEP])
                    del seqs[:STEP]
        if behind < group.last:
            return done
        for tenant, seqs in waiting.items():
            if seqs:
                done += await self._step(caller, group, tenant, seqs)
        # In memory only when nothing went: a row for that would keep an idle vault writing.
        if done:
            await self._gate.change(caller, _noted(group), lambda tx: _reach(tx, group))
        self._reached[group.owner] = group.last
        return done

    async def _step(self, caller: Caller, group: Group, tenant: str | None, seqs: list[int]) -> int:
        """One transaction, one row that tells of it; then a rest, if others are at work."""
        began = self._gate.clock.monotonic()

        def prune(tx: Transaction) -> int:
            tx.concern(*((None, None) if tenant is None else self._places(tenant)))
            left.put(tx.connection)
            tx.then(self._index.forget)
            tx.note(
                tenant_id=tenant,
                cutoff=group.cutoff,
                rows=len(seqs),
                first_seq=seqs[0],
                last_seq=seqs[-1],
                set_hash=digest.pruned_set(seqs).hex(),
            )
            tx.numbered(lambda connection, number: _replace(connection, digests, number))
            return len(seqs)

        async with self._index.still:
            digests, left = await self._gate.ask(lambda db: _going(db, seqs))
            done = await self._gate.change(caller, Act(ACTION), prune)
        took, before = self._gate.clock.monotonic() - began, self._commits
        self._commits = self._gate.database.commits.count
        if self._commits - before > 1:  # one is its own
            await asyncio.sleep(REST * took / 1e9)
        return done


def _going(db: Connection, seqs: list[int]) -> tuple[list[tuple[int, bytes]], index.Left]:
    """What of rows stays: their digests; the index without them."""
    found = db.execute(_THESE, {"seqs": msgspec.json.encode(seqs).decode()}).fetchall()
    digests = [(seq, digest.row_digest(body)) for seq, body in found]
    return digests, index.without(db, (body for _, body in found))


def _look(
    db: Connection, group: Group, own: frozenset[str], behind: int
) -> tuple[int, dict[str | None, list[int]]]:
    """The next page: (where to go on, tenant -> rows to prune)."""
    found: dict[str | None, list[int]] = {}
    rows = db.execute(_ROWS, {"behind": behind, "last": group.last, "limit": _PAGE}).fetchall()
    for seq, text in rows:
        if text.startswith(START):
            continue
        entry = _whose(text)
        if entry.action != ACTION and _belongs(group, entry.tenant_id, own):
            found.setdefault(entry.tenant_id, []).append(seq)
    return (rows[-1][0] if len(rows) == _PAGE else group.last), found


def _belongs(group: Group, tenant: str | None, own: frozenset[str]) -> bool:
    if tenant is None:
        return group.owner == NOBODY
    return group.owner == (tenant if tenant in own else OTHERS)


def _replace(connection: Connection, digests: list[tuple[int, bytes]], number: int) -> None:
    stones = [
        (seq, canonical(Tombstone(row_digest.hex(), number, seq)).decode())
        for seq, row_digest in digests
    ]
    connection.execute(_REPLACE, {"stones": msgspec.json.encode(stones).decode()})


def _noted(group: Group) -> Act:
    act = Act("job_control")
    act.extra.update(job="audit-prune", last_seq=group.last)
    return act


def _reach(tx: Transaction, group: Group) -> None:
    tx.execute(_REACHED, {"owner": group.owner, "seq": group.last})
