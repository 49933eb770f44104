"""A ledger row's text is the canonical JSON that its hash is taken of."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto import digest
from scaivault.gate.ledger import Record, canonical, read_record

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ATOM = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
NAME = st.text(st.characters(max_codepoint=127), max_size=8)
EXTRA = st.dictionaries(
    NAME,
    st.recursive(ATOM, lambda value: st.lists(value) | st.dictionaries(NAME, value), max_leaves=8),
    max_size=6,
)
RECORDS = st.builds(
    Record,
    action=TEXT,
    actor_tenant_id=st.none() | TEXT,
    duration_ms=st.integers(0, 2**40),
    extra_data=EXTRA,
    id=TEXT,
    identity_id=st.none() | TEXT,
    identity_type=st.none() | TEXT,
    partner_id=st.none() | TEXT,
    request_id=TEXT,
    secret_path=st.none() | TEXT,
    seq=st.integers(1, 2**53 - 1),
    source_ip=st.none() | TEXT,
    success=st.booleans(),
    tenant_id=st.none() | TEXT,
    timestamp=TEXT,
    user_agent=st.none() | TEXT,
)


@given(RECORDS)
def test_the_fast_encoder_writes_the_canonical_form(record: Record) -> None:
    assert canonical(record) == digest.jcs(msgspec.structs.asdict(record))


@given(RECORDS)
def test_a_row_comes_back(record: Record) -> None:
    assert read_record(canonical(record)) == record
