"""Verification of the audit chain in an open file. Rules and vectors: docs/formats.md.

Each row's hash is computed again from the hash before it and the row as it is stored. When the
two differ, the row behind decides what happened:

    it fits the stored hash      the row's content was changed            row_modified
                                 (rows before it were taken out or put in  link_broken)
    it fits the computed hash    the stored hash was changed              link_broken
    it fits neither              rows were swapped, put in or rewritten   link_broken

Behind damage that leaves the true hash unknown (a missing row, the last line above) the next row
in its right place is taken as it is, so that one change is not told once for every row behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import structs

from scaivault.audit import checkpoints
from scaivault.audit.checkpoints import Span
from scaivault.audit.findings import Findings
from scaivault.audit.prunes import Prunes
from scaivault.audit.tombstones import Tombstone, digest_of, tombstone
from scaivault.crypto import digest
from scaivault.gate.ledger import CHECKPOINT_ROWS, Record, canonical, read_record
from scaivault.storage.failures import StorageFailed, translate
from scaivault.storage.file import Connection, EngineError
from scaivault.wire.audit import ChainHead, ChainReport, LastCheckpoint

MOST_ROWS: Final = 1_000_000
_ALL: Final = -1
_STEP: Final = 32  # rows between two rests: about a millisecond
_Entry = Record | Tombstone

# The record as bytes: text that is no UTF-8 would end the query instead of being found.
_ROWS: Final = (
    "SELECT seq, hash, CAST(record AS BLOB) FROM ledger WHERE seq BETWEEN ? AND ?"
    " ORDER BY seq LIMIT ?"
)


class Known(NamedTuple):
    """A row's hash as somebody outside noted it."""

    seq: int
    hash: bytes


class Request(NamedTuple):
    """What to verify. ``committed``: a row that is known to have been written; ``limit``: the
    most rows to read, None for all."""

    from_seq: int = 1
    to_seq: int | None = None
    expect: Known | None = None
    committed: int = 0
    limit: int | None = MOST_ROWS


def expected(text: str) -> Known:
    """``<seq>:<64 hex>``; ``ValueError`` for anything else."""
    seq, _, hexed = text.partition(":")
    if not (seq.isascii() and seq.isdigit() and len(hexed) == 64):
        raise ValueError("must be <seq>:<hash>, the hash 64 hexadecimal digits")
    return Known(int(seq), bytes.fromhex(hexed))


def stretch(connection: Connection, since: str | None, until: str | None) -> tuple[int, int | None]:
    """First and last row of the checkpoints' stretches that hold all rows committed in
    ``since <= t < until`` (texts of ``clock.instant``); None: to the head."""
    first, last = 0, None
    if since is not None:
        first = checkpoints.last_before(connection, since)
    if until is not None:
        (last,) = connection.execute(
            "SELECT min(seq) FROM checkpoint WHERE timestamp >= ?", (until,)
        ).fetchone()
    return first + 1, last


def verify(
    connection: Connection,
    vault_id: str,
    keys: Mapping[str, bytes],
    request: Request,
    rest: Callable[[], object] = lambda: None,
) -> ChainReport:
    """Check the rows asked for, the checkpoints over them and the head. Call in one snapshot.

    ``keys``: key id -> public key of the checkpoints; ``rest``: called behind each few rows.
    Reads row by row, in constant memory."""
    findings = Findings()
    head, head_hash = _head(connection, vault_id)
    _check_head(connection, vault_id, request, head, findings)
    point = checkpoints.newest(connection)
    tail = max(0, head - point[0]) if point is not None else head
    last = head if request.to_seq is None else min(request.to_seq, head)
    walk = _Walk(connection, findings, request.from_seq, head, rest)
    walk.start_from(_stored_hash(connection, vault_id, request.from_seq - 1))
    counted = 0
    try:
        walk.run(last, request.limit)
        walk.prunes.finish()
        span = Span(request.from_seq, walk.last, head)
        counted = checkpoints.check(connection, vault_id, keys, span, findings)
    except EngineError as error:
        _unreadable(error, walk, findings)
    if tail >= CHECKPOINT_ROWS and walk.last == head:
        findings.add(
            "checkpoint_invalid",
            head,
            f"none is over the last {tail} rows, although every {CHECKPOINT_ROWS} rows are signed",
        )
    return ChainReport(
        valid=not findings.count,
        complete=walk.complete,
        next_seq=None if walk.complete else walk.last + 1,
        vault_id=vault_id,
        first_seq=request.from_seq,
        last_seq=walk.last,
        rows_checked=walk.count,
        rows_pruned=walk.prunes.count,
        checkpoints_checked=counted,
        unsigned_tail=tail,
        head=ChainHead(head, head_hash.hex()),
        last_checkpoint=None if point is None else LastCheckpoint(*point),
        problems=findings.told(),
    )


def _head(connection: Connection, vault_id: str) -> Known:
    row = connection.execute("SELECT seq, hash FROM ledger ORDER BY seq DESC LIMIT 1").fetchone()
    return Known(0, digest.chain_start(vault_id)) if row is None or row[0] < 1 else Known(*row)


def _check_head(
    connection: Connection, vault_id: str, request: Request, head: int, findings: Findings
) -> None:
    """Against what is known from outside the file."""
    if head < request.committed:
        findings.add(
            "truncated", head, f"row {request.committed} was written, the rows end at {head}"
        )
    if request.expect is None:
        return
    seq, noted = request.expect
    if seq > head:
        findings.add("truncated", head, f"row {seq} is expected, the rows end at {head}")
        return
    stored = _stored_hash(connection, vault_id, seq)
    if stored != noted:
        findings.add("truncated", seq, "the row's hash is not the expected one")


def _stored_hash(connection: Connection, vault_id: str, seq: int) -> bytes | None:
    """Of a row; of none, number 0, where the chain starts."""
    if seq == 0:
        return digest.chain_start(vault_id)
    row = connection.execute("SELECT hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
    return None if row is None else row[0]


def _unreadable(error: EngineError, walk: _Walk, findings: Findings) -> None:
    """A page that does not open ends the walk: the engine reads nothing more on a connection
    that met one."""
    known = translate(error)
    if not isinstance(known, StorageFailed) or known.reason not in ("damaged", "io"):
        raise error
    walk.complete = True
    findings.add(
        "page_damaged",
        walk.last,
        "the file cannot be read behind this row: a page is damaged; nothing further was checked",
    )


class _Walk:
    """From row to row. ``last``: the last one that was read."""

    def __init__(
        self,
        connection: Connection,
        findings: Findings,
        first: int,
        head: int,
        rest: Callable[[], object],
    ) -> None:
        self._connection: Final = connection
        self._findings: Final = findings
        self._first: Final = first
        self._rest: Final = rest
        self.prunes: Final = Prunes(connection, findings, first)
        self._next = first
        self._previous: bytes | None = None
        self.last = min(first - 1, head)
        self.count = 0
        self.complete = False

    def start_from(self, previous: bytes | None) -> None:
        """The hash before the first row; None: that row is not there."""
        self._previous = previous
        if previous is None and self.last == self._first - 1:
            self._missing(self.last, self.last)

    def run(self, last: int, limit: int | None) -> None:
        if self._first == 1:
            self._strangers()
        rows = self._connection.execute(
            _ROWS, (self._first, last, _ALL if limit is None else limit)
        )
        for seq, stored, record in rows:
            if seq != self._next:
                self._missing(self._next, seq - 1)
                self._previous = None
            self._row(seq, stored, record)
            self.last, self._next = seq, seq + 1
            self.count += 1
            if not self.count % _STEP:
                self._rest()
        self.complete = self.last >= last or self.count != limit
        if self.complete and self._next <= last:
            self._missing(self._next, last)
            self.last = last

    def _strangers(self) -> None:
        for (seq,) in self._connection.execute(
            "SELECT seq FROM ledger WHERE seq < 1 ORDER BY seq LIMIT 100"
        ):
            self._findings.add("sequence_error", seq, "rows are numbered from 1")

    def _missing(self, first: int, last: int) -> None:
        detail = "the row is" if first == last else f"rows {first} to {last} are"
        self._findings.add("row_missing", first, f"{detail} not there")

    def _row(self, seq: int, stored: bytes, body: bytes) -> None:
        entry = _entry(body)
        placed = entry is not None and entry.seq == seq
        if isinstance(entry, Tombstone):
            self.prunes.stone(entry)
        elif entry is not None:
            self.prunes.row(entry)
        if entry is not None and not placed:
            self._findings.add("sequence_error", seq, f"the row says that it is row {entry.seq}")
        if self._previous is None:
            # A row that stands elsewhere cannot say what hash belongs here.
            self._previous = stored if placed else None
            self._check_form(seq, entry)
            return
        row_digest = digest_of(body)
        computed = digest.link(self._previous, row_digest)
        if computed == stored:
            self._previous = stored
            self._check_form(seq, entry)
        else:
            self._previous = self._judge(seq, stored, computed, entry)

    def _check_form(self, seq: int, entry: _Entry | None) -> None:
        if entry is None:
            self._findings.add("row_modified", seq, "the row is not a record in canonical form")

    def _judge(
        self, seq: int, stored: bytes, computed: bytes, entry: _Entry | None
    ) -> bytes | None:
        """Tell what is wrong with a row that does not fit its hash; the hash to go on with."""
        behind = self._connection.execute(_ROWS, (seq + 1, seq + 1, 1)).fetchone()
        if behind is not None:
            following = digest_of(behind[2])
            if digest.link(computed, following) == behind[1]:
                self._findings.add("link_broken", seq, "the stored hash was changed")
                return computed
            if digest.link(stored, following) != behind[1]:
                self._findings.add("link_broken", seq, "the row fits neither of its neighbours")
                return None
        if entry is not None and entry.seq != seq and not self._renumbered(seq, stored, entry):
            self._findings.add("link_broken", seq, "the row does not follow the one before")
        else:
            self._findings.add("row_modified", seq, "the row is not the one that was hashed")
        return stored

    def _renumbered(self, seq: int, stored: bytes, entry: _Entry) -> bool:
        """Whether the row's number within it is all that was changed."""
        if isinstance(entry, Tombstone):
            return False  # its digest does not depend on its number
        row_digest = digest.row_digest(canonical(structs.replace(entry, seq=seq)))
        return digest.link(self._previous or b"", row_digest) == stored


def _entry(body: bytes) -> _Entry | None:
    """The record or tombstone, or None for bytes that the ledger does not write."""
    left = tombstone(body)
    if left is not None:
        return left
    try:
        entry = read_record(body)
        return entry if canonical(entry) == body else None
    except (ValueError, RecursionError):
        return None
