"""``operator doctor``: everything that can be known without a key, before it hurts.

Each check is one line: what is so, and the remedy. Nothing is changed, except modes on request.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scaivault.clock import DAY, SECOND, parse_instant
from scaivault.config.settings import Settings
from scaivault.storage.folder import Folder, StartRefused, refuse_open_to_others
from scaivault.system import doctor_folder, doctor_host
from scaivault.system.finding import Finding

__all__ = ["Finding", "Subject", "examine", "report"]

Slot = Mapping[str, Any]

_VERIFIED_WITHIN: Final = 90 * DAY
_RENEW_WITHIN: Final = 14 * DAY
# A missed run is bad luck; a week of missed runs is a vault without backups.
_BACKUP_LOST: Final = 7


@dataclass(frozen=True, kw_only=True)
class Subject:
    """What is examined. ``slots``: the server's list with its dates, ``None`` when it could not
    be asked; ``unknown`` then says why. ``config_error``: why the configuration was refused
    (``settings`` then hold defaults). ``now``: an instant."""

    settings: Settings
    now: int
    slots: Sequence[Slot] | None = None
    unknown: str = "the server was not asked"
    config_error: str | None = None
    fix_modes: bool = False


def examine(subject: Subject) -> list[Finding]:
    """All checks, in the order in which one would mend things."""
    settings = subject.settings
    folder = Folder(settings.data_dir)
    with doctor_folder.as_owner(folder.path):
        findings = [configuration(subject), *_directory(subject, folder)]
        findings += [
            _safely("swap", lambda: doctor_host.swap(_text("/proc/swaps"))),
            doctor_host.memory_lock(folder, wanted=settings.server.lock_memory),
            _safely("clock", lambda: _clock(subject.now, folder)),
            portable_slot(subject.slots, subject.now, subject.unknown),
            _safely("backup", lambda: _backup(subject)),
            _safely("certificate", lambda: _certificate(subject)),
        ]
    return findings


def report(findings: Sequence[Finding]) -> dict[str, Any]:
    """``{"ok", "checks": [{"check", "status", "detail"}]}``; not ``ok`` with any ``FAIL``."""
    return {
        "ok": not any(finding.level == "FAIL" for finding in findings),
        "checks": [
            {"check": finding.check, "status": finding.level, "detail": finding.detail}
            for finding in findings
        ],
    }


def configuration(subject: Subject) -> Finding:
    """It can be read, and nothing in it is doubtful."""
    if subject.config_error is not None:
        return Finding("configuration", "FAIL", subject.config_error)
    if subject.settings.warnings:
        return Finding("configuration", "WARN", "; ".join(subject.settings.warnings))
    return Finding("configuration", "OK", "valid")


def portable_slot(slots: Sequence[Slot] | None, now: int, unknown: str) -> Finding:
    """Some slot that works on another machine has opened the vault within 90 days: unsealed
    it, or was verified."""
    check = "portable slot"
    if slots is None:
        return Finding(check, "WARN", f"not known: {unknown}")
    portable = [slot for slot in slots if slot.get("portable")]
    if not portable:
        return Finding(
            check, "FAIL", "none: the vault dies with this machine; scaivault operator slots add"
        )
    proven = max(_proven(slot) for slot in portable)
    if proven < now - _VERIFIED_WITHIN:
        age = "never" if proven < 0 else f"{(now - proven) // DAY} days ago"
        return Finding(
            check, "WARN", f"last proven {age}: scaivault operator slots verify {portable[0]['id']}"
        )
    return Finding(check, "OK", f"proven {(now - proven) // DAY} days ago")


def backup_age(newest: int | None, every: int, now: int) -> Finding:
    """``newest``: when the last backup file was written; ``every``: the interval asked for.
    All in microseconds."""
    if newest is None:
        return Finding(
            "backup", "WARN", "there is none yet: stop the server and copy the data directory"
        )
    age = now - newest
    text = f"the newest is {age // DAY} days old"
    if age > _BACKUP_LOST * max(every, DAY):
        return Finding("backup", "FAIL", f"{text}: make a newer one")
    if age > 2 * every:
        return Finding("backup", "WARN", f"{text}, asked for every {every // SECOND} s")
    return Finding("backup", "OK", text)


def certificate_age(not_after: int, now: int) -> Finding:
    """``not_after``: the instant the first certificate of the chain ends."""
    days = (not_after - now) // DAY
    if not_after <= now:
        return Finding(
            "certificate", "FAIL", f"ended {-days} days ago: replace server.tls.cert_file"
        )
    if not_after - now < _RENEW_WITHIN:
        return Finding("certificate", "WARN", f"ends in {days} days: renew it")
    return Finding("certificate", "OK", f"ends in {days} days")


def _directory(subject: Subject, folder: Folder) -> list[Finding]:
    if not folder.path.is_dir():
        return [
            Finding("owner", "FAIL", f"{folder.path} is not there: set data_dir, or serve once")
        ]
    storage = subject.settings.storage
    allow = storage.allow_network_fs
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ("owner", lambda: doctor_folder.owner(folder)),
        ("modes", lambda: doctor_folder.modes(folder, _key_files(subject), fix=subject.fix_modes)),
        ("file system", lambda: doctor_folder.medium(folder, allow_network_fs=allow)),
        ("disk", lambda: doctor_folder.space(folder, min_free=storage.min_free)),
    ]
    return [_safely(name, check) for name, check in checks]


def _safely(name: str, check: Callable[[], Finding]) -> Finding:
    """What cannot be looked at is a finding too, and does not hide the other checks."""
    try:
        return check()
    except StartRefused as refused:
        return Finding(name, "FAIL", refused.message)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds something else"
        where = f"{error.filename}: " if isinstance(error, OSError) and error.filename else ""
        return Finding(name, "FAIL", f"{where}cannot be examined: {reason}")


def _key_files(subject: Subject) -> list[Path]:
    """Key files of slots on this host, where the server told of them."""
    params = [slot.get("params") or {} for slot in subject.slots or []]
    return [Path(each["path"]) for each in params if isinstance(each.get("path"), str)]


def _clock(now: int, folder: Folder) -> Finding:
    times = doctor_host.written(folder) if folder.path.is_dir() else []
    return doctor_host.clock(now, times, doctor_host.is_synchronised())


def _backup(subject: Subject) -> Finding:
    settings = subject.settings
    directory = settings.backup.directory
    if directory == Path():
        directory = settings.data_dir / "backups"
    files = directory.glob("*.svb") if directory.is_dir() else ()
    newest = max((file.stat().st_mtime_ns // 1000 for file in files), default=None)
    return backup_age(newest, settings.backup.every.microseconds, subject.now)


def _certificate(subject: Subject) -> Finding:
    tls = subject.settings.server.tls
    if tls.cert_file is None or tls.mode == "off":
        return Finding("certificate", "OK", "none here: TLS ends elsewhere, or is off")
    if tls.key_file is not None:
        refuse_open_to_others(tls.key_file)
    from cryptography.x509 import load_pem_x509_certificates

    chain = load_pem_x509_certificates(tls.cert_file.read_bytes())
    ends = min(int(each.not_valid_after_utc.timestamp()) * SECOND for each in chain)
    return certificate_age(ends, subject.now)


def _proven(slot: Slot) -> int:
    """When a slot last opened the vault; -1 = never."""
    dates = [slot.get("last_verified_at"), slot.get("last_used_at")]
    return max((parse_instant(date) for date in dates if isinstance(date, str)), default=-1)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="ascii")
