"""An archive, verified from its files alone: one chain through all of them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from scaivault.audit.chain import Known
from scaivault.audit.findings import Findings
from scaivault.audit.lines import Gap, Line
from scaivault.audit.reading import Directory, Unreadable
from scaivault.audit.tombstones import START
from scaivault.audit.tracing import Point, Trace, digest_of_line, exact, read_gap, read_line
from scaivault.crypto import digest, signing
from scaivault.wire.audit import ChainReport

_FILE: Final = re.compile(r".*audit-([1-9][0-9]{0,15})-([1-9][0-9]{0,15})\.jsonl", re.DOTALL)
_CLOSING: Final = b'{"checkpoint":'


class _Closing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last line of a file."""

    checkpoint: Point
    public_key: str | None


_read_closing: Final = msgspec.json.Decoder(_Closing).decode


class _Part(NamedTuple):
    first: int
    last: int
    name: str


def parts(names: list[str]) -> list[_Part]:
    """The files of an archive, by their first row."""
    found = ((match, name) for name in names if (match := _FILE.fullmatch(name)) is not None)
    return sorted(_Part(int(match[1]), int(match[2]), name) for match, name in found)


def verify(files: Directory, key: bytes | None, expect: Known | None) -> ChainReport:
    """Rows, hashes and checkpoints of all files. ``Unreadable`` for no archive at all."""
    found = parts(files.names())
    findings = Findings()
    trace: Trace | None = None
    for part in found:
        try:
            if trace is None:
                trace = _begin(files, part, findings, expect)
            key = _walk(files, part, trace, key)
        except Unreadable as fault:
            if trace is None:
                raise
            findings.add("file_modified", part.first, str(fault))
    if trace is None:
        raise Unreadable("the directory holds no file of an archive")
    return trace.report()


def _begin(files: Directory, part: _Part, findings: Findings, expect: Known | None) -> Trace:
    """Where the first file says that the chain was; rows before it may be elsewhere."""
    closing = None
    first = next(files.lines(part.name), b"")
    for raw in files.lines(part.name):
        closing = raw
    end = _closing(part, closing or b"")
    row = _row(part, first)
    try:
        before = bytes.fromhex(row.prev_hash)
    except ValueError:
        before = b""
    if len(before) != digest.SIZE:
        raise Unreadable(f"{part.name} begins with no row")
    vault_id = end.checkpoint.vault_id
    if part.first == 1 and before != digest.chain_start(vault_id):
        findings.add("link_broken", 1, "the chain does not begin where this vault's does")
    return Trace(findings, vault_id, part.first, before, expect)


def _walk(files: Directory, part: _Part, trace: Trace, key: bytes | None) -> bytes | None:
    """One file; the key to go on with."""
    if part.first != trace.last + 1:
        told = f"{part.name} does not follow row {trace.last}"
        if part.first <= trace.last:
            trace.findings.add("sequence_error", part.first, told)
            return key
        trace.findings.add("row_missing", trace.last + 1, told)
    closed = False
    for raw in files.lines(part.name):
        if closed:
            raise Unreadable(f"{part.name} goes on behind its end")
        if raw.startswith(_CLOSING):
            closing = _closing(part, raw)
            key = key or _key(closing)
            trace.point(closing.checkpoint, key)
            closed = True
        else:
            _step(part, raw, trace)
    if not closed or trace.last != part.last:
        trace.findings.add("truncated", trace.last, f"{part.name} ends before its end")
    return key


def _step(part: _Part, raw: bytes, trace: Trace) -> None:
    row = _row(part, raw)
    before = trace.hash
    try:
        row_digest = digest_of_line(row)
    except ValueError as fault:
        raise Unreadable(f"{part.name} has a line that is no row") from fault
    if not exact(row, raw):
        trace.findings.add("row_modified", row.seq, "the row is not in canonical form")
    trace.step(row.seq, row_digest)
    if digest.link(before, row_digest).hex() != row.hash and row.prev_hash == before.hex():
        trace.findings.add("row_modified", row.seq, "the row is not the one that was hashed")
        trace.hash = _or(row.hash, trace.hash)
    else:
        trace.check(row, before)
    trace.records += 1
    trace.pruned += isinstance(row, Gap)


def _or(text: str, otherwise: bytes) -> bytes:
    """The hash to go on with behind a changed row: the rows behind say whether it was right."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return otherwise
    return found if len(found) == digest.SIZE else otherwise


def _row(part: _Part, raw: bytes) -> Line | Gap:
    try:
        return read_gap(raw) if raw.startswith(START.encode()) else read_line(raw)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{part.name} has a line that is no row") from fault


def _closing(part: _Part, raw: bytes) -> _Closing:
    try:
        return _read_closing(raw)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(f"{part.name} does not end with a checkpoint") from fault


def _key(closing: _Closing) -> bytes | None:
    try:
        key = signing.from_base64url(closing.public_key or "")
    except ValueError:
        return None
    return key if len(key) == 32 else None
