"""Whatever a room notes, the row that is written is one that a row may be."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import FakeClock
from scaivault.crypto import digest
from scaivault.gate import extra
from scaivault.gate.caller import background
from scaivault.gate.ledger import Ledger, LedgerUnit, canonical, read_record, record

ATOM = (
    st.none()
    | st.booleans()
    | st.integers(-(2**80), 2**80)
    | st.floats()
    | st.text(st.characters(), max_size=40)
    | st.binary(max_size=8)
)
ANYTHING = st.recursive(
    ATOM,
    lambda value: (
        st.lists(value)
        | st.dictionaries(st.text(st.characters(), max_size=8), value)
        | st.tuples(value)
    ),
    max_leaves=12,
)
EXTRA = st.dictionaries(st.text(st.characters(), max_size=12), ANYTHING, max_size=8)


class Colour(StrEnum):
    RED = "red"


class Connection:
    """Takes the rows that the ledger inserts."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def execute(self, _sql: str, values: list[Any]) -> None:
        self.rows += values[2::3]


def written(noted: dict[str, Any]) -> bytes:
    clock = FakeClock()
    entry = record(background("test", "req_1", clock.now(), 0), "read", None, clock.now())
    entry.extra_data = noted
    file = Connection()
    Ledger("vlt_x", clock).close_group(file, [LedgerUnit(0, [entry])])  # type: ignore[arg-type]  # stands in for one
    return file.rows[0].encode()


def check(body: bytes) -> dict[str, Any]:
    entry = read_record(body)
    assert digest.jcs({name: getattr(entry, name) for name in entry.__struct_fields__}) == body
    assert len(canonical(entry.extra_data)) <= 8 * 1024
    return entry.extra_data


@given(EXTRA)
def test_every_row_can_be_encoded_alike_elsewhere(noted: dict[str, Any]) -> None:
    check(written(noted))


@given(st.integers(0, 3), st.integers(0, 20_000))
def test_what_a_row_says_besides_is_bounded(short: int, long: int) -> None:
    kept = check(written({"paths": ["a" * 10] * long, "short": "b" * short}))
    assert kept["short"] == "b" * short
    assert kept["paths"] == ["a" * 10] * len(kept["paths"])


def test_many_entries_are_bounded_too() -> None:
    assert check(written({f"key{number}": None for number in range(3000)}))


@pytest.mark.parametrize(
    ("noted", "kept"),
    [
        (1.5, "1.5"), (float("inf"), "inf"), (2**53, "0x20000000000000"), (-(2**53) + 1,) * 2,
        ("Zoë",) * 2, ("a\ud800b", "a?b"), (Colour.RED, "red"), ((1, 2), [1, 2]),
        ({"b", "a"}, ["a", "b"]), (object(), None), (b"secret", None),
        ({"é": 1.0}, {"\\xe9": "1.0"}),
    ],
)  # fmt: skip
def test_what_stands_in(noted: object, kept: object) -> None:
    assert check(written({"it": noted})) == {"it": kept}


def test_a_row_that_fits_is_left_alone() -> None:
    noted = {"version": 4, "created": True, "reason": None, "note": "x" * 8000}
    assert extra.fitting(noted) is noted
    assert check(written(noted)) == noted


def test_depth_ends() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    check(written({"deep": deep}))
