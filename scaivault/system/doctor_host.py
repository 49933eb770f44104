"""What ``doctor`` looks at on the host: swap, memory locking, clock."""

from __future__ import annotations

import ctypes
import re
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from scaivault.clock import MINUTE, instant, parse_instant
from scaivault.storage.folder import Folder
from scaivault.system.finding import Finding

# No vault is older than this program: before it, the host woke up without a clock.
_EARLIEST: Final = parse_instant("2025-01-01")
_TOLERANCE: Final = 5 * MINUTE
# adjtimex(2): the return value of a clock that nobody keeps in time.
_TIME_ERROR: Final = 5
# struct timex is 208 bytes on 64-bit Linux; the call fills it.
_TIMEX_BYTES: Final = 256


def swap(table: str) -> Finding:
    """``table``: /proc/swaps. Compressed memory (zram) never reaches a disk."""
    devices = [line.split()[0] for line in table.splitlines()[1:] if line.strip()]
    on_disk = [name for name in devices if "zram" not in name]
    if on_disk:
        return Finding(
            "swap",
            "WARN",
            f"{', '.join(on_disk)}: keys are locked in memory, values may be swapped out; encrypt "
            "it, switch it off, or run the service with MemorySwapMax=0",
        )
    return Finding("swap", "OK", "none on a disk")


def memory_lock(folder: Folder, *, wanted: bool) -> Finding:
    """Whether the server may lock its memory: the running one's limit, else this shell's."""
    running = _limits_of_server(folder)
    limit = locked_memory(running) if running else resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    whose = "the running server" if running else "this shell"
    if not wanted:
        return Finding("memory lock", "WARN", "switched off by server.lock_memory")
    if limit in (None, resource.RLIM_INFINITY):
        return Finding("memory lock", "OK", f"unlimited for {whose}")
    return Finding(
        "memory lock",
        "WARN",
        f"{limit >> 10} KiB for {whose}: set LimitMEMLOCK=infinity in the unit, or ulimit -l",
    )


def locked_memory(limits: str) -> int | None:
    """Bytes from the text of /proc/<pid>/limits; ``None`` = unlimited."""
    found = re.search(r"^Max locked memory\s+(\d+|unlimited)", limits, re.MULTILINE)
    return int(found[1]) if found and found[1] != "unlimited" else None


def _limits_of_server(folder: Folder) -> str | None:
    """Limits of the process that ``LOCK`` names, if it is one of ours and still there."""
    try:
        process = Path("/proc") / str(int(folder.lock.read_text(encoding="ascii")))
        if b"scaivault" not in (process / "cmdline").read_bytes():
            return None
        return (process / "limits").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None


def clock(now: int, written: Iterable[int], synchronised: bool | None) -> Finding:
    """``now`` and the instants at which files of the vault were ``written``: a clock behind
    them keeps the vault sealed. ``synchronised``: as the kernel says, if it does."""
    newest = max(written, default=now)
    if now < _EARLIEST:
        return Finding("clock", "FAIL", f"{instant(now)} cannot be right: set the clock")
    if newest > now + _TOLERANCE:
        return Finding(
            "clock", "FAIL", f"{instant(now)} is before files of {instant(newest)}: set the clock"
        )
    if synchronised is False:
        return Finding(
            "clock", "WARN", f"{instant(now)}, kept in time by nobody: run an NTP client"
        )
    return Finding("clock", "OK", instant(now))


def is_synchronised() -> bool | None:
    """Whether something keeps the kernel's clock in time; ``None`` where it cannot be asked."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR


def written(folder: Folder) -> list[int]:
    """When the files of the vault were last written, as instants."""
    return [path.lstat().st_mtime_ns // 1000 for path in folder.files if path.exists()]
