"""After a seal the process remembers no key; while unsealed the same search finds them all."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from tests.support.house import PASSPHRASE
from tests.support.keys import Keys, keys_of
from tests.support.memory import found
from tests.support.process import Server

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reading another process takes root")


def used(server: Server, count: int = 40) -> None:
    """Enough traffic to leave a key in every place that it can get to."""

    def some(worker: int) -> None:
        for number in range(count):
            assert server.put(f"memory/{worker}-{number % 7}", {"n": number}).status < 300
            assert server.read(f"memory/{worker}-{number % 7}").status == 200

    threads = [threading.Thread(target=some, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.call("GET", "/v1/secrets?prefix=memory/").status == 200
    assert server.call("GET", "/v1/audit/verify").json["valid"]


def keys(server: Server, name: str = "copy") -> Keys:
    return keys_of(server.data, PASSPHRASE, server.folder / name)


def seal(server: Server) -> None:
    answer = server.call("POST", "/v1/system/seal", {})
    assert answer.status == 200, answer.body
    assert answer.json["sealed"] is True


def test_after_a_seal_no_key_is_left(founded: Server) -> None:
    used(founded)
    named = keys(founded).named
    assert {name.split("_")[0] for name in named} == {"root", "file", "- 1", "ptn", "tnt"}
    there = found(founded.pid, named)
    # Positive control: the search finds what there is, or it would prove nothing.
    assert there.keys() == named.keys()
    seal(founded)
    assert found(founded.pid, named) == {}


def test_nor_after_a_crash_an_unseal_and_a_second_seal(founded: Server) -> None:
    named = keys(founded).named
    founded.kill()
    founded.reopened()
    used(founded, 10)
    seal(founded)
    assert founded.unseal().status == 200
    used(founded, 5)
    seal(founded)
    assert found(founded.pid, named) == {}
    assert founded.unseal().status == 200


def test_rotated_keys_are_forgotten_at_once(founded: Server) -> None:
    used(founded, 5)
    before = keys(founded).named
    slot = founded.slots()[0]["id"]
    answer = founded.call(
        "POST",
        "/v1/system/rotate-root",
        {"credentials": [{"slot_id": slot, "passphrase": PASSPHRASE}], "rekey_file": True},
    )
    assert answer.status == 200, answer.body
    after = keys(founded, "later").named
    assert before["root"] != after["root"]
    assert before["file"] != after["file"]
    old = {name: before[name] for name in ("root", "file")}
    assert found(founded.pid, old) == {}
    used(founded, 5)
    seal(founded)
    assert found(founded.pid, before | {f"new {name}": key for name, key in after.items()}) == {}


def test_a_wrong_credential_leaves_no_key_either(founded: Server) -> None:
    named = keys(founded).named
    founded.stop()
    founded.start()
    for wrong in ({"passphrase": "not the right one at all"}, {"key": "A" * 43 + "="}):
        assert founded.unseal(**wrong).status == 401
    assert found(founded.pid, named) == {}


def test_a_failed_opening_leaves_no_key(founded: Server, tmp_path: Path) -> None:
    """The root key is known by then, but vault.db is another vault's."""
    named = keys(founded).named
    founded.stop()
    other = Server(tmp_path / "other").founded()
    other.stop()
    (founded.data / "vault.db").write_bytes((other.data / "vault.db").read_bytes())
    founded.start()
    assert founded.unseal().status == 503
    assert found(founded.pid, named) == {}
