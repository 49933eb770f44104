"""What ``doctor`` makes of the host."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest

from scaivault.clock import MINUTE, parse_instant
from scaivault.storage.folder import Folder
from scaivault.system.doctor_host import (
    clock,
    is_synchronised,
    locked_memory,
    memory_lock,
    swap,
    written,
)

NOW = parse_instant("2031-05-09T06:30:00Z")
HEAD = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


@pytest.mark.parametrize(
    ("table", "level"),
    [
        (HEAD, "OK"),
        ("", "OK"),
        (HEAD + "/dev/zram0  partition 1 0 100\n", "OK"),
        (HEAD + "/swapfile  file 1 0 -2\n", "WARN"),
        (HEAD + "/dev/zram0  partition 1 0 100\n/dev/dm-1  partition 1 0 -2\n", "WARN"),
    ],
)
def test_swap(table: str, level: str) -> None:
    assert swap(table).level == level


@pytest.mark.parametrize(
    ("limits", "size"),
    [
        ("Max locked memory         8388608              8388608              bytes", 8388608),
        ("Max locked memory         unlimited            unlimited            bytes", None),
        ("Limit  Soft\nMax locked memory 65536 65536 bytes\nMax x 1 1\n", 65536),
    ],
)
def test_locked_memory(limits: str, size: int | None) -> None:
    assert locked_memory(limits) == size


def test_locked_memory_is_what_the_kernel_tells_this_process() -> None:
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    text = Path("/proc/self/limits").read_text(encoding="ascii")
    assert locked_memory(text) == (None if limit == resource.RLIM_INFINITY else limit)


def test_memory_lock(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert memory_lock(folder, wanted=False).level == "WARN"
    assert "this shell" in memory_lock(folder, wanted=True).detail


def test_a_lock_file_of_another_program_says_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for content in ("1\n", "no number", "../../etc\n", "99999999\n"):
        folder.lock.write_text(content)
        assert "this shell" in memory_lock(folder, wanted=True).detail


@pytest.mark.parametrize(
    ("now", "times", "synchronised", "level"),
    [
        (NOW, [], None, "OK"),
        (NOW, [NOW - MINUTE], True, "OK"),
        (NOW, [NOW + 5 * MINUTE], True, "OK"),
        (NOW, [NOW - MINUTE, NOW + 5 * MINUTE + 1], True, "FAIL"),
        (NOW, [], False, "WARN"),
        (0, [], True, "FAIL"),
    ],
)
def test_clock(now: int, times: list[int], synchronised: bool | None, level: str) -> None:
    assert clock(now, times, synchronised).level == level


def test_the_kernel_is_asked_without_harm() -> None:
    assert is_synchronised() in (True, False, None)


def test_written(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    assert written(folder) == []
    folder.database.write_text("x")
    os.utime(folder.database, ns=(0, 1_700_000_000_123_456_789))
    assert written(folder) == [1_700_000_000_123_456]
