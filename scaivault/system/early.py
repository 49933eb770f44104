"""Audit rows of calls on a sealed vault, kept until there is a ledger to chain them into.

``sealed.audit``: one JSON object per line, synced before the call is answered. Beyond 1 MiB
refusals are only counted in a last line, so that nobody keeps a vault shut by filling the disk.
"""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path
from typing import Final

import msgspec

from scaivault.gate.caller import Caller
from scaivault.gate.gate import Act
from scaivault.gate.ledger import Record, canonical, read_record, record
from scaivault.storage.private import sync_directory

LARGEST: Final = 1024 * 1024
_READ_LARGEST: Final = 4 * LARGEST  # refusals end at the limit, the few successes do not
log = logging.getLogger("scaivault.system")

_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class EarlyLedger:
    """The file beside the vault."""

    def __init__(self, path: Path) -> None:
        self._path: Final = path
        self._suppressed = 0

    def append(self, caller: Caller, act: Act, error_code: str | None, now: int) -> None:
        """One row, on disk when this returns. ``OSError`` when it cannot be."""
        entry = record(caller, act.action, None, now)
        entry.extra_data.update(act.extra)
        if error_code is not None:
            entry.success = False
            entry.extra_data["error_code"] = error_code
        line = canonical(entry) + b"\n"
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            if error_code is not None and size + len(line) > LARGEST:
                self._suppressed += 1
                return
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # a stop cut the last row short; it must not spoil this one
            if os.write(descriptor, line) != len(line):
                os.ftruncate(descriptor, size)
                raise OSError(errno.ENOSPC, "the row was cut short")
            os.fsync(descriptor)
            if not size:
                sync_directory(self._path.parent)
        finally:
            os.close(descriptor)

    def take(self, known: str | None) -> list[Record]:
        """The rows behind the one called ``known`` (chained already before a crash)."""
        lines = _lines(self._path)
        rows = [row for line in lines if (row := _row(line)) is not None]
        if len(rows) < len(lines):
            log.warning("sealed.audit: %d lines are not ours", len(lines) - len(rows))
        ids = [row.id for row in rows]
        if known in ids:
            rows = rows[ids.index(known) + 1 :]
        if rows and self._suppressed:
            rows[-1].extra_data["suppressed"] = self._suppressed
        return rows

    def clear(self) -> None:
        """They are in the ledger."""
        self._path.unlink(missing_ok=True)
        self._suppressed = 0


def _lines(path: Path) -> list[bytes]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return []
    except OSError as error:
        log.error("sealed.audit cannot be read: %s", error.strerror)
        return []
    with open(descriptor, "rb") as file:
        return file.read(_READ_LARGEST).splitlines()


def _row(line: bytes) -> Record | None:
    """A row that ``append`` can have written; None for a line that a crash cut short, and for
    what somebody with access to the folder, but without a key, would like to see in the ledger."""
    try:
        row = read_record(line)
    except msgspec.DecodeError:
        return None
    places = (row.tenant_id, row.partner_id, row.actor_tenant_id, row.secret_path)
    nobody = row.identity_id is None or row.identity_id.startswith("system:")
    if row.action not in ("init", "unseal") or any(places) or not nobody:
        return None
    return row
