"""An export, verified from its files alone."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Final

import msgspec

from scaivault.audit.chain import Known
from scaivault.audit.findings import Findings
from scaivault.audit.lines import Line
from scaivault.audit.reading import Directory, Unreadable
from scaivault.audit.tracing import Point, Trace, digest_of_line, exact, read_line
from scaivault.crypto import digest, signing
from scaivault.wire.audit import ChainReport
from scaivault.wire.audit_jobs import ExportedFile, Manifest

NAME: Final = "manifest.json"
_MANIFEST: Final = 64 * 1024 * 1024  # 200 bytes for each of 100,000 rows
_PART: Final = re.compile(r"part-([0-9]{5,9})\.(jsonl|csv)")
_FIXED: Final = ("chain.jsonl", "checkpoints.jsonl")

_NO_MANIFEST: Final = "manifest.json is cut off or changed: it does not read as that of an export"

_read_manifest: Final = msgspec.json.Decoder(Manifest).decode
_read_link: Final = msgspec.json.Decoder(
    tuple[Annotated[int, msgspec.Meta(ge=1, le=2**53)], Annotated[str, msgspec.Meta(max_length=64)]]
).decode
_read_point: Final = msgspec.json.Decoder(Point).decode


def is_export(names: list[str]) -> bool:
    """Whether files of these names are one, or what is left of one."""
    return not {NAME, *_FIXED}.isdisjoint(names)


def verify(files: Directory, key: bytes | None, expect: Known | None) -> ChainReport:
    """Files, digests, hashes, records and checkpoints. ``Unreadable`` for no export at all."""
    manifest = _manifest(files)
    findings = Findings()
    _check_files(files, manifest, findings)
    start = _hash(manifest.chain.first_prev_hash)
    trace = Trace(findings, manifest.vault_id, manifest.chain.first_seq, start, expect)
    if manifest.chain.first_seq == 1 and start != digest.chain_start(manifest.vault_id):
        findings.add("link_broken", 1, "the chain does not begin where this vault's does")
    try:
        _walk(files, manifest, trace, key or _own_key(manifest))
    except Unreadable as fault:
        findings.add("file_modified", trace.last, f"{fault}; nothing further was checked")
    _check_end(manifest, trace)
    return trace.report()


def _manifest(files: Directory) -> Manifest:
    if NAME not in files.names():
        raise Unreadable(
            "manifest.json is not there, the last file of an export: it was taken away, or the"
            " export was not fetched or not finished"
        )
    try:
        manifest = _read_manifest(files.content(NAME, _MANIFEST))
        _hash(manifest.chain.first_prev_hash)
    except (ValueError, RecursionError) as fault:
        raise Unreadable(_NO_MANIFEST) from fault
    if not 1 <= manifest.chain.first_seq <= 2**53:
        raise Unreadable(_NO_MANIFEST)
    return manifest


def _hash(text: str) -> bytes:
    found = bytes.fromhex(text)
    if len(found) != digest.SIZE:
        raise ValueError("a hash has 32 bytes")
    return found


def _own_key(manifest: Manifest) -> bytes | None:
    try:
        key = signing.from_base64url(manifest.public_key or "")
    except ValueError:
        return None
    return key if len(key) == 32 else None


# -- files -----------------------------------------------------------------------------------------


def _check_files(files: Directory, manifest: Manifest, findings: Findings) -> None:
    names = Counter(file.name for file in manifest.files)
    for name in _expected(manifest):
        if names[name] != 1:
            findings.add("file_missing", None, f"the manifest does not list {name} once")
    for file in manifest.files:
        _check_file(files, file, findings)
    held = sum(file.records for file in manifest.files if _PART.fullmatch(file.name))
    if held != manifest.records:
        told = f"the manifest tells of {manifest.records} rows, and its parts of {held}"
        findings.add("row_missing", None, told)


def _expected(manifest: Manifest) -> Iterator[str]:
    parts = max(1, sum(_PART.fullmatch(file.name) is not None for file in manifest.files))
    for number in range(1, parts + 1):
        yield f"part-{number:05}.{manifest.format}"
    yield from _FIXED


def _check_file(files: Directory, file: ExportedFile, findings: Findings) -> None:
    if file.name not in _FIXED and _PART.fullmatch(file.name) is None:
        findings.add("file_modified", None, f"{file.name[:100]!r} is no file of an export")
        return
    try:
        found = files.digest(file.name)
    except Unreadable as fault:
        findings.add("file_missing", file.first_seq, str(fault))
        return
    if found != (file.size_bytes, file.sha256):
        findings.add(
            "file_modified", file.first_seq, f"{file.name} is not the file of the manifest"
        )


# -- chain -----------------------------------------------------------------------------------------


def _walk(files: Directory, manifest: Manifest, trace: Trace, key: bytes | None) -> None:
    records = _records(files, manifest, trace)
    points = _points(files)
    record, point = next(records, None), next(points, None)
    for seq, row_digest in _links(files):
        before = trace.hash
        trace.step(seq, row_digest)
        while record is not None and record.seq <= seq:
            _compare(record, seq, row_digest, before, trace)
            record = next(records, None)
        while point is not None and point.seq <= seq:
            trace.point(point, key)
            point = next(points, None)
    for left in itertools.chain([record] if record else [], records):
        trace.findings.add("sequence_error", left.seq, "the row is not in the chain of the export")
    if point is not None:
        trace.findings.add("truncated", point.seq, "the chain ends before a checkpoint")
    if manifest.checkpoint != trace.last_signed():
        trace.findings.add(
            "checkpoint_mismatch", trace.last, "the manifest names another last checkpoint"
        )


def _compare(record: Line, seq: int, row_digest: bytes, before: bytes, trace: Trace) -> None:
    trace.records += 1
    if record.seq != seq or seq == trace.last_record:
        trace.findings.add("sequence_error", record.seq, "the row is not in its place")
    elif digest_of_line(record) != row_digest:
        trace.findings.add("row_modified", seq, "the row is not the one that was hashed")
    else:
        trace.check(record, before)
    trace.last_record = record.seq


def _links(files: Directory) -> Iterator[tuple[int, bytes]]:
    for raw in files.lines("chain.jsonl"):
        try:
            seq, text = _read_link(raw)
            yield seq, _hash(text)
        except (ValueError, RecursionError) as fault:
            raise Unreadable("chain.jsonl has a line that is no row's digest") from fault


def _records(files: Directory, manifest: Manifest, trace: Trace) -> Iterator[Line]:
    """Of all parts; rows of csv cannot be told from changed ones."""
    for file in manifest.files:
        if _PART.fullmatch(file.name) is None or not file.name.endswith(".jsonl"):
            continue
        count = 0
        seqs: tuple[int | None, int | None] = (None, None)
        for raw in files.lines(file.name):
            count += 1
            try:
                record = read_line(raw)
            except (ValueError, RecursionError) as fault:
                raise Unreadable(f"{file.name} has a line that is no row") from fault
            if not exact(record, raw):
                trace.findings.add("row_modified", record.seq, "the row is not in canonical form")
            seqs = (record.seq if seqs[0] is None else seqs[0], record.seq)
            yield record
        if seqs != (file.first_seq, file.last_seq):
            trace.findings.add(
                "sequence_error", file.first_seq, f"{file.name} holds other rows than it should"
            )
        if count != file.records:
            trace.findings.add(
                "row_missing", file.last_seq, f"{file.name} has {count} rows, not {file.records}"
            )


def _points(files: Directory) -> Iterator[Point]:
    for raw in files.lines("checkpoints.jsonl"):
        try:
            yield _read_point(raw)
        except (ValueError, RecursionError) as fault:
            raise Unreadable("checkpoints.jsonl has a line that is none") from fault


def _check_end(manifest: Manifest, trace: Trace) -> None:
    chain = manifest.chain
    if trace.last != chain.last_seq:
        trace.findings.add(
            "truncated", trace.last, f"the chain ends here and not at row {chain.last_seq}"
        )
    elif trace.hash.hex() != chain.last_hash:
        trace.findings.add("link_broken", trace.last, "the last hash is not that of the manifest")
    if manifest.format == "jsonl" and trace.records != manifest.records:
        trace.findings.add(
            "row_missing", None, f"there are {trace.records} rows, not {manifest.records}"
        )
