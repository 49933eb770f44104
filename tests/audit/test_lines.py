"""Rows as lines: canonical JSON, and csv that no spreadsheet takes for formulas."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from scaivault.audit.lines import COLUMNS, csv_header, csv_line, jsonl, line, record_of
from scaivault.audit.tombstones import Tombstone, digest_of, tombstone
from scaivault.audit.tracing import exact, read_line
from scaivault.crypto import digest
from scaivault.gate.ledger import Record, canonical, read_record
from tests.audit.test_chain_vector import H0, H1, ROW_1

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
OPTIONAL = st.none() | TEXT
EXTRA = st.dictionaries(
    st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=8),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    max_size=4,
)
RECORDS = st.builds(
    Record,
    action=TEXT, actor_tenant_id=OPTIONAL, duration_ms=st.integers(0, 2**40), extra_data=EXTRA,
    id=TEXT, identity_id=OPTIONAL, identity_type=OPTIONAL, partner_id=OPTIONAL, request_id=TEXT,
    secret_path=OPTIONAL, seq=st.integers(1, 2**53), source_ip=OPTIONAL, success=st.booleans(),
    tenant_id=OPTIONAL, timestamp=TEXT, user_agent=OPTIONAL,
)  # fmt: skip
BEFORE, BEHIND = bytes(32), bytes(range(32))


@given(RECORDS)
def test_a_line_is_canonical_and_gives_the_row_back(entry: Record) -> None:
    found = line(entry, BEFORE, BEHIND)
    raw = jsonl(found)
    fields: dict[str, Any] = {name: getattr(found, name) for name in COLUMNS}
    assert raw == digest.jcs(fields) + b"\n" if fields["seq"] < 2**53 else raw
    again = read_line(raw)
    assert exact(again, raw[:-1])
    assert digest.row_digest(canonical(record_of(again))) == digest_of(canonical(entry))


@given(RECORDS)
def test_csv_cells(entry: Record) -> None:
    raw = csv_line(line(entry, BEFORE, BEHIND))
    assert raw.endswith(b"\r\n")
    (cells,) = csv.reader(io.StringIO(raw.decode(), newline=""), strict=True)
    assert len(cells) == len(COLUMNS)
    for name, cell in zip(COLUMNS, cells, strict=True):
        assert not cell.startswith(("=", "+", "-", "@")), name
        value = getattr(entry, name, None)
        if isinstance(value, str):
            assert cell == (f"'{value}" if value.startswith(("=", "+", "-", "@")) else value)


def test_the_header() -> None:
    assert csv_header().decode().strip().split(",") == list(COLUMNS)


@given(st.binary(min_size=32, max_size=32), st.integers(1, 2**53), st.integers(1, 2**53))
def test_a_tombstone_stands_in_for_its_row(row_digest: bytes, number: int, seq: int) -> None:
    stone = Tombstone(row_digest.hex(), number, seq)
    body = canonical(stone)
    assert tombstone(body) == stone
    assert digest_of(body) == row_digest
    assert tombstone(body + b" ") is None
    assert tombstone(body.replace(b'"digest"', b'"Digest"')) is None


def test_the_published_forms() -> None:
    text = (Path(__file__).parents[2] / "docs" / "formats.md").read_text()
    entry = read_record(ROW_1)
    raw = jsonl(line(entry, bytes.fromhex(H0), bytes.fromhex(H1))).decode()
    row_digest = digest.row_digest(ROW_1.encode()).hex()
    assert raw in text
    assert f'[1,"{row_digest}"]\n' in text
    assert canonical(Tombstone(row_digest, 900, 1)).decode() in text
