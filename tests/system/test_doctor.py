"""``doctor``: the judgements by date, and the whole examination on a real directory."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from msgspec.structs import replace

from scaivault.clock import DAY, HOUR, SECOND, SystemClock, instant, parse_instant
from scaivault.config import Settings
from scaivault.system.doctor import (
    Subject,
    backup_age,
    certificate_age,
    examine,
    portable_slot,
    report,
)
from scaivault.system.finding import Finding, worst

NOW = parse_instant("2031-05-09T06:30:00Z")


def slot(verified: int | None = None, used: int | None = None, portable: bool = True) -> Any:
    return {
        "id": "slot_1",
        "portable": portable,
        "last_verified_at": None if verified is None else instant(verified),
        "last_used_at": None if used is None else instant(used),
    }


@pytest.mark.parametrize(
    ("slots", "level"),
    [
        (None, "WARN"),
        ([], "FAIL"),
        ([slot(NOW, portable=False)], "FAIL"),
        ([slot()], "WARN"),
        ([slot(NOW - 90 * DAY - 1)], "WARN"),
        ([slot(NOW - 90 * DAY)], "OK"),
        ([slot(used=NOW - 90 * DAY)], "OK"),
        ([slot(NOW - 200 * DAY), slot(NOW - DAY)], "OK"),
        ([slot(NOW, portable=False), slot(NOW - 91 * DAY)], "WARN"),
    ],
)
def test_portable_slot(slots: Any, level: str) -> None:
    finding = portable_slot(slots, NOW, "why")
    assert finding.level == level
    assert slots is not None or "why" in finding.detail


@pytest.mark.parametrize(
    ("age", "every", "level"),
    [
        (None, DAY, "WARN"),
        (0, DAY, "OK"),
        (2 * DAY, DAY, "OK"),
        (2 * DAY + 1, DAY, "WARN"),
        (7 * DAY, DAY, "WARN"),
        (7 * DAY + 1, DAY, "FAIL"),
        (3 * HOUR, HOUR, "WARN"),
        (7 * DAY, HOUR, "WARN"),
        (-DAY, DAY, "OK"),
    ],
)
def test_backup_age(age: int | None, every: int, level: str) -> None:
    newest = None if age is None else NOW - age
    assert backup_age(newest, every, NOW).level == level


@pytest.mark.parametrize(
    ("left", "level"),
    [(-DAY, "FAIL"), (0, "FAIL"), (1, "WARN"), (14 * DAY - 1, "WARN"), (14 * DAY, "OK")],
)
def test_certificate_age(left: int, level: str) -> None:
    assert certificate_age(NOW + left, NOW).level == level


def test_worst_joins_faults() -> None:
    assert worst("a", ["x", "y"], "fine", "WARN") == Finding("a", "WARN", "x; y")
    assert worst("a", [], "fine") == Finding("a", "OK", "fine")


def test_the_report_is_not_ok_with_one_failure() -> None:
    assert report([Finding("a", "OK", "x"), Finding("b", "WARN", "y")])["ok"]
    assert report([Finding("a", "FAIL", "x")]) == {
        "ok": False,
        "checks": [{"check": "a", "status": "FAIL", "detail": "x"}],
    }


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    data.mkdir(0o700)
    for name in ("vault.db", "vault.seal"):
        (data / name).write_text("x")
        (data / name).chmod(0o600)
    return Settings(data_dir=data)


def found(settings: Settings, **others: Any) -> dict[str, Finding]:
    subject = Subject(settings=settings, now=SystemClock().now(), **others)
    return {finding.check: finding for finding in examine(subject)}


def test_a_sound_directory(settings: Settings) -> None:
    findings = found(settings)
    levels = {finding.level for finding in findings.values()}
    assert "FAIL" not in levels
    assert findings["modes"].level == "OK"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    findings = found(Settings(data_dir=tmp_path / "none"))
    assert findings["owner"].level == "FAIL"
    assert "modes" not in findings
    assert findings["clock"].level != "FAIL"


def test_what_cannot_be_examined_is_a_finding(settings: Settings) -> None:
    tls = replace(
        settings.server.tls,
        mode="files",
        cert_file=Path("/proc/none/cert.pem"),
        key_file=Path("/proc/none/key.pem"),
    )
    settings = replace(settings, server=replace(settings.server, tls=tls))
    finding = found(settings)["certificate"]
    assert finding.level == "FAIL"
    assert "/proc/none" in finding.detail


def test_a_certificate_of_this_server(settings: Settings, tmp_path: Path) -> None:
    settings = with_certificate(settings, tmp_path, days=10)
    assert found(settings)["certificate"].level == "WARN"
    assert found(with_certificate(settings, tmp_path, days=60))["certificate"].level == "OK"
    assert found(with_certificate(settings, tmp_path, days=-1))["certificate"].level == "FAIL"


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_certificate_file_that_is_none(
    settings: Settings, tmp_path: Path, content: bytes
) -> None:
    settings = with_certificate(settings, tmp_path, days=10)
    (tmp_path / "cert.pem").write_bytes(content)
    assert found(settings)["certificate"].level == "FAIL"


def test_a_tls_key_open_to_others(settings: Settings, tmp_path: Path) -> None:
    settings = with_certificate(settings, tmp_path, days=60)
    (tmp_path / "key.pem").chmod(0o644)
    finding = found(settings)["certificate"]
    assert (finding.level, "chmod o=" in finding.detail) == ("FAIL", True)


def test_the_newest_backup_counts(settings: Settings) -> None:
    backups = settings.data_dir / "backups"
    backups.mkdir(0o700)
    assert found(settings)["backup"].level == "WARN"
    for name, days in (("old", 30), ("new", 1)):
        file = backups / f"scaivault-vlt_1-{name}.svb"
        file.write_text("x")
        file.chmod(0o600)
        written = SystemClock().now() // SECOND - days * 86400
        os.utime(file, (written, written))
    assert found(settings)["backup"].level == "OK"
    (backups / "scaivault-vlt_1-new.svb").rename(backups / "unfinished.tmp")
    assert found(settings)["backup"].level == "FAIL"


def test_key_files_of_slots_are_examined_too(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("x")
    (tmp_path / "key").chmod(0o644)
    slots = [{**slot(NOW), "params": {"path": str(tmp_path / "key")}}]
    finding = found(settings, slots=slots)["modes"]
    assert finding.level == "FAIL"
    assert str(tmp_path / "key") in finding.detail


def test_configuration(settings: Settings) -> None:
    assert found(settings)["configuration"].level == "OK"
    assert found(settings, config_error="no")["configuration"] == Finding(
        "configuration", "FAIL", "no"
    )
    doubtful = replace(settings, warnings=("REDIS_URL is ignored",))
    assert found(doubtful)["configuration"].level == "WARN"


def with_certificate(settings: Settings, folder: Path, days: int) -> Settings:
    """Settings that name a new certificate which ends in ``days``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([])
    today = datetime.datetime.fromtimestamp(SystemClock().now() / SECOND, datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=90))
        .not_valid_after(today + datetime.timedelta(days=days, hours=1))
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_text("not read")
    key_file.chmod(0o600)
    tls = replace(settings.server.tls, mode="files", cert_file=cert_file, key_file=key_file)
    return replace(settings, server=replace(settings.server, tls=tls))
