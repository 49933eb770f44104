import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from scaivault.storage import folder as folder_module
from scaivault.storage import private
from scaivault.storage.folder import Folder, StartRefused, refuse_open_to_others
from scaivault.storage.mounts import file_system, find, is_network
from scaivault.storage.private import write_atomically

NAMES = ["vault.db", "vault.db-wal", "vault.db-shm", "vault.seal", "seal.hold", "sealed.audit"]


def put(path: Path, content: bytes = b"x", mode: int = 0o600) -> Path:
    os.close(private.create(path, mode))
    path.chmod(0o600)
    path.write_bytes(content)
    path.chmod(mode)
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """An initialised directory that nobody has taken."""
    path = private.make_directory(tmp_path / "data")
    put(path / "vault.db")
    put(path / "vault.seal")
    folder = Folder(path)
    yield folder
    folder.release()


def refusal(folder: Folder, *key_files: Path) -> str:
    with pytest.raises(StartRefused) as caught:
        folder.check(key_files)
    assert caught.value.exit_code == 6
    return caught.value.message


# -- the directory ----------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o277])
def test_missing_directory_is_made_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    (tmp_path / "deep").mkdir()
    folder = Folder(tmp_path / "deep" / "data")
    before = os.umask(umask)
    try:
        folder.acquire()
    finally:
        os.umask(before)
        folder.release()
    assert (mode(folder.path), mode(folder.tmp)) == (0o700, 0o700)
    assert mode(folder.lock) == 0o600
    assert not folder.initialized


def test_missing_directory_is_a_fault_for_those_who_only_look(tmp_path: Path) -> None:
    assert "mkdir -m 700" in refusal(Folder(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_directory_that_cannot_be_made(tmp_path: Path) -> None:
    put(tmp_path / "file")
    with pytest.raises(StartRefused, match="cannot be made"):
        Folder(tmp_path / "file" / "data").acquire()


def test_file_in_the_directory_s_place(tmp_path: Path) -> None:
    with pytest.raises(StartRefused, match="not a directory"):
        Folder(put(tmp_path / "data")).acquire()


@pytest.mark.parametrize("bits", [0o750, 0o701, 0o777, 0o500])
def test_directory_of_another_mode(folder: Folder, bits: int) -> None:
    folder.path.chmod(bits)
    assert f"has mode {bits:o}: chmod 700 {folder.path}" in refusal(folder)
    folder.path.chmod(0o700)
    folder.check()


def test_directory_reached_through_a_link(folder: Folder, tmp_path: Path) -> None:
    """systemd's DynamicUser makes the state directory a symbolic link."""
    (tmp_path / "link").symlink_to(folder.path)
    Folder(tmp_path / "link").check()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_directory_and_files_of_another_user(folder: Folder) -> None:
    os.chown(folder.seal, 65534, 65534)
    assert f"{folder.seal} belongs to user 65534: chown 0 " in refusal(folder)
    os.chown(folder.path, 65534, 65534)
    assert f"{folder.path} belongs to user 65534: chown 0 " in refusal(folder)


def test_relative_path_is_kept_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Folder(Path("data")).path == tmp_path / "data"


# -- the files --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bits", [0o640, 0o604, 0o610, 0o602])
def test_file_open_to_group_or_others(folder: Folder, name: str, bits: int) -> None:
    path = folder.path / name
    path.unlink(missing_ok=True)
    put(path, mode=bits)
    assert refusal(folder) == f"{path} is open to group or others: chmod 600 {path}"


@pytest.mark.parametrize("name", NAMES)
def test_symbolic_link(folder: Folder, tmp_path: Path, name: str) -> None:
    path = folder.path / name
    path.unlink(missing_ok=True)
    path.symlink_to(put(tmp_path / "elsewhere"))
    assert f"{path} is a symbolic link" in refusal(folder)


@pytest.mark.parametrize("name", NAMES)
def test_hard_link(folder: Folder, tmp_path: Path, name: str) -> None:
    path = folder.path / name
    if not path.exists():
        put(path)
    os.link(path, tmp_path / "second")
    assert f"{path} has 2 hard links" in refusal(folder)


def test_special_file(folder: Folder) -> None:
    os.mkfifo(folder.hold, 0o600)
    assert f"{folder.hold} is not a regular file" in refusal(folder)


def test_key_files_anywhere_are_held_to_the_same(folder: Folder, tmp_path: Path) -> None:
    key = put(tmp_path / "a key", mode=0o400)
    folder.check([key, tmp_path / "missing"])
    key.chmod(0o440)
    assert f"chmod 600 '{key}'" in refusal(folder, key)


def test_every_fault_is_named_at_once(folder: Folder) -> None:
    folder.database.chmod(0o644)
    folder.seal.chmod(0o644)
    message = refusal(folder)
    assert str(folder.database) in message
    assert str(folder.seal) in message


@pytest.mark.parametrize(("gone", "left"), [("vault.db", "vault.seal"), ("vault.seal", "vault.db")])
def test_one_of_the_pair_alone(folder: Folder, gone: str, left: str) -> None:
    (folder.path / gone).unlink()
    assert f"{folder.path / gone} is missing beside {folder.path / left}" in refusal(folder)


def test_tls_key_may_be_shared_with_a_group_only(tmp_path: Path) -> None:
    key = put(tmp_path / "tls.key", mode=0o640)
    refuse_open_to_others(key)
    key.chmod(0o644)
    with pytest.raises(StartRefused, match="chmod o= "):
        refuse_open_to_others(key)
    with pytest.raises(StartRefused, match="cannot be read"):
        refuse_open_to_others(tmp_path / "none")


# -- file systems -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "ceph", "glusterfs", "9p", "fuse", "fuse.sshfs"]
)
def test_network_file_system(folder: Folder, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(folder_module, "file_system", lambda _: kind)
    assert f"network file system ({kind})" in refusal(folder)
    Folder(folder.path, allow_network_fs=True).check()


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk"])
def test_local_file_system(kind: str) -> None:
    assert not is_network(kind)


def test_mount_is_found_by_its_id() -> None:
    table = (
        "22 27 0:21 / /proc rw - proc proc rw\n"
        "2 27 0:40 / /srv rw shared:1 - ext4 /dev/a rw\n"
        "227 2 0:41 / /srv rw,noatime shared:1 master:2 - nfs4 host:/a\\040b rw\n"
    )
    assert find("pos:\t0\nflags:\t0100000\nmnt_id:\t227\n", table) == "nfs4"
    assert find("pos:\t0\nmnt_id:\t2\n", table) == "ext4"
    assert find("mnt_id:\t5\n", table) is None
    assert find("pos:\t0\n", table) is None


@pytest.mark.skipif(not Path("/proc/self/mountinfo").exists(), reason="Linux")
def test_mount_of_a_real_directory() -> None:
    assert file_system(Path("/proc")) == "proc"


# -- possession -------------------------------------------------------------------------------


def test_second_user_is_refused_and_told_who_has_it(folder: Folder) -> None:
    folder.acquire()
    with pytest.raises(StartRefused, match=f"held by process {os.getpid()}:"):
        Folder(folder.path).acquire()
    folder.release()
    folder.release()
    second = Folder(folder.path)
    second.acquire()
    second.release()


def test_lock_ends_with_the_process_that_held_it(folder: Folder) -> None:
    program = (
        "import sys, pathlib; from scaivault.storage.folder import Folder\n"
        "Folder(pathlib.Path(sys.argv[1])).acquire(); print('held', flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StartRefused, match=f"held by process {other.pid}:"):
            folder.acquire()
        other.kill()
    folder.acquire()


def test_lock_that_is_a_link(folder: Folder, tmp_path: Path) -> None:
    folder.lock.symlink_to(put(tmp_path / "victim"))
    with pytest.raises(StartRefused, match="LOCK cannot be opened"):
        folder.acquire()
    assert (tmp_path / "victim").read_bytes() == b"x"


def test_refused_directory_is_not_kept_locked(folder: Folder) -> None:
    folder.database.chmod(0o644)
    with pytest.raises(StartRefused, match=r"vault\.db is open"):
        folder.acquire()
    folder.database.chmod(0o600)
    Folder(folder.path).acquire()


def test_tmp_is_emptied_and_links_in_it_are_not_followed(folder: Folder, tmp_path: Path) -> None:
    outside = private.make_directory(tmp_path / "outside")
    put(outside / "kept")
    private.make_directory(folder.tmp / "deep" / "er")
    put(folder.tmp / "deep" / "er" / "file")
    (folder.tmp / "link").symlink_to(outside)
    put(folder.tmp / "file")
    folder.acquire()
    assert list(folder.tmp.iterdir()) == []
    assert (outside / "kept").exists()


def test_tmp_that_is_a_link(folder: Folder, tmp_path: Path) -> None:
    outside = private.make_directory(tmp_path / "outside")
    put(outside / "kept")
    folder.tmp.symlink_to(outside)
    with pytest.raises(StartRefused, match="tmp is a symbolic link"):
        folder.acquire()
    assert (outside / "kept").exists()


# -- a vault comes into being -----------------------------------------------------------------


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Folder]:
    folder = Folder(tmp_path / "data")
    folder.acquire()
    yield folder
    folder.release()


def test_initialising_keeps_both_files(empty: Folder) -> None:
    with empty.initializing():
        put(empty.database)
        write_atomically(empty.seal, b"{}")
        before = empty.initialized
    assert (before, empty.initialized) == (False, True)
    empty.check()


def test_failed_initialising_leaves_neither(empty: Folder) -> None:
    def init() -> None:
        with empty.initializing():
            put(empty.database)
            put(empty.path / "vault.db-wal")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        init()
    assert sorted(path.name for path in empty.path.iterdir()) == ["LOCK", "tmp"]


@pytest.mark.parametrize("made", [(), ("vault.db", "vault.db-wal"), ("vault.db", "vault.seal")])
def test_initialising_that_was_killed_leaves_neither(empty: Folder, made: tuple[str, ...]) -> None:
    killed = empty.initializing()
    killed.__enter__()
    for name in made:
        put(empty.path / name)
    empty.release()
    empty.check()
    again = Folder(empty.path)
    again.acquire()
    again.release()
    assert not any((empty.path / name).exists() for name in NAMES)
    assert not again.initialized


def test_an_existing_vault_is_never_initialised_over(folder: Folder) -> None:
    with pytest.raises(FileExistsError), folder.initializing():
        raise AssertionError
    assert folder.initialized


# -- replacing files --------------------------------------------------------------------------


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o777])
def test_written_file_has_the_mode_asked_for(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        write_atomically(tmp_path / "a", b"one")
        write_atomically(tmp_path / "b", bytearray(b"two"), 0o400)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "a"), mode(tmp_path / "b")) == (0o600, 0o400)
    assert (tmp_path / "b").read_bytes() == b"two"


def test_replacing_ignores_a_draft_left_by_a_crash(tmp_path: Path) -> None:
    victim = put(tmp_path / "victim")
    (tmp_path / "a.new").symlink_to(victim)
    write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"new"
    assert victim.read_bytes() == b"x"
    assert not (tmp_path / "a.new").exists()


def test_failed_write_keeps_the_old_content_and_no_draft(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_dir()
    assert not (tmp_path / "a.new").exists()


def test_drafts_of_a_crash_are_removed_at_start(folder: Folder) -> None:
    draft = put(folder.path / "vault.seal.new", mode=0o644)
    folder.acquire()
    assert not draft.exists()
    assert folder.seal.exists()


# -- reading private files --------------------------------------------------------------------


def test_private_read_is_bounded(tmp_path: Path) -> None:
    path = put(tmp_path / "key", b"k" * 44)
    assert private.read(path, 44) == b"k" * 44
    with pytest.raises(private.UnsafeFile, match="longer than 43 bytes"):
        private.read(path, 43)


def test_private_read_refuses_what_others_reach(tmp_path: Path) -> None:
    path = put(tmp_path / "key", mode=0o644)
    with pytest.raises(private.UnsafeFile, match="open to group or others"):
        private.read(path, 10)
    path.chmod(0o600)
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(private.UnsafeFile, match="symbolic link"):
        private.read(tmp_path / "link", 10)
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(private.UnsafeFile, match="not a regular file"):
        private.read(tmp_path / "pipe", 10)
    with pytest.raises(FileNotFoundError):
        private.read(tmp_path / "none", 10)


# -- repair -----------------------------------------------------------------------------------


def test_fix_modes_closes_all_that_is_open(folder: Folder, tmp_path: Path) -> None:
    backups = private.make_directory(folder.backups)
    archive = put(backups / "old.svb", mode=0o644)
    outside = put(tmp_path / "outside", mode=0o644)
    (folder.path / "link").symlink_to(outside)
    folder.database.chmod(0o664)
    backups.chmod(0o755)
    folder.path.chmod(0o755)
    assert set(folder.fix_modes()) == {folder.path, folder.database, backups, archive}
    assert (mode(folder.database), mode(archive), mode(backups)) == (0o600, 0o600, 0o700)
    assert mode(outside) == 0o644
    assert folder.fix_modes() == []
    folder.check()
