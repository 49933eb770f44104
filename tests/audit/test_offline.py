"""The chain verified from files alone, through the command's own function."""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import FakeClock
from scaivault.crypto import signing
from scaivault.errors import Refusal
from scaivault.seal.file import LIMIT
from scaivault.storage.folder import Folder, StartRefused
from scaivault.system import offline
from tests.audit.conftest import ROWS, SLOT, VAULT, WORDS, Made, append, open_again


def passphrase(_slots: list[dict[str, Any]]) -> dict[str, Any]:
    return {"passphrase": WORDS}


def verify(made: Made, **options: Any) -> dict[str, Any]:
    return offline.verify(made.folder.path, credential=passphrase, **options)


def kinds(report: dict[str, Any]) -> list[tuple[str, int | None]]:
    return [(problem["kind"], problem["seq"]) for problem in report["problems"]]


def tamper(made: Made, sql: str) -> None:
    with closing(made.connect()) as connection:
        connection.execute(sql)


@pytest.fixture(autouse=True)
def untouched(made: Made, request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever happens, the directory for temporary files is left as it was."""
    path = request.getfixturevalue("tmp_path") / "tmp"
    path.mkdir()
    request.getfixturevalue("monkeypatch").setattr("tempfile.tempdir", str(path))
    yield
    assert list(path.iterdir()) == []


def contents(folder: Folder) -> dict[str, tuple[str, int]]:
    return {
        path.name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.path.iterdir()
    }


def test_a_sound_data_directory_stays_as_it_is(made: Made) -> None:
    made.folder.lock.write_bytes(b"4711\n")
    before = contents(made.folder)
    report = verify(made)
    assert contents(made.folder) == before
    assert (report["valid"], report["complete"], report["rows_checked"]) == (True, True, ROWS)
    assert (report["vault_id"], report["problems"]) == (VAULT, [])
    assert report["head"]["seq"] == ROWS


def test_a_log_beside_the_database_counts_and_stays(made: Made, tmp_path: Path) -> None:
    """A vault that was killed: its newest rows are in the log only."""
    clock = FakeClock()
    clock.advance(10**12)
    opened = open_again(made.folder, clock)
    with closing(made.connect()) as connection:
        append(opened, connection, clock, 5)
        killed = made.copied(tmp_path / "killed")
    opened.wipe()
    killed.folder.database.with_name("vault.db-shm").unlink()
    assert killed.folder.database.with_name("vault.db-wal").stat().st_size > 0
    before = contents(killed.folder)
    report = verify(killed)
    assert (report["valid"], report["rows_checked"]) == (True, ROWS + 5)
    assert contents(killed.folder) == before


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE ledger SET record = replace(record, 'shop', 'shoq') WHERE seq = 57",
         ("row_modified", 57)),
        ("DELETE FROM ledger WHERE seq = 57", ("row_missing", 57)),
        ("DELETE FROM ledger WHERE seq > 280", ("truncated", 290)),
        ("UPDATE checkpoint SET signature = '' WHERE seq = 200", ("checkpoint_invalid", 200)),
    ],
)  # fmt: skip
def test_tampering_is_found(made: Made, sql: str, problem: tuple[str, int]) -> None:
    tamper(made, sql)
    report = verify(made)
    assert (report["valid"], kinds(report)) == (False, [problem])


def test_from_a_row_on_and_against_an_outside_head(made: Made) -> None:
    assert verify(made, from_seq=250)["rows_checked"] == ROWS - 249
    head = verify(made)["head"]
    assert verify(made, expect=f"{ROWS}:{head['hash']}")["valid"]
    report = verify(made, expect=f"{ROWS + 1}:{head['hash']}")
    assert kinds(report) == [("truncated", ROWS)]


def test_a_key_noted_earlier(made: Made) -> None:
    with closing(made.connect()) as connection:
        (genuine,) = connection.execute(
            "SELECT public_key FROM signing_key WHERE purpose = 'checkpoint'"
        ).fetchone()
    assert verify(made, public_key=genuine)["valid"]
    other = signing.base64url(signing.CheckpointKey.generate().public)
    assert kinds(verify(made, public_key=other)) == [
        ("checkpoint_invalid", seq) for seq in (100, 200, 290)
    ]


@pytest.mark.parametrize(
    "options", [{"public_key": "A6EHv"}, {"public_key": "?"}, {"expect": "9:00"}]
)
def test_wrong_arguments(made: Made, options: dict[str, str]) -> None:
    with pytest.raises(Refusal) as caught:
        verify(made, **options)
    assert caught.value.code == "validation_error"


# -- opening --------------------------------------------------------------------------------------


def test_the_slots_are_shown(made: Made) -> None:
    shown: list[Any] = []

    def ask(slots: list[dict[str, Any]]) -> dict[str, Any]:
        shown.extend(slots)
        return {"slot_id": SLOT, "passphrase": WORDS}

    assert offline.verify(made.folder.path, credential=ask)["valid"]
    assert shown == [{"id": SLOT, "type": "passphrase", "label": "people", "auto": False}]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"passphrase": "correct horse batteries"}, "unseal_failed"),
        ({"auto": True}, "unseal_failed"),
        ({"slot_id": "slot_" + "0" * 20, "passphrase": WORDS}, "unseal_failed"),
        ({"key": base64.b64encode(bytes(32)).decode()}, "unseal_failed"),
        ({"passphrase": 7}, "validation_error"),
        ({"password": WORDS}, "validation_error"),
        ({}, "validation_error"),
    ],
)
def test_wrong_credentials(made: Made, body: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught:
        offline.verify(made.folder.path, credential=lambda _: body)
    assert caught.value.code == code
    assert WORDS not in str(caught.value)


def test_a_running_vault_is_left_alone(made: Made) -> None:
    running = Folder(made.folder.path)
    running.acquire()
    try:
        with pytest.raises(StartRefused, match="is running") as caught:
            verify(made)
        assert caught.value.exit_code == 6
    finally:
        running.release()
    assert verify(made)["valid"]


@pytest.mark.parametrize("name", ["vault.seal", "vault.db"])
def test_half_a_vault(made: Made, name: str) -> None:
    (made.folder.path / name).unlink()
    with pytest.raises(Refusal, match="holds no vault"):
        verify(made)


def test_a_file_is_no_directory(made: Made) -> None:
    with pytest.raises(Refusal, match="not a directory"):
        offline.verify(made.folder.database, credential=passphrase)


def damage(path: Path, place: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[place] ^= 1
    path.write_bytes(raw)


def damaged(made: Made) -> str:
    with pytest.raises(StartRefused) as caught:
        verify(made)
    assert caught.value.exit_code == 7
    return caught.value.message


def outcome_of_damage(made: Made, page: int) -> tuple[bool, bool]:
    """With one byte of a page changed: whether there is a report, and whether it says that the
    rows could not all be read."""
    damage(made.folder.database, page * 4096 + 100)
    try:
        report = verify(made)
    except StartRefused as refused:
        found = (refused.exit_code, True)
        outcome = False, False
    else:
        found = (7, str(page + 1) in report["problems"][0]["detail"])
        assert {kind for kind, _ in kinds(report)} == {"page_damaged"}
        outcome = True, report["rows_checked"] < ROWS
    damage(made.folder.database, page * 4096 + 100)
    assert found == (7, True)
    return outcome


def test_a_page_that_was_changed_on_disk(made: Made) -> None:
    pages = made.folder.database.stat().st_size // 4096
    outcomes = {outcome_of_damage(made, page) for page in range(1, pages, 3)}
    assert outcomes == {(True, True), (True, False), (False, False)}
    assert verify(made)["valid"]


def test_files_that_do_not_open(made: Made) -> None:
    damage(made.folder.database, 200)
    assert "damaged" in damaged(made)
    damage(made.folder.database, 200)
    seal = made.folder.seal.read_text()
    made.folder.seal.write_text(seal.replace('"generation": 1', '"generation": 2'))
    assert "edited" in damaged(made)
    made.folder.seal.write_text(seal[:-5])
    assert "vault.seal" in damaged(made)
    made.folder.seal.write_text(seal + " " * LIMIT)
    assert "longer" in damaged(made)


def test_another_vaults_database(made: Made) -> None:
    tamper(made, "UPDATE meta SET value = 'vlt_other' WHERE name = 'vault_id'")
    assert "another vault" in damaged(made)


def test_a_database_without_encryption(made: Made) -> None:
    made.folder.database.unlink()
    with closing(sqlite3.connect(made.folder.database)) as connection:
        connection.execute("CREATE TABLE ledger (seq INTEGER)")
    assert "does not open" in damaged(made)


def test_a_newer_programs_database(made: Made) -> None:
    tamper(made, "INSERT INTO migration (number, name, digest) VALUES (9999, 'later', '')")
    with pytest.raises(StartRefused, match="newer program") as caught:
        verify(made)
    assert caught.value.exit_code == 6
