"""Rows on their way out of the vault: after each checkpoint those since the one before, as one
file, with the checkpoint. Nothing waits for it, and no row is pruned before it was shipped."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec

from scaivault.audit import ranges
from scaivault.audit.destinations import Destination, DestinationFailed, Place, open_place
from scaivault.audit.files import Growing
from scaivault.audit.lending import Lend, credentials
from scaivault.audit.lines import stored_line
from scaivault.audit.tombstones import START
from scaivault.clock import HOUR, MINUTE
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.gate import Gate
from scaivault.gate.ledger import read_record
from scaivault.outbound import Guard
from scaivault.storage.file import Connection

NAME: Final = "audit_archive"
PURPOSE: Final = "audit_archive"
_PAGE: Final = 1000

_NEXT: Final = (
    "SELECT seq, lower(hex(hash)), timestamp, prev_seq, key_id, signature FROM checkpoint"
    " WHERE seq > :behind ORDER BY seq LIMIT 1"
)
_ROWS: Final = (
    "SELECT seq, hash, CAST(record AS BLOB) FROM ledger"
    " WHERE seq BETWEEN :first AND :last ORDER BY seq LIMIT :limit"
)

log = logging.getLogger("scaivault.audit")

# Runs a function alone in the writer.
Alone = Callable[[Callable[[Connection], None]], Awaitable[None]]


class Settings(NamedTuple):
    """``audit.archive``, and where its files go when the type is ``file``; ``leave``: bytes of
    that disk that stay free."""

    kind: str
    bucket: str
    prefix: str
    credentials_path: str | None
    folder: Path
    leave: int


class Archive:
    """One per open vault. ``settings``: None for none; ``home``: the tenant whose secret holds
    the credentials."""

    def __init__(
        self,
        gate: Gate,
        vault_id: str,
        settings: Settings | None,
        guard: Guard,
        *,
        lend: Lend,
        home: Callable[[Connection], tuple[str, str] | None],
        alone: Alone,
        closing: Callable[[], bool],
    ) -> None:
        self._gate: Final = gate
        self._vault_id: Final = vault_id
        self._settings: Final = settings
        self._guard: Final = guard
        self._lend: Final = lend
        self._home: Final = home
        self._alone: Final = alone
        self._closing: Final = closing
        self._pause = 0
        self._next_at = 0

    def shipped(self, db: Connection) -> int | None:
        """The last row in the archive; None where there is none."""
        return None if self._settings is None else _position(db)

    async def run(self, caller: Caller) -> int:
        """Everything that was signed since; how many files. A failing store is left alone for a
        minute, then twice as long each time, up to an hour."""
        settings, now = self._settings, self._gate.clock.now()
        if settings is None or now < self._next_at:
            return 0
        try:
            done = await self._ship(caller, settings)
        except (DestinationFailed, Refusal) as failed:
            self._pause = min(HOUR, max(MINUTE, 2 * self._pause))
            self._next_at = now + self._pause
            reason = failed.reason if isinstance(failed, DestinationFailed) else failed.code
            log.warning("the audit archive was not reached: %s: %s", reason, failed)
            return 0
        self._pause = 0
        return done

    async def _ship(self, caller: Caller, settings: Settings) -> int:
        point = await self._gate.ask(lambda db: _waiting(db, self._vault_id))
        if point is None:
            return 0
        done = 0
        async with open_place(await self._place(caller, settings)) as to:
            while point is not None and not self._closing():
                await self._file(to, point)
                await self._alone(partial(_keep, seq=point["seq"]))
                done += 1
                point = await self._gate.ask(lambda db: _waiting(db, self._vault_id))
            await to.finish()
        return done

    async def _place(self, caller: Caller, settings: Settings) -> Place:
        if settings.kind == "file":
            return Place("file", settings.prefix, root=settings.folder, leave=settings.leave)
        home = await self._gate.ask(self._home)
        if home is None or settings.credentials_path is None:
            raise DestinationFailed("credentials", "audit.archive names no credentials")
        caller.tenant_id, caller.partner_id = home
        return Place(
            settings.kind,
            settings.prefix,
            bucket=settings.bucket,
            credentials=await credentials(self._lend, caller, settings.credentials_path, PURPOSE),
            guard=self._guard,
        )

    async def _file(self, to: Destination, point: dict[str, Any]) -> None:
        behind = await self._gate.ask(_position)
        name = f"audit-{behind + 1}-{point['seq']}.jsonl"
        await to.put(name, Growing(name).pieces(self._lines(behind, point)))

    async def _lines(self, behind: int, point: dict[str, Any]) -> AsyncIterator[bytes]:
        before = await self._gate.ask(lambda db: ranges.hash_of(db, behind, self._vault_id))
        while behind < point["seq"]:
            lines, behind, before = await self._gate.ask(
                partial(_lines, behind=behind, last=point["seq"], before=before)
            )
            yield lines
        key = await self._gate.ask(lambda db: _public_key(db, point["key_id"]))
        closing = {"checkpoint": point, "public_key": key}
        yield msgspec.json.encode(closing, order="deterministic") + b"\n"


# -- in a reader, or in the writer -----------------------------------------------------------------


def _position(db: Connection) -> int:
    row = db.execute("SELECT seq FROM projection WHERE name = ?", (NAME,)).fetchone()
    return 0 if row is None else int(row[0])


def _keep(db: Connection, seq: int) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute(
        "INSERT INTO projection (name, seq) VALUES (?, ?)"
        " ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
        (NAME, seq),
    )
    db.execute("COMMIT")


def _waiting(db: Connection, vault_id: str) -> dict[str, Any] | None:
    """The next checkpoint to ship up to. What only tells of shipping waits for other rows: else
    each file would be the reason for the next."""
    behind = _position(db)
    row = db.execute(_NEXT, {"behind": behind}).fetchone()
    newest = db.execute("SELECT max(seq) FROM checkpoint").fetchone()[0]
    if row is None or _only_own(db, behind, newest):
        return None
    names = ("seq", "hash", "timestamp", "prev_seq", "key_id", "signature")
    return {**dict(zip(names, row, strict=True)), "vault_id": vault_id}


def _only_own(db: Connection, behind: int, last: int) -> bool:
    if last - behind > 8:
        return False
    rows = db.execute(
        "SELECT record FROM ledger WHERE seq BETWEEN ? AND ?", (behind + 1, last)
    ).fetchall()
    return all(
        not text.startswith(START) and read_record(text).extra_data.get("purpose") == PURPOSE
        for (text,) in rows
    )


def _lines(db: Connection, behind: int, last: int, before: bytes) -> tuple[bytes, int, bytes]:
    lines = []
    for seq, link, body in db.execute(_ROWS, {"first": behind + 1, "last": last, "limit": _PAGE}):
        lines.append(stored_line(body, before, link))
        before, behind = link, seq
    if not lines:
        raise DestinationFailed("damaged", f"row {behind + 1} is not there: verify the chain")
    return b"".join(lines), behind, before


def _public_key(db: Connection, key_id: str) -> str | None:
    row = db.execute(
        "SELECT public_key FROM signing_key WHERE purpose = 'checkpoint' AND id = ?", (key_id,)
    ).fetchone()
    return None if row is None else str(row[0])
