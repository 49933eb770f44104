"""The audit ledger: append-only rows in one hash chain, signed at checkpoints.

Stored row: ``seq``, ``hash`` (the link, 32 bytes), ``record`` (the canonical JSON that the row
digest is taken of, so what is stored is what was hashed). Formats and vectors: docs/formats.md.

    digest(n) = H("scaivault-arow-1", record n)
    hash(n)   = H("scaivault-alnk-1", hash(n-1) || digest(n))
    hash(0)   = H("scaivault-agen-1", vault id)
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from scaivault.clock import Clock, instant
from scaivault.crypto import digest, signing
from scaivault.gate import extra
from scaivault.gate.caller import Caller
from scaivault.ids import timed_id, timed_ids
from scaivault.storage.file import Connection
from scaivault.storage.units import Unit

CHECKPOINT_ROWS: Final = 1000

log = logging.getLogger("scaivault.audit")


class Record(msgspec.Struct, gc=False):
    """The 16 fields of a row, in canonical (sorted) order."""

    action: str
    actor_tenant_id: str | None
    duration_ms: int
    extra_data: dict[str, Any]
    id: str
    identity_id: str | None
    identity_type: str | None
    partner_id: str | None
    request_id: str
    secret_path: str | None
    seq: int
    source_ip: str | None
    success: bool
    tenant_id: str | None
    timestamp: str
    user_agent: str | None


# "deterministic" sorts the keys of dicts; the fields above stand sorted already. That this is
# byte for byte RFC 8785 for our rows is held by a property test.
canonical: Final = msgspec.json.Encoder(order="deterministic").encode
read_record: Final = msgspec.json.Decoder(Record).decode


def record(caller: Caller, action: str, path: str | None, now: int) -> Record:
    """A row about ``caller``'s request; success until told otherwise."""
    principal = caller.principal
    home, identity, kind = None, None, None
    if principal is not None:
        home = principal.tenant_id or None
        identity, kind = principal.identity_id, principal.identity_type
    # By position, which takes half as long: action, actor_tenant_id, duration_ms, extra_data, id,
    # identity_id, identity_type, partner_id, request_id, secret_path, seq, source_ip, success, …
    return Record(
        action, home, 0, dict(caller.notes), timed_id("log_", now), identity, kind,
        caller.partner_id, caller.request_id, path, 0, caller.source_ip, True, caller.tenant_id,
        instant(now), caller.user_agent,
    )  # fmt: skip


About = tuple[str, str | None, dict[str, Any], bool]
"""What rows of one request differ in: action, path, ``extra_data``, success."""


def records(caller: Caller, now: int, about: Sequence[About]) -> list[Record]:
    """A ``record`` for each, with its ``extra_data``, which they may share."""
    principal = caller.principal
    home, identity, kind = None, None, None
    if principal is not None:
        home = principal.tenant_id or None
        identity, kind = principal.identity_id, principal.identity_type
    partner, request = caller.partner_id, caller.request_id
    address, tenant, agent = caller.source_ip, caller.tenant_id, caller.user_agent
    at, names = instant(now), timed_ids("log_", now, len(about))
    return [
        Record(
            action, home, 0, told, name, identity, kind, partner, request, path, 0, address,
            success, tenant, at, agent,
        )
        for (action, path, told, success), name in zip(about, names, strict=True)
    ]  # fmt: skip


class LedgerUnit(Unit):
    """A unit that leaves rows in the ledger; the only kind that the gate submits."""

    __slots__ = ("records", "started")

    def __init__(self, started: int, records: list[Record]) -> None:
        super().__init__()
        self.started = started
        self.records = records

    @property
    def rows(self) -> int:
        return len(self.records)

    def placed(self, connection: Connection, seq: int) -> None:
        """The first row's number is ``seq``; still inside the transaction."""

    def refused(self, code: str) -> None:
        """Turn the rows into one that says the request was refused."""
        first = self.records[0]
        first.success = False
        first.extra_data["error_code"] = code
        del self.records[1:]


def _nobody(_entry: Record) -> None:
    """Follows no row."""


class Ledger:
    """Appends the rows of each group of the writer (the ``Closer`` of the database)."""

    def __init__(self, vault_id: str, clock: Clock) -> None:
        self._vault_id: Final = vault_id
        self._clock: Final = clock
        self._signer: signing.CheckpointKey | None = None
        self._hash = digest.chain_start(vault_id)
        # The writer's side: the head inside the open transaction, and before it.
        self._seq, self._signed = 0, 0
        self._refused, self._first = 0, 0  # for metrics: rows of refusals, and where we began
        self._before = (0, self._hash, 0, 0)
        self._unsure = False  # whether the file ends where we think
        # The loop's side: what is on disk, and who is told of each row that is.
        self.follow: Callable[[Record], object] = _nobody
        self.committed_seq = 0
        self.last_checkpoint_at: str | None = None

    def load(self, connection: Connection, signer: signing.CheckpointKey) -> str | None:
        """Take up the chain where the file ends; the timestamp text of the newest row."""
        self._signer = signer
        newest = self._find_end(connection)
        self.committed_seq = self._first = self._seq
        return None if newest is None else read_record(newest).timestamp

    def _find_end(self, connection: Connection) -> str | None:
        """Stand behind the newest row, which is returned, and the newest checkpoint."""
        newest = connection.execute(
            "SELECT seq, hash, record FROM ledger ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if newest is not None:
            self._seq, self._hash = newest[0], newest[1]
        point = connection.execute(
            "SELECT seq, timestamp FROM checkpoint ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        if point is not None:
            self._signed, self.last_checkpoint_at = point
        self._unsure = False
        return None if newest is None else newest[2]

    # -- Closer, in the writer's thread --------------------------------------------------------

    def is_one_statement(self, units: Sequence[Unit]) -> bool:
        rows = 0
        for unit in units:
            if not isinstance(unit, LedgerUnit) or type(unit).run is not Unit.run:
                return False
            rows += len(unit.records)
        if self._unsure or rows > _MOST:
            return False
        return self._seq + rows - self._signed < CHECKPOINT_ROWS

    def close_group(self, connection: Connection, units: Sequence[Unit]) -> None:
        if self._unsure:
            self._find_end(connection)
        self._before = (self._seq, self._hash, self._signed, self._refused)
        now = self._clock.monotonic()
        rows: list[Any] = []
        seq, head = self._seq, self._hash
        fitting = None
        for unit in units:
            if not isinstance(unit, LedgerUnit):
                continue
            duration = max(0, (now - unit.started) // 1_000_000)
            unit.placed(connection, seq + 1)
            for entry in unit.records:
                seq += 1
                entry.seq = seq
                entry.duration_ms = duration
                if not entry.success:
                    self._refused += 1
                if entry.extra_data is not fitting:  # rows of one request may share it
                    fitting = entry.extra_data = extra.fitting(entry.extra_data)
                body = canonical(entry)
                if len(body) > extra.MOST:
                    entry.extra_data = extra.bounded(entry.extra_data)
                    body = canonical(entry)
                head = digest.link(head, digest.row_digest(body))
                rows += (seq, head, body.decode())
        self._seq, self._hash = seq, head
        _insert(connection, rows)
        if seq - self._signed >= CHECKPOINT_ROWS:
            self.sign(connection)

    def group_lost(self) -> None:
        self._seq, self._hash, self._signed, self._refused = self._before
        # What failed may have been committed, as when the answer to a commit is lost.
        self._unsure = True

    # -- Closer, on the loop -------------------------------------------------------------------

    def group_committed(self, units: Sequence[Unit]) -> None:
        follow = self.follow
        for unit in units:
            if isinstance(unit, LedgerUnit):
                for entry in unit.records:
                    follow(entry)
                    self.committed_seq = entry.seq

    def rows_by_result(self) -> dict[str, int]:
        """How many rows were added since ``load``, for metrics."""
        refused = self._refused
        added = self.committed_seq - self._first
        return {"success": max(0, added - refused), "failure": refused}

    # -- checkpoints ---------------------------------------------------------------------------

    def sign(self, connection: Connection) -> None:
        """A checkpoint at the head, unless it has one; inside the writer's transaction."""
        if self._signer is None or self._seq == self._signed:
            return
        now = instant(self._clock.now())
        point = {
            "hash": self._hash.hex(),
            "key_id": self._signer.key_id,
            "prev_seq": self._signed,
            "seq": self._seq,
            "timestamp": now,
            "vault_id": self._vault_id,
        }
        signature = self._signer.sign(point)
        connection.execute(
            "INSERT INTO checkpoint (seq, hash, timestamp, prev_seq, key_id, signature)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (self._seq, self._hash, now, self._signed, self._signer.key_id, signature),
        )
        self._signed = self._seq
        self.last_checkpoint_at = now
        log.info("audit_checkpoint", extra={"checkpoint": {**point, "signature": signature}})

    def forget(self) -> None:
        """Drop the signing key."""
        self._signer = None


# One statement takes many rows: a statement gives up the interpreter lock and must win it back,
# which costs more than the row. Each size is kept prepared.
_MOST: Final = 64
_INSERT: Final = [
    f"INSERT INTO ledger (seq, hash, record) VALUES {','.join(['(?,?,?)'] * size)}"  # noqa: S608 - no value is in it
    for size in range(_MOST + 1)
]


def _insert(connection: Connection, rows: list[Any]) -> None:
    for start in range(0, len(rows), 3 * _MOST):
        part = rows[start : start + 3 * _MOST]
        connection.execute(_INSERT[len(part) // 3], part)
