"""Every tampering that the contract names is found, under its name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaivault.audit import chain
from scaivault.audit.chain import Known, Request
from scaivault.audit.checkpoints import stored_keys
from scaivault.crypto import digest, signing
from scaivault.gate import ledger
from scaivault.storage.file import Connection
from tests.audit.conftest import ROWS, SIGNED, VAULT, found, verified


def row(file: Connection, seq: int) -> tuple[bytes, str]:
    stored: tuple[bytes, str] = file.execute(
        "SELECT hash, record FROM ledger WHERE seq = ?", (seq,)
    ).fetchone()
    return stored


def put(file: Connection, seq: int, **columns: Any) -> None:
    for name, value in columns.items():
        file.execute(f"UPDATE ledger SET {name} = ? WHERE seq = ?", (value, seq))


def edited(text: str, **fields: Any) -> str:
    return json.dumps(
        json.loads(text) | fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def relink(file: Connection, first: int, last: int) -> None:
    """Hashes as they would be, had the rows always been what they are now."""
    previous = row(file, first - 1)[0] if first > 1 else digest.chain_start(VAULT)
    for seq in range(first, last + 1):
        previous = digest.link(previous, digest.row_digest(row(file, seq)[1].encode()))
        put(file, seq, hash=previous)


def move(file: Connection, seq: int, to: int) -> None:
    file.execute("UPDATE ledger SET seq = ? WHERE seq = ?", (to, seq))


def test_an_untouched_chain_is_valid(file: Connection) -> None:
    report = verified(file)
    assert (report.valid, report.complete, report.problems) == (True, True, [])
    assert (report.first_seq, report.last_seq, report.rows_checked) == (1, ROWS, ROWS)
    assert (report.checkpoints_checked, report.unsigned_tail) == (3, 10)
    assert (report.next_seq, report.rows_pruned, report.vault_id) == (None, 0, VAULT)
    assert (report.head.seq, report.head.hash) == (ROWS, row(file, ROWS)[0].hex())
    assert report.last_checkpoint is not None
    assert report.last_checkpoint.seq == SIGNED[-1]


def test_a_chain_without_rows_is_valid(file: Connection) -> None:
    file.execute("DELETE FROM ledger")
    file.execute("DELETE FROM checkpoint")
    report = verified(file)
    assert (report.valid, report.complete, report.rows_checked) == (True, True, 0)
    assert (report.first_seq, report.last_seq, report.last_checkpoint) == (1, 0, None)
    assert (report.head.seq, report.head.hash) == (0, digest.chain_start(VAULT).hex())


# -- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seq", [1, 57, 100, 290, ROWS])
@pytest.mark.parametrize(
    "fields", [{"success": False}, {"identity_id": "user:mallory"}, {"extra_data": {"version": 5}}]
)
def test_an_edited_field(file: Connection, seq: int, fields: dict[str, Any]) -> None:
    put(file, seq, record=edited(row(file, seq)[1], **fields))
    assert found(verified(file)) == [("row_modified", seq)]


@pytest.mark.parametrize("seq", [1, 57, 290])
def test_an_edited_number_inside_a_row(file: Connection, seq: int) -> None:
    put(file, seq, record=edited(row(file, seq)[1], seq=seq + 1000))
    assert sorted(found(verified(file))) == [("row_modified", seq), ("sequence_error", seq)]


@pytest.mark.parametrize("text", ["", "{}", "[" * 100_000, "null", '{"seq":57}', "nothing like it"])
def test_a_record_that_is_none(file: Connection, text: str) -> None:
    put(file, 57, record=text)
    assert found(verified(file)) == [("row_modified", 57)]


def test_a_record_that_is_no_text(file: Connection) -> None:
    file.execute("UPDATE ledger SET record = CAST(x'ff00fe' AS TEXT) WHERE seq = 57")
    assert found(verified(file)) == [("row_modified", 57)]


@pytest.mark.parametrize("blank", [(":", ": "), ("{", '{"action":"x",'), ("Zoë", "Zo\\u00eb")])
def test_a_chain_over_a_record_in_another_form(file: Connection, blank: tuple[str, str]) -> None:
    put(file, 295, record=row(file, 295)[1].replace(*blank, 1))
    relink(file, 295, ROWS)
    assert found(verified(file)) == [("row_modified", 295)]


@pytest.mark.parametrize("seq", [1, 57, 289])
def test_a_changed_hash(file: Connection, seq: int) -> None:
    put(file, seq, hash=bytes(32))
    assert found(verified(file)) == [("link_broken", seq)]


def test_a_changed_hash_of_a_signed_row(file: Connection) -> None:
    put(file, 100, hash=bytes(32))
    assert sorted(found(verified(file))) == [("checkpoint_mismatch", 100), ("link_broken", 100)]


@pytest.mark.parametrize("seq", [1, 57, 100, 299])
def test_a_removed_row(file: Connection, seq: int) -> None:
    file.execute("DELETE FROM ledger WHERE seq = ?", (seq,))
    report = verified(file)
    assert found(report) == [("row_missing", seq)]
    assert report.rows_checked == ROWS - 1


def test_removed_rows_are_one_finding_and_do_not_hide_the_next(file: Connection) -> None:
    file.execute("DELETE FROM ledger WHERE seq BETWEEN 20 AND 40")
    put(file, 50, record=edited(row(file, 50)[1], duration_ms=99))
    report = verified(file)
    assert found(report) == [("row_missing", 20), ("row_modified", 50)]
    assert report.problems[0].detail == "rows 20 to 40 are not there"


def test_a_removed_row_whose_place_was_closed(file: Connection) -> None:
    file.execute("DELETE FROM ledger WHERE seq = 250")
    for seq in range(251, ROWS + 1):
        move(file, seq, seq - 1)
    kinds = {kind for kind, _ in found(verified(file))}
    assert kinds == {"sequence_error", "link_broken", "checkpoint_mismatch"}


def test_rows_closed_up_renumbered_and_linked_again(file: Connection) -> None:
    file.execute("DELETE FROM ledger WHERE seq = 250")
    for seq in range(251, ROWS + 1):
        move(file, seq, seq - 1)
        put(file, seq - 1, record=edited(row(file, seq - 1)[1], seq=seq - 1))
    relink(file, 250, ROWS - 1)
    assert found(verified(file)) == [("checkpoint_mismatch", 290)]


@pytest.mark.parametrize(("one", "other"), [(57, 58), (57, 59), (57, 150), (100, 200)])
def test_swapped_rows(file: Connection, one: int, other: int) -> None:
    move(file, one, -1)
    move(file, other, one)
    move(file, -1, other)
    problems = found(verified(file))
    assert ("sequence_error", one) in problems
    assert ("sequence_error", other) in problems
    assert ("link_broken", one) in problems
    assert {seq for _, seq in problems} == {one, other}


def test_swapped_records(file: Connection) -> None:
    first, second = row(file, 57)[1], row(file, 58)[1]
    put(file, 57, record=second)
    put(file, 58, record=first)
    kinds = [("link_broken", 57), ("sequence_error", 57), ("sequence_error", 58)]
    assert sorted(found(verified(file))) == kinds


def test_an_inserted_row(file: Connection) -> None:
    for seq in range(ROWS, 56, -1):
        move(file, seq, seq + 1)
    stored, text = row(file, 58)
    text = edited(text, seq=57, identity_id="user:mallory")
    file.execute("INSERT INTO ledger (seq, hash, record) VALUES (57, ?, ?)", (stored, text))
    kinds = {kind for kind, _ in found(verified(file))}
    assert {"sequence_error", "link_broken", "checkpoint_mismatch"} <= kinds


@pytest.mark.parametrize("seq", [0, -1, -(2**63)])
def test_a_row_before_the_first(file: Connection, seq: int) -> None:
    stored, text = row(file, 1)
    file.execute("INSERT INTO ledger (seq, hash, record) VALUES (?, ?, ?)", (seq, stored, text))
    assert found(verified(file)) == [("sequence_error", seq)]


@pytest.mark.parametrize("gap", [1, 2**62])
def test_a_foreign_row_behind_the_last(file: Connection, gap: int) -> None:
    stored, text = row(file, 1)
    seq = ROWS + gap
    file.execute("INSERT INTO ledger (seq, hash, record) VALUES (?, ?, ?)", (seq, stored, text))
    report = verified(file)
    assert ("sequence_error", seq) in found(report)
    assert report.complete


@pytest.mark.parametrize("last", [60, 99])
def test_a_stretch_linked_again(file: Connection, last: int) -> None:
    """Told apart from an edited row: the edited row itself is in order, what follows is not."""
    put(file, 57, record=edited(row(file, 57)[1], success=False))
    relink(file, 57, last)
    assert found(verified(file)) == [("row_modified", last + 1)]


def test_a_stretch_linked_again_over_a_checkpoint(file: Connection) -> None:
    put(file, 57, record=edited(row(file, 57)[1], success=False))
    relink(file, 57, ROWS)
    assert found(verified(file)) == [("checkpoint_mismatch", seq) for seq in SIGNED]


def test_at_most_a_hundred_are_told_and_none_of_the_kinds_is_left_out(file: Connection) -> None:
    for seq in range(1, ROWS + 1):
        put(file, seq, record=row(file, seq)[1] + " ")
    file.execute("UPDATE checkpoint SET timestamp = 'never' WHERE seq = 290")
    report = verified(file)
    assert len(report.problems) == 100
    assert report.rows_checked == ROWS
    assert found(report)[-1] == ("checkpoint_invalid", 290)


# -- checkpoints ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("hash", bytes(32)),
        ("timestamp", "2031-05-09T07:00:00.000000Z"),
        ("timestamp", "\N{SNOWMAN}"),
        ("prev_seq", 0),
        ("key_id", "0" * 16),
        ("signature", "A" * 86),
        ("signature", "no signature \N{SNOWMAN}"),
        ("seq", 199),
    ],
)
def test_a_changed_checkpoint(file: Connection, column: str, value: Any) -> None:
    file.execute(f"UPDATE checkpoint SET {column} = ? WHERE seq = 200", (value,))
    problems = found(verified(file))
    assert problems[0] == ("checkpoint_invalid", value if column == "seq" else 200)
    assert {kind for kind, _ in problems} == {"checkpoint_invalid"}


def test_a_checkpoint_that_is_no_text(file: Connection) -> None:
    file.execute("UPDATE checkpoint SET signature = CAST(x'ff' AS TEXT) WHERE seq = 290")
    assert found(verified(file)) == [("checkpoint_invalid", 290)]


def test_a_checkpoint_signed_by_another_key(file: Connection) -> None:
    forger = signing.CheckpointKey.generate()
    stored = row(file, 295)[0]
    point = {
        "hash": stored.hex(),
        "key_id": forger.key_id,
        "prev_seq": 290,
        "seq": 295,
        "timestamp": "2031-05-09T07:00:00.000000Z",
        "vault_id": VAULT,
    }
    file.execute(
        "INSERT INTO checkpoint (seq, hash, timestamp, prev_seq, key_id, signature)"
        " VALUES (295, ?, ?, 290, ?, ?)",
        (stored, point["timestamp"], forger.key_id, forger.sign(point)),
    )
    assert found(verified(file)) == [("checkpoint_invalid", 295)]
    # Not either under the name of the genuine key.
    genuine = next(iter(stored_keys(file)))
    file.execute("UPDATE checkpoint SET key_id = ? WHERE seq = 295", (genuine,))
    assert found(verified(file)) == [("checkpoint_invalid", 295)]
    # Nor with the genuine key's row changed to the forger's.
    file.execute(
        "UPDATE signing_key SET public_key = ? WHERE purpose = 'checkpoint'",
        (signing.base64url(forger.public),),
    )
    assert [kind for kind, _ in found(verified(file))] == ["checkpoint_invalid"] * 4


@pytest.mark.parametrize(("gone", "seen_at"), [(100, 200), (200, 290)])
def test_a_removed_checkpoint(file: Connection, gone: int, seen_at: int) -> None:
    file.execute("DELETE FROM checkpoint WHERE seq = ?", (gone,))
    assert found(verified(file)) == [("checkpoint_invalid", seen_at)]


def test_checkpoints_of_the_last_thousand_rows_are_missed(
    file: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ledger.CHECKPOINT_ROWS == 1000
    monkeypatch.setattr(chain, "CHECKPOINT_ROWS", 100)
    assert verified(file).valid
    file.execute("DELETE FROM checkpoint WHERE seq >= 200")
    assert found(verified(file)) == [("checkpoint_invalid", ROWS)]


# -- the end of the chain -------------------------------------------------------------------------


def test_a_cut_tail(file: Connection) -> None:
    file.execute("DELETE FROM ledger WHERE seq > 250")
    report = verified(file)
    assert found(report) == [("truncated", 290)]
    assert (report.head.seq, report.unsigned_tail, report.complete) == (250, 0, True)


def test_everything_cut_off(file: Connection) -> None:
    file.execute("DELETE FROM ledger")
    assert found(verified(file)) == [("truncated", seq) for seq in SIGNED]


def test_a_tail_cut_with_its_checkpoints_takes_an_outside_witness(file: Connection) -> None:
    head = Known(ROWS, row(file, ROWS)[0])
    file.execute("DELETE FROM ledger WHERE seq > 250")
    file.execute("DELETE FROM checkpoint WHERE seq > 250")
    assert verified(file).valid
    assert found(verified(file, Request(expect=head))) == [("truncated", 250)]
    assert found(verified(file, Request(committed=ROWS))) == [("truncated", 250)]


@pytest.mark.parametrize("seq", [0, 1, 150, ROWS])
def test_an_expected_hash(file: Connection, seq: int) -> None:
    known = row(file, seq)[0] if seq else digest.chain_start(VAULT)
    assert verified(file, Request(expect=Known(seq, known))).valid
    wrong = Request(expect=Known(seq, bytes(32)))
    assert found(verified(file, wrong)) == [("truncated", seq)]


def test_a_tail_rewritten_behind_the_last_checkpoint_takes_an_outside_witness(
    file: Connection,
) -> None:
    head = Known(ROWS, row(file, ROWS)[0])
    put(file, 295, record=edited(row(file, 295)[1], success=False))
    relink(file, 295, ROWS)
    assert verified(file).valid
    assert found(verified(file, Request(expect=head))) == [("truncated", ROWS)]


def test_expected_is_read_strictly() -> None:
    assert chain.expected("7:" + "0a" * 32) == Known(7, b"\n" * 32)
    for text in ("", "7", "7:00", "x:" + "00" * 32, "-7:" + "00" * 32, "7:" + "zz" * 32):
        with pytest.raises(ValueError, match="hex"):
            chain.expected(text)


# -- parts ----------------------------------------------------------------------------------------


def test_a_long_chain_is_checked_in_parts(file: Connection) -> None:
    put(file, 130, record=edited(row(file, 130)[1], success=False))
    first, checked, points, problems = 1, 0, 0, []
    while True:
        report = verified(file, Request(first, limit=64))
        checked += report.rows_checked
        points += report.checkpoints_checked
        problems += found(report)
        if report.complete:
            break
        assert report.next_seq == first + 64 == report.last_seq + 1
        first = report.next_seq
    assert (checked, points, problems) == (ROWS, 3, [("row_modified", 130)])
    assert (report.next_seq, report.last_seq) == (None, ROWS)


def test_a_part_that_ends_at_the_head_is_complete(file: Connection) -> None:
    assert verified(file, Request(limit=ROWS)).complete
    report = verified(file, Request(limit=ROWS - 1))
    assert (report.complete, report.next_seq) == (False, ROWS)


def test_only_the_range_asked_for(file: Connection) -> None:
    put(file, 130, record=edited(row(file, 130)[1], success=False))
    assert verified(file, Request(131, 250)).valid
    assert verified(file, Request(1, 129)).valid
    assert not verified(file, Request(130, 130)).valid
    report = verified(file, Request(150, 250))
    assert (report.first_seq, report.last_seq, report.rows_checked) == (150, 250, 101)
    assert (report.checkpoints_checked, report.head.seq) == (1, ROWS)


@pytest.mark.parametrize(("first", "rows"), [(ROWS, 1), (ROWS + 1, 0), (10**9, 0)])
def test_from_the_head_on(file: Connection, first: int, rows: int) -> None:
    report = verified(file, Request(first))
    assert (report.valid, report.complete, report.rows_checked) == (True, True, rows)
    assert report.last_seq == ROWS


def test_a_range_whose_ends_are_missing(file: Connection) -> None:
    file.execute("DELETE FROM ledger WHERE seq IN (49, 60)")
    problems = found(verified(file, Request(50, 60)))
    assert problems == [("row_missing", 49), ("row_missing", 60)]


def test_a_stretch_by_time(file: Connection) -> None:
    signed = dict(file.execute("SELECT seq, timestamp FROM checkpoint").fetchall())
    assert chain.stretch(file, None, None) == (1, None)
    assert chain.stretch(file, signed[100], None) == (1, None)
    assert chain.stretch(file, signed[200], None) == (101, None)
    assert chain.stretch(file, "9999", None) == (291, None)
    assert chain.stretch(file, None, signed[100]) == (1, 100)
    assert chain.stretch(file, signed[200], signed[290]) == (101, 290)
    assert chain.stretch(file, signed[200], "9999") == (101, None)
