"""A ledger row's text is the canonical JSON that its hash is taken of."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from scaivault.crypto import digest
from scaivault.gate.caller import Caller, Principal
from scaivault.gate.ledger import Record, canonical, read_record, record, records

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
ATOM = st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT
NAME = st.text(st.characters(max_codepoint=127), max_size=8)
EXTRA = st.dictionaries(
    NAME,
    st.recursive(ATOM, lambda value: st.lists(value) | st.dictionaries(NAME, value), max_leaves=8),
    max_size=6,
)
NOW = 1_900_000_000_000_000
PRINCIPAL = Principal(
    identity_id="sa:app", identity_type="service_account", display_name="app",
    tenant_id="tnt_a", partner_id="ptn_a", scopes=frozenset(), roles=frozenset(),
    token_id="tok_a", token_kind="access", issuer="local", issued_at=0, expires_at=1,
)  # fmt: skip
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


@given(
    st.lists(st.tuples(TEXT, st.none() | TEXT, EXTRA, st.booleans()), max_size=5),
    st.none() | st.just(PRINCIPAL),
    st.none() | TEXT,
)
def test_rows_of_one_request_are_made_as_each_is_alone(
    about: list[tuple[str, str | None, dict[str, Any], bool]],
    principal: Principal | None,
    text: str | None,
) -> None:
    caller = Caller("req_a", text, text, 0, NOW, principal, text, text)
    made = records(caller, NOW, about)
    assert len({row.id for row in made}) == len(about)
    for row, (action, path, extra, success) in zip(made, about, strict=True):
        alone = record(caller, action, path, NOW)
        assert (len(row.id), row.id[:14]) == (len(alone.id), alone.id[:14])
        alone.id, alone.extra_data, alone.success = row.id, extra, success
        assert row == alone


@given(RECORDS)
def test_a_row_comes_back(record: Record) -> None:
    assert read_record(canonical(record)) == record
