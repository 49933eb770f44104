"""Secrets on their way out: modes, exclusiveness, and what happens when a file cannot be kept."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from scaivault.cli.failure import Failure
from scaivault.cli.keepsakes import Keepsakes, shown_once, without_once


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_directory_and_its_files_are_for_the_owner_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with Keepsakes(str(tmp_path / "keys")) as keepsakes:
            paths = keepsakes.keep({"root-token": "skt_1", "recovery-key": "svr1-1"})
    finally:
        os.umask(before)
    assert mode(tmp_path / "keys") == 0o700
    assert sorted(os.listdir(tmp_path / "keys")) == ["recovery-key", "root-token"]
    assert [(path.read_text(), mode(path)) for path in paths] == [
        ("skt_1\n", 0o600),
        ("svr1-1\n", 0o600),
    ]


@pytest.mark.parametrize("wide", [0o750, 0o701, 0o777])
def test_a_directory_open_to_others_is_refused(tmp_path: Path, wide: int) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys").chmod(wide)
    with pytest.raises(Failure, match="mode 0700") as caught:
        Keepsakes(str(tmp_path / "keys"))
    assert caught.value.exit_code == 5


def test_a_link_in_the_directorys_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(0o700)
    (tmp_path / "keys").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failure):
        Keepsakes(str(tmp_path / "keys"))
    assert os.listdir(tmp_path / "elsewhere") == []


@pytest.mark.parametrize("path", ["file", "none/keys"])
def test_what_cannot_be_a_directory_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure, match="--output-dir"):
        Keepsakes(str(tmp_path / path))


@pytest.mark.parametrize("link", [True, False])
def test_nothing_is_overwritten_and_no_link_is_followed(tmp_path: Path, link: bool) -> None:
    target = tmp_path / "target"
    target.write_text("before")
    with Keepsakes(str(tmp_path / "keys")) as keepsakes:
        name = tmp_path / "keys" / "root-token"
        name.symlink_to(target) if link else name.hardlink_to(target)
        with pytest.raises(Failure, match="start over") as caught:
            keepsakes.keep({"root-token": "skt_canary"})
    assert target.read_text() == "before"
    assert "skt_canary" not in caught.value.message


def test_a_directory_exchanged_meanwhile_gets_nothing(tmp_path: Path) -> None:
    with Keepsakes(str(tmp_path / "keys")) as keepsakes:
        (tmp_path / "keys").rename(tmp_path / "moved")
        (tmp_path / "keys").mkdir(0o755)
        keepsakes.keep({"root-token": "skt_1"})
    assert os.listdir(tmp_path / "keys") == []
    assert os.listdir(tmp_path / "moved") == ["root-token"]


def test_what_an_answer_shows_once() -> None:
    body: dict[str, Any] = {
        "vault_id": "vlt_1",
        "root_token": "skt_1",
        "recovery_key": "svr1-1",
        "shares": {"slot_a": ["svs1-1", "svs1-2"]},
    }
    assert shown_once(body) == {
        "root-token": "skt_1",
        "recovery-key": "svr1-1",
        "share-slot_a-1": "svs1-1",
        "share-slot_a-2": "svs1-2",
    }
    assert without_once(body) == {"vault_id": "vlt_1"}


def test_shares_of_one_slot_come_as_a_list() -> None:
    assert shown_once({"id": "slot_b", "shares": ["x"]}) == {"share-slot_b-1": "x"}
    assert shown_once({"id": "slot_b", "shares": None, "root_token": None}) == {}


@pytest.mark.parametrize("shares", ["svs1-1", 7, {"slot_a": "svs1-1"}, {"slot_a": None}])
def test_shares_of_another_shape_are_refused(shares: Any) -> None:
    with pytest.raises(Failure, match="shares"):
        shown_once({"id": "slot_b", "shares": shares})


@pytest.mark.parametrize("slot", ["../../etc/cron.d/x", "a/b", "", ".", "a\x00"])
def test_a_hostile_slot_id_becomes_no_file_name(slot: str) -> None:
    with pytest.raises(Failure, match="slot id"):
        shown_once({"shares": {slot: ["svs1-1"]}})
