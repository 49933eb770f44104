"""The files of one export: parts, chain, checkpoints, and last the manifest.

Rows are read in pages by the readers, which make the lines too: the event loop only passes bytes
on, and memory holds a page and a piece whatever the size of the export.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any, Final, NamedTuple, Protocol, TypeVar

import msgspec

from scaivault.audit import ranges
from scaivault.audit.destinations.contract import Destination
from scaivault.audit.files import Growing, put_bytes
from scaivault.audit.filters import Filter, Sight
from scaivault.audit.lines import csv_header, csv_line, jsonl, line
from scaivault.audit.ranges import Stretch
from scaivault.audit.rows import entry_of
from scaivault.audit.tombstones import digest_of
from scaivault.storage.file import Connection
from scaivault.wire.audit_jobs import ExportedChain, ExportedFile

PART: Final = 100_000  # rows
_PAGE: Final = 1000  # rows read at a time: about 10 ms of the interpreter

T = TypeVar("T")


class Ask(Protocol):
    """The gate's ``ask``."""

    def __call__(self, question: Callable[[Connection], T]) -> Awaitable[T]: ...


_ROWS: Final = "SELECT seq, hash, record FROM ledger WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
_BODIES: Final = (
    "SELECT seq, CAST(record AS BLOB) FROM ledger WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
)
_POINTS: Final = (
    "SELECT seq, lower(hex(hash)), timestamp, prev_seq, key_id, signature FROM checkpoint"
    " WHERE seq BETWEEN ? AND ? ORDER BY seq LIMIT ?"
)


class Rows(NamedTuple):
    """Lines with their numbers, and the row behind which to go on; no row: the end."""

    lines: list[tuple[int, bytes]]
    behind: int | None
    hash: bytes


class Plan(NamedTuple):
    """What is written. ``records``: up to the head at the request; ``chain``: on to the
    checkpoint that signs it."""

    vault_id: str
    records: Stretch
    chain: Stretch
    filter: Filter
    sight: Sight
    csv: bool


class Written(NamedTuple):
    """What the manifest says of the files; ``checkpoint``: the last one in them, as JSON says."""

    files: list[ExportedFile]
    records: int
    chain: ExportedChain
    checkpoint: dict[str, Any] | None


async def write(plan: Plan, to: Destination, ask: Ask, go_on: Callable[[], None]) -> Written:
    """All files but the manifest. ``go_on`` raises when there is no time for more."""
    writing = _Writing(plan, to, ask, go_on)
    files = await writing.parts()
    files.append(await writing.chain())
    points, newest = await writing.checkpoints()
    span = plan.chain
    hashes = await ask(lambda db: _ends(db, plan))
    return Written(
        [*files, points],
        sum(file.records for file in files[:-1]),
        ExportedChain(span.first, span.last, *hashes),
        newest,
    )


async def write_manifest(to: Destination, manifest: msgspec.Struct) -> None:
    await put_bytes(to, "manifest.json", msgspec.json.encode(manifest, order="sorted") + b"\n")


class _Writing:
    def __init__(self, plan: Plan, to: Destination, ask: Ask, go_on: Callable[[], None]) -> None:
        self._plan: Final = plan
        self._to: Final = to
        self._ask: Final = ask
        self._go_on: Final = go_on
        self._left: list[tuple[int, bytes]] = []
        self._behind: int | None = plan.records.first - 1
        self._hash: bytes | None = None

    # -- records -------------------------------------------------------------------------------

    async def parts(self) -> list[ExportedFile]:
        """``part-00001`` and on, at least one."""
        files: list[ExportedFile] = []
        while not files or await self._more():
            ending = "csv" if self._plan.csv else "jsonl"
            file = Growing(f"part-{len(files) + 1:05}.{ending}")
            await self._to.put(file.name, file.pieces(self._part(file)))
            files.append(file.done())
        return files

    async def _part(self, file: Growing) -> AsyncIterator[bytes]:
        if self._plan.csv:
            yield csv_header()
        while file.records < PART and await self._more():
            taken = self._left[: PART - file.records]
            del self._left[: len(taken)]
            file.count(seq for seq, _ in taken)
            yield b"".join(text for _, text in taken)

    async def _more(self) -> bool:
        """Whether lines wait; reads on until some do or the stretch ends."""
        while not self._left and self._behind is not None:
            self._go_on()
            page = await self._ask(
                partial(_read, plan=self._plan, behind=self._behind, before=self._hash)
            )
            self._left, self._behind, self._hash = page.lines, page.behind, page.hash
        return bool(self._left)

    # -- what proves them ----------------------------------------------------------------------

    async def chain(self) -> ExportedFile:
        """Every row's digest, other tenants' too."""
        file = Growing("chain.jsonl")
        await self._to.put(file.name, file.pieces(self._digests(file)))
        return file.done()

    async def _digests(self, file: Growing) -> AsyncIterator[bytes]:
        first, last = self._plan.chain
        while first <= last:
            self._go_on()
            seqs, text = await self._ask(partial(_digests, first=first, last=last))
            if not seqs:
                return
            file.count(seqs)
            yield text
            first = seqs[-1] + 1

    async def checkpoints(self) -> tuple[ExportedFile, dict[str, Any] | None]:
        file = Growing("checkpoints.jsonl")
        newest: list[dict[str, Any]] = []
        await self._to.put(file.name, file.pieces(self._points(file, newest)))
        return file.done(), newest[0] if newest else None

    async def _points(self, file: Growing, newest: list[dict[str, Any]]) -> AsyncIterator[bytes]:
        first, last = self._plan.chain
        while first <= last:
            self._go_on()
            points = await self._ask(
                partial(_points, vault_id=self._plan.vault_id, first=first, last=last)
            )
            if not points:
                return
            seqs = [point["seq"] for point in points]
            file.count(seqs)
            newest[:] = points[-1:]
            encode = msgspec.json.Encoder(order="deterministic").encode
            yield b"".join(encode(point) + b"\n" for point in points)
            first = seqs[-1] + 1


# -- in a reader -----------------------------------------------------------------------------------


def _read(db: Connection, plan: Plan, behind: int, before: bytes | None) -> Rows:
    previous = ranges.hash_of(db, behind, plan.vault_id) if before is None else before
    made = csv_line if plan.csv else jsonl
    lines: list[tuple[int, bytes]] = []
    count = 0
    for seq, link, text in db.execute(_ROWS, (behind + 1, plan.records.last, _PAGE)):
        entry = entry_of(text)
        if entry is not None and plan.sight.sees(entry) and plan.filter.fits(entry):
            lines.append((seq, made(line(entry, previous, link))))
        previous, behind, count = link, seq, count + 1
    return Rows(lines, behind if count == _PAGE else None, previous)


def _digests(db: Connection, first: int, last: int) -> tuple[list[int], bytes]:
    seqs, lines = [], []
    for seq, body in db.execute(_BODIES, (first, last, _PAGE)):
        seqs.append(seq)
        lines.append(b'[%d,"%s"]\n' % (seq, digest_of(body).hex().encode()))
    return seqs, b"".join(lines)


def _points(db: Connection, vault_id: str, first: int, last: int) -> list[dict[str, Any]]:
    names = ("seq", "hash", "timestamp", "prev_seq", "key_id", "signature")
    return [
        {**dict(zip(names, row, strict=True)), "vault_id": vault_id}
        for row in db.execute(_POINTS, (first, last, _PAGE))
    ]


def _ends(db: Connection, plan: Plan) -> tuple[str, str]:
    first, last = plan.chain
    return (
        ranges.hash_of(db, first - 1, plan.vault_id).hex(),
        ranges.hash_of(db, last, plan.vault_id).hex(),
    )
