"""The machine and the modes under which figures were taken: without them figures say nothing."""

import importlib.metadata
import os
import platform
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import load, rival, vault
from bench.process import MissingProgramError
from bench.settings import Settings
from bench.target import value_bytes

SYNCS = 200
PACKAGES = ("uvicorn", "starlette", "httptools", "uvloop", "sqlcipher3", "msgspec")


def hardware(folder: Path | None) -> dict[str, object]:
    """Processor, cores used, memory, kernel, file system, and how long a synced write takes."""
    with tempfile.TemporaryDirectory(dir=folder, prefix="bench-sync-") as scratch:
        return {
            "processor": _line("/proc/cpuinfo", "model name"),
            "cores": len(os.sched_getaffinity(0)),
            "memory": _line("/proc/meminfo", "MemTotal"),
            "kernel": platform.release(),
            "file_system": _file_system(Path(scratch)),
            "synced_4k_write_us": round(_synced_write(Path(scratch) / "file") * 1e6),
            "load_average_before": round(os.getloadavg()[0], 2),
        }


def interpreter() -> dict[str, object]:
    """The Python that runs the servers, and how it was compiled as far as it knows: with profiles
    and link-time optimisation it is a fifth to a third faster.
    """
    options = str(sysconfig.get_config_var("CONFIG_ARGS") or "")
    return {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "compiler": platform.python_compiler(),
        "profile_guided": "--enable-optimizations" in options,
        "link_time": "--with-lto" in options,
        "flags": sysconfig.get_config_var("OPT"),
    }


@dataclass(frozen=True)
class Ticks:
    """Processor time of the whole machine since it started, in ticks."""

    idle: int
    stolen: int
    total: int

    def since(self, before: "Ticks") -> dict[str, float]:
        """Shares of what passed: idle, and stolen by the hypervisor for other guests."""
        passed = max(1, self.total - before.total)
        return {
            "idle": round((self.idle - before.idle) / passed, 4),
            "stolen": round((self.stolen - before.stolen) / passed, 4),
        }


def ticks() -> Ticks:
    """As the kernel counts them now (proc(5), /proc/stat)."""
    user, nice, system, idle, waiting, *interrupts, stolen = (
        int(each) for each in Path("/proc/stat").read_text().split(None, 9)[1:9]
    )
    total = user + nice + system + idle + waiting + sum(interrupts) + stolen
    return Ticks(idle + waiting, stolen, total)


def modes(settings: Settings) -> dict[str, object]:
    """What the servers were made to do; the same for every row."""
    return {
        "fsync": {
            "ScaiVault": "SQLite WAL, synchronous=FULL; one sync per group commit",
            "OpenBao": "raft log and state file on disk, synced before a write is answered",
        },
        "audit": {
            "ScaiVault": "row in the same commit, synced before the answer",
            "OpenBao": "file device, written before the answer, not synced",
        },
        "value_bytes": value_bytes(),
        "secrets": settings.paths,
        "many_secrets": settings.many,
        "audit_rows": settings.audit_rows,
        "versions_kept": 10,
        "token": {
            "ScaiVault": "of a service account under one policy, unless a row says otherwise",
            "OpenBao": "under one policy",
        },
        "connections": "kept open, one request at a time on each",
        "tls": "off",
        "turn_seconds": settings.seconds,
        "turns": settings.turns,
        "load_generator": load.name(),
    }


def versions() -> dict[str, str]:
    """Programs and the libraries that decide speed."""
    found = {"Python": platform.python_version()}
    for name in PACKAGES:
        found[name] = importlib.metadata.version(name)
    for name, ask in (("ScaiVault", vault.version), ("OpenBao", rival.version), ("wrk", _wrk)):
        found[name] = _asked(ask)
    return found


def _asked(ask: Callable[[], str]) -> str:
    try:
        return ask()
    except (MissingProgramError, FileNotFoundError):
        return "not installed"


def _wrk() -> str:
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False)
    return said.stdout.split(" [")[0]


def _line(file: str, name: str) -> str:
    for line in Path(file).read_text().splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return "unknown"


def _file_system(folder: Path) -> str:
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    above = [(len(at), kind) for _, at, kind, *_ in mounts if folder.resolve().is_relative_to(at)]
    return max(above)[1] if above else "unknown"


def _synced_write(file: Path) -> float:
    """Median seconds of appending one page and syncing it, as a lone commit does."""
    times = []
    with file.open("wb", buffering=0) as out:
        for _ in range(SYNCS):
            began = time.perf_counter()
            out.write(bytes(4096))
            os.fdatasync(out.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[SYNCS // 2]
