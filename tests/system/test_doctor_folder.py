"""What ``doctor`` sees in a data directory, and what it mends."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from scaivault.storage.folder import Folder
from scaivault.system.doctor_folder import as_owner, medium, modes, owner, space

root = pytest.mark.skipif(os.geteuid() != 0, reason="changes owners")
SOMEBODY = 12345


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    path = tmp_path / "data"
    (path / "backups").mkdir(0o700, parents=True)
    path.chmod(0o700)
    for name in ("vault.db", "vault.seal", "LOCK", "backups/a.svb"):
        (path / name).write_text("x")
        (path / name).chmod(0o600)
    return Folder(path)


def test_closed_to_others(folder: Folder) -> None:
    assert modes(folder, [], fix=False).level == "OK"


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("", 0o750),
        ("vault.db", 0o640),
        ("vault.seal", 0o604),
        ("backups", 0o755),
        ("backups/a.svb", 0o644),
    ],
)
def test_what_is_open_is_found_and_closed(folder: Folder, name: str, mode: int) -> None:
    path = folder.path / name
    path.chmod(mode)
    found = modes(folder, [], fix=False)
    assert (found.level, str(path) in found.detail) == ("FAIL", True)
    assert stat.S_IMODE(path.stat().st_mode) == mode
    mended = modes(folder, [], fix=True)
    assert (mended.level, str(path) in mended.detail) == ("OK", True)
    assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_links_are_found_and_left_alone(folder: Folder, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("x")
    target.chmod(0o644)
    folder.hold.symlink_to(target)
    assert modes(folder, [], fix=True).level == "FAIL"
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_a_directory_of_something_else_is_neither_listed_nor_changed(tmp_path: Path) -> None:
    other = tmp_path / "home"
    other.mkdir(0o755)
    (other / "page.html").write_text("x")
    (other / "page.html").chmod(0o644)
    finding = modes(Folder(other), [], fix=True)
    assert finding.level == "FAIL"
    assert "page.html" not in finding.detail
    assert stat.S_IMODE((other / "page.html").stat().st_mode) == 0o644
    assert stat.S_IMODE(other.stat().st_mode) == 0o755


def test_many_findings_are_counted(folder: Folder) -> None:
    for number in range(20):
        (folder.backups / f"b{number}.svb").write_text("x")
        (folder.backups / f"b{number}.svb").chmod(0o644)
    assert "and 15 more" in modes(folder, [], fix=False).detail


@root
def test_a_file_of_somebody_else(folder: Folder) -> None:
    assert owner(folder).level == "WARN"  # all of root
    os.chown(folder.backups / "a.svb", SOMEBODY, SOMEBODY)
    finding = owner(folder)
    assert (finding.level, "a.svb" in finding.detail) == ("FAIL", True)


@root
def test_the_directory_of_somebody_else(folder: Folder) -> None:
    os.chown(folder.path, SOMEBODY, SOMEBODY)
    finding = owner(folder)
    assert (finding.level, f"user {SOMEBODY}" in finding.detail) == ("FAIL", True)


@root
def test_root_acts_with_the_owners_rights(folder: Folder, tmp_path: Path) -> None:
    for path in (tmp_path, *tmp_path.parents):
        if path.owner() == "root" and not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(0o755)
    for path in (folder.path, *folder.path.rglob("*")):
        os.chown(path, SOMEBODY, SOMEBODY)
    folder.database.chmod(0o644)
    with as_owner(folder.path):
        assert (os.geteuid(), os.getegid()) == (SOMEBODY, SOMEBODY)
        assert owner(folder).level == "OK"
        assert modes(folder, [], fix=True).level == "OK"
    assert (os.geteuid(), os.getegid()) == (0, 0)
    assert stat.S_IMODE(folder.database.stat().st_mode) == 0o600


def test_as_owner_of_nothing(tmp_path: Path) -> None:
    with as_owner(tmp_path / "none"):
        pass


def test_space_by_bytes(folder: Folder) -> None:
    usage = os.statvfs(folder.path)
    free = usage.f_bavail * usage.f_frsize
    assert space(folder, min_free=1).level == "OK"
    assert space(folder, min_free=free * 3 // 4).level == "WARN"
    assert space(folder, min_free=free * 2).level == "FAIL"


def test_medium(folder: Folder) -> None:
    assert medium(folder, allow_network_fs=False).level in ("OK", "WARN")


def test_a_directory_in_memory(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("no RAM disk here")
    assert medium(Folder(memory), allow_network_fs=False).level == "WARN"
