"""A disk that is full, or cannot be written to: nothing is disclosed, nothing is lost, and the
service goes on by itself once there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.house import PASSPHRASE
from tests.support.process import Server, until

CANARY = "value-that-must-not-leave"


def _mount(*words: str) -> bool:
    return subprocess.run(["mount", *words], check=False, capture_output=True).returncode == 0


class SmallDisk:
    """A RAM disk of few MiB under a server's data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ballast = path / "ballast"

    def fill(self) -> None:
        """Not one page is left."""
        with self._ballast.open("ab", buffering=0) as file:
            for size in (65536, 4096, 1):
                self._grow(file.write, bytes(size))

    @staticmethod
    def _grow(write: Callable[[bytes], int], block: bytes) -> None:
        try:
            while write(block) == len(block):
                pass
        except OSError:
            return

    def free(self) -> None:
        self._ballast.unlink()

    def read_only(self, state: bool) -> None:
        assert _mount("-o", "remount,ro" if state else "remount,rw", str(self.path))


@pytest.fixture
def disk(server: Server) -> Iterator[SmallDisk]:
    server.data.mkdir(mode=0o700, parents=True)
    options = "size=4m,mode=700"
    if os.geteuid() or not _mount("-t", "tmpfs", "-o", options, "tmpfs", str(server.data)):
        pytest.skip("mounting a small disk takes root")
    yield SmallDisk(server.data)
    server.end()
    subprocess.run(["umount", "-l", str(server.data)], check=True)


def written(server: Server, number: int) -> int:
    answer = server.put(f"disk/{number}", {"v": f"{CANARY}-{number}", "filling": "x" * 8000})
    assert answer.status in (200, 201, 503), answer.body
    if answer.status == 503:
        assert answer.code == "service_unavailable"
    return answer.status


def full(server: Server, disk: SmallDisk) -> None:
    """Until the log cannot grow into what it holds already either."""
    disk.fill()
    number = iter(range(100, 2000))
    until(lambda: written(server, next(number)) == 503, "the disk is full")
    until(lambda: server.read("disk/0").status == 503, "not even a row of the ledger fits")


def check_shut(server: Server) -> None:
    """503 for reads and writes, and nothing is told; alive, but not ready."""
    for method, target in (
        ("GET", "/v1/secrets/disk/0"),
        ("GET", "/v1/secrets?prefix=disk/"),
        ("GET", "/v1/secrets/disk/none"),
        ("DELETE", "/v1/secrets/disk/1"),
        ("POST", "/v1/system/seal"),
    ):
        answer = server.call(method, target, {} if method == "POST" else None)
        assert (answer.status, answer.code) == (503, "service_unavailable"), (target, answer.body)
        assert CANARY not in answer.body.decode()
    assert server.call("GET", "/v1/health", token=None).status == 200
    ready = server.call("GET", "/v1/health/ready", token=None)
    assert ready.status == 503
    assert ready.json["checks"]["database"] == "error"


def check_open(server: Server, known: int) -> None:
    assert server.call("GET", "/v1/health/ready", token=None).status == 200
    for number in range(known):
        answer = server.read(f"disk/{number}")
        assert answer.status == 200, answer.body
        assert answer.json["data"]["v"] == f"{CANARY}-{number}"
    report = server.call("GET", "/v1/audit/verify").json
    assert report["valid"], report


def test_full_and_free_again(server: Server, disk: SmallDisk) -> None:
    server.founded()
    for number in range(5):
        assert written(server, number) == 201
    for _ in range(2):
        full(server, disk)
        check_shut(server)
        disk.free()
        until(lambda: written(server, 50) in (200, 201), "writes are taken again")
        check_open(server, 5)
    server.kill()
    server.reopened()
    check_open(server, 5)
    assert server.stop() == 0


def test_killed_while_full(server: Server, disk: SmallDisk) -> None:
    server.founded()
    for number in range(5):
        assert written(server, number) == 201
    full(server, disk)
    server.kill()
    server.start()
    answer = server.unseal()
    assert answer.status in (200, 503), answer.body
    assert server.call("GET", "/v1/health", token=None).status == 200
    disk.free()
    until(lambda: server.unseal().status == 200, "it opens again")
    check_open(server, 5)


def test_stopped_while_full(server: Server, disk: SmallDisk) -> None:
    server.founded()
    for number in range(5):
        assert written(server, number) == 201
    full(server, disk)
    assert server.stop() == 0
    disk.free()
    server.reopened()
    check_open(server, 5)


def test_slots_and_keys_while_full(server: Server, disk: SmallDisk) -> None:
    """vault.seal and vault.db stay of one mind: the old credential opens, nothing new does."""
    server.founded()
    for number in range(3):
        assert written(server, number) == 201
    before = server.slots()
    rotation = {
        "credentials": [{"slot_id": before[0]["id"], "passphrase": PASSPHRASE}],
        "rekey_file": True,
    }
    full(server, disk)
    for _ in range(3):
        added = {"type": "passphrase", "passphrase": "another good passphrase"}
        assert server.call("POST", "/v1/system/slots", added).status == 503
        assert server.call("POST", "/v1/system/rotate-root", rotation).status == 503
        tenant = server.made["tenant_id"]
        assert server.call("POST", f"/v1/system/tenants/{tenant}/rotate-key").status == 503
        partner = server.made["partner_id"]
        assert server.call("POST", f"/v1/system/partners/{partner}/rotate-key").status == 503
    disk.free()
    until(lambda: written(server, 50) in (200, 201), "writes are taken again")
    assert server.slots() == before
    assert written(server, 51) == 201
    server.kill()
    server.reopened()
    check_open(server, 3)
    assert server.read("disk/51").status == 200
    assert [slot["id"] for slot in server.slots()] == [slot["id"] for slot in before]


def test_rekey_without_room_for_it(server: Server, disk: SmallDisk) -> None:
    """All pages do not fit into the log a second time: the old file key stays, everywhere."""
    server.founded()
    for number in range(60):
        assert written(server, number) == 201
    server.stop()
    server.reopened()
    slot = server.slots()[0]["id"]
    ballast = server.data / "ballast"
    room = os.statvfs(server.data)
    ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - 300_000)))
    rotation = {
        "credentials": [{"slot_id": slot, "passphrase": PASSPHRASE}],
        "rekey_file": True,
    }
    answer = server.call("POST", "/v1/system/rotate-root", rotation)
    assert answer.status == 503, answer.body
    assert written(server, 61) in (201, 503)
    disk.free()
    until(lambda: written(server, 62) in (200, 201), "writes are taken again")
    check_open(server, 60)
    server.kill()
    server.reopened()
    check_open(server, 60)
    assert server.read("disk/62").status == 200
    again = server.call("POST", "/v1/system/rotate-root", rotation | {"rekey_file": False})
    assert again.status == 200, again.body


def test_read_only(server: Server, disk: SmallDisk) -> None:
    server.founded()
    for number in range(3):
        assert written(server, number) == 201
    server.stop()
    disk.read_only(True)
    code, told = server.refused()
    assert code == 6
    assert "Read-only" in told
    disk.read_only(False)
    server.reopened()
    check_open(server, 3)


def test_unseal_refused_while_full_is_not_answered_without_its_row(
    server: Server, disk: SmallDisk
) -> None:
    server.start()
    shamir = {"type": "shamir", "shares": 3, "threshold": 2}
    assert server.init(slots=[{"type": "passphrase", "passphrase": PASSPHRASE}, shamir]).status
    share = next(iter(server.made["shares"].values()))[0]
    server.stop()
    server.start()
    disk.fill()
    for body in ({"passphrase": "certainly not this one"}, {"share": share}):
        answer = server.unseal(**body)
        assert (answer.status, answer.code) == (503, "service_unavailable")
    disk.free()
    assert server.unseal(passphrase="certainly not this one").status == 401
    assert server.unseal().status == 200
    assert server.call("GET", "/v1/audit/verify").json["valid"]
