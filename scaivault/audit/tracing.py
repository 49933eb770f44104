"""The chain followed outside of the vault: along digests, with the rows and checkpoints that are
at hand held against it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from scaivault.audit.chain import Known
from scaivault.audit.findings import Findings
from scaivault.audit.lines import Gap, Line, record_of
from scaivault.crypto import digest, signing
from scaivault.errors import invalid
from scaivault.gate.ledger import canonical
from scaivault.wire.audit import ChainHead, ChainReport, Checkpoint, LastCheckpoint


class Point(Checkpoint, forbid_unknown_fields=True):
    """A checkpoint as it stands in files: as the API tells it, and nothing else."""

    def genuine(self, key: bytes) -> bool:
        """Whether the key of these 32 bytes signed it."""
        fields: dict[str, Any] = msgspec.structs.asdict(self)
        signature = fields.pop("signature")
        if self.key_id != signing.checkpoint_key_id(key):
            return False
        try:
            return signing.checkpoint_verified(key, fields, signature)
        except ValueError:
            return False


_UNEXPECTED: Final = "the row's hash is not the expected one"

read_line: Final = msgspec.json.Decoder(Line).decode
read_gap: Final = msgspec.json.Decoder(Gap).decode


def exact(found: msgspec.Struct, raw: bytes) -> bool:
    """Whether these bytes are the one form of what they say."""
    try:
        return bool(canonical(found) == raw)
    except (ValueError, OverflowError, RecursionError):
        return False


def digest_of_line(found: Line | Gap) -> bytes:
    """The row digest; ``ValueError`` for a gap whose digest is none."""
    if isinstance(found, Line):
        return digest.row_digest(canonical(record_of(found)))
    row_digest = bytes.fromhex(found.digest)
    if len(row_digest) != digest.SIZE:
        raise ValueError("a digest has 32 bytes")
    return row_digest


class Trace:
    """From ``first``, whose hash before is ``before``."""

    def __init__(
        self, findings: Findings, vault_id: str, first: int, before: bytes, expect: Known | None
    ) -> None:
        self.findings: Final = findings
        self.vault_id: Final = vault_id
        self.first: Final = first
        self.last = first - 1
        self.hash = before
        self.records = self.pruned = self.points = self.last_record = 0
        self._signed: Point | None = None
        self._last_point: int | None = None
        self._expect: Final = expect
        if expect is not None and expect.seq < first:
            self._expect_before(expect)

    def _expect_before(self, expect: Known) -> None:
        """Of the rows before the first, the files know the hash of the last alone."""
        if expect.seq < self.last:
            raise invalid(
                expect=f"names row {expect.seq}, but these files begin at row {self.first}: give a"
                f" row from {self.last} on"
            )
        if expect.hash != self.hash:
            self.findings.add("truncated", expect.seq, _UNEXPECTED)

    def step(self, seq: int, row_digest: bytes) -> None:
        """The next row."""
        if seq != self.last + 1:
            kind = "a row is" if seq == self.last + 2 else "rows are"
            self.findings.add("row_missing", self.last + 1, f"{kind} not there before row {seq}")
        self.last = seq
        self.hash = digest.link(self.hash, row_digest)
        if self._expect is not None and self._expect.seq == seq and self._expect.hash != self.hash:
            self.findings.add("truncated", seq, _UNEXPECTED)

    def check(self, found: Line | Gap, before: bytes) -> None:
        """A row's own hashes, right behind its step."""
        if found.prev_hash != before.hex() or found.hash != self.hash.hex():
            self.findings.add("link_broken", found.seq, "the row's hashes are not the chain's")

    def point(self, point: Point, key: bytes | None) -> None:
        """A checkpoint of the row just passed."""
        self.points += 1
        if point.vault_id != self.vault_id or key is None or not point.genuine(key):
            self.findings.add("checkpoint_invalid", point.seq, "it is not signed by the vault")
        elif point.seq != self.last or point.hash != self.hash.hex():
            self.findings.add(
                "checkpoint_mismatch", point.seq, "the row's hash is not the one that was signed"
            )
        else:
            if self._last_point is not None and point.prev_seq != self._last_point:
                self.findings.add(
                    "checkpoint_invalid",
                    point.seq,
                    f"it follows a checkpoint at {point.prev_seq}, which is not there",
                )
            self._signed = point
        self._last_point = point.seq

    def last_signed(self) -> dict[str, Any] | None:
        """The newest genuine checkpoint, as it stands in files."""
        return None if self._signed is None else msgspec.structs.asdict(self._signed)

    def report(self) -> ChainReport:
        signed = self._signed
        tail = self.last - (self.first - 1 if signed is None else signed.seq)
        if tail:
            self.findings.add("checkpoint_invalid", self.last, f"none is over the last {tail} rows")
        if self._expect is not None and self._expect.seq > self.last:
            self.findings.add(
                "truncated", self.last, f"row {self._expect.seq} is expected, behind the last one"
            )
        return ChainReport(
            valid=not self.findings.count,
            complete=True,
            next_seq=None,
            vault_id=self.vault_id,
            first_seq=self.first,
            last_seq=self.last,
            rows_checked=self.records,
            rows_pruned=self.pruned,
            checkpoints_checked=self.points,
            unsigned_tail=tail,
            head=ChainHead(self.last, self.hash.hex()),
            last_checkpoint=None
            if signed is None
            else LastCheckpoint(signed.seq, signed.timestamp),
            problems=self.findings.told(),
        )
