"""No single change of what is stored goes unseen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.audit.chain import Known, Request
from scaivault.storage.file import Connection
from tests.audit.conftest import ROWS, SIGNED, Made, found, verified

rows = st.integers(1, ROWS)
points = st.sampled_from(SIGNED)


@pytest.fixture(scope="module")
def shared(template: Made, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """One copy for all examples, each of which is rolled back."""
    made = template.copied(tmp_path_factory.mktemp("shared") / "data")
    with closing(made.connect()) as connection:
        yield connection


@contextmanager
def tampering(file: Connection) -> Iterator[Connection]:
    file.execute("BEGIN")
    try:
        yield file
    finally:
        file.execute("ROLLBACK")


def flipped(raw: bytes, place: int, bit: int) -> bytes:
    changed = bytearray(raw)
    changed[place % len(raw)] ^= 1 << bit
    return bytes(changed)


@given(seq=rows, place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_a_bit_of_a_record(shared: Connection, seq: int, place: int, bit: int) -> None:
    with tampering(shared) as file:
        (text,) = file.execute(
            "SELECT CAST(record AS BLOB) FROM ledger WHERE seq = ?", (seq,)
        ).fetchone()
        file.execute(
            "UPDATE ledger SET record = CAST(? AS TEXT) WHERE seq = ?",
            (flipped(text, place, bit), seq),
        )
        problems = found(verified(file))
        assert ("row_modified", seq) in problems
        assert {kind for kind, _ in problems} <= {"row_modified", "sequence_error"}
        assert {place for _, place in problems} == {seq}


@given(seq=rows, place=st.integers(0, 31), bit=st.integers(0, 7))
def test_a_bit_of_a_hash(shared: Connection, seq: int, place: int, bit: int) -> None:
    with tampering(shared) as file:
        (stored,) = file.execute("SELECT hash FROM ledger WHERE seq = ?", (seq,)).fetchone()
        changed = flipped(stored, place, bit)
        file.execute("UPDATE ledger SET hash = ? WHERE seq = ?", (changed, seq))
        problems = found(verified(file))
        # Of the last row nobody behind it can say which half was changed.
        assert ("row_modified" if seq == ROWS else "link_broken", seq) in problems
        assert {place for _, place in problems} == {seq}
        assert (("checkpoint_mismatch", seq) in problems) == (seq in SIGNED)


@given(first=rows, count=st.integers(1, ROWS))
def test_rows_taken_out(shared: Connection, first: int, count: int) -> None:
    with tampering(shared) as file:
        (head,) = file.execute("SELECT hash FROM ledger WHERE seq = ?", (ROWS,)).fetchone()
        last = min(first + count - 1, ROWS)
        file.execute("DELETE FROM ledger WHERE seq BETWEEN ? AND ?", (first, last))
        problems = found(verified(file, Request(expect=Known(ROWS, head))))
        if last == ROWS:
            assert {kind for kind, _ in problems} == {"truncated"}
        else:
            assert problems == [("row_missing", first)]


@given(one=rows, other=rows, whole=st.booleans())
def test_two_rows_swapped(shared: Connection, one: int, other: int, whole: bool) -> None:
    columns = "hash, record" if whole else "record"
    with tampering(shared) as file:
        stored = {
            seq: file.execute(f"SELECT {columns} FROM ledger WHERE seq = ?", (seq,)).fetchone()
            for seq in (one, other)
        }
        setting = ", ".join(f"{name} = ?" for name in columns.split(", "))
        for seq, source in ((one, other), (other, one)):
            file.execute(f"UPDATE ledger SET {setting} WHERE seq = ?", (*stored[source], seq))
        problems = found(verified(file))
        if one == other:
            assert problems == []
        else:
            assert {("sequence_error", one), ("sequence_error", other)} <= set(problems)
            assert {seq for _, seq in problems} == {one, other}


@given(
    seq=points,
    column=st.sampled_from(["hash", "timestamp", "key_id", "signature"]),
    place=st.integers(0, 10_000),
    bit=st.integers(0, 7),
)
def test_a_bit_of_a_checkpoint(
    shared: Connection, seq: int, column: str, place: int, bit: int
) -> None:
    with tampering(shared) as file:
        (raw,) = file.execute(
            f"SELECT CAST({column} AS BLOB) FROM checkpoint WHERE seq = ?", (seq,)
        ).fetchone()
        kind = "BLOB" if column == "hash" else "TEXT"
        file.execute(
            f"UPDATE checkpoint SET {column} = CAST(? AS {kind}) WHERE seq = ?",
            (flipped(raw, place, bit), seq),
        )
        assert found(verified(file)) == [("checkpoint_invalid", seq)]


@given(seq=points, prev_seq=st.integers(-(2**63), 2**63 - 1))
def test_the_number_before_a_checkpoint(shared: Connection, seq: int, prev_seq: int) -> None:
    with tampering(shared) as file:
        (genuine,) = file.execute(
            "SELECT prev_seq FROM checkpoint WHERE seq = ?", (seq,)
        ).fetchone()
        file.execute("UPDATE checkpoint SET prev_seq = ? WHERE seq = ?", (prev_seq, seq))
        problems = found(verified(file))
        assert problems == ([] if prev_seq == genuine else [("checkpoint_invalid", seq)])


@given(seq=points, to=st.integers(-(2**63), 2**63 - 1))
def test_the_number_of_a_checkpoint(shared: Connection, seq: int, to: int) -> None:
    if to in SIGNED:
        return
    with tampering(shared) as file:
        file.execute("UPDATE checkpoint SET seq = ? WHERE seq = ?", (to, seq))
        problems = found(verified(file))
        assert ("checkpoint_invalid", to) in problems
        assert {kind for kind, _ in problems} == {"checkpoint_invalid"}


@given(first=st.integers(1, ROWS), last=st.integers(1, ROWS), limit=st.integers(1, ROWS))
def test_every_part_of_a_sound_chain_is_sound(
    shared: Connection, first: int, last: int, limit: int
) -> None:
    report = verified(shared, Request(first, max(first, last), limit=limit))
    assert report.problems == []
    assert report.rows_checked == min(limit, max(first, last) - first + 1)
    assert report.complete == (report.last_seq == max(first, last))
