"""Columns of a segment: what is stored of them counts as the rows do."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.audit import columns
from scaivault.audit.terms import SEGMENT, Kind, flags, unflags
from scaivault.storage.file import Connection

PLACES = st.sets(st.integers(0, SEGMENT - 1))


def values_of(distinct: int) -> list[str | None]:
    """What each row says; every seventh says nothing."""
    return [None if place % 7 == 0 else f"p/{place % distinct}" for place in range(SEGMENT)]


def made_of(values: list[str | None]) -> columns.Column:
    places: dict[str, list[int]] = {}
    for place, value in enumerate(values):
        if value is not None:
            places.setdefault(value, []).append(place)
    return columns.column(places)


def counted(column: columns.Column, chosen: set[int]) -> Counter[str]:
    counter: Counter[str] = Counter()
    column.add_up(bytes(place in chosen for place in range(SEGMENT)), counter)
    return counter


@given(distinct=st.sampled_from([1, 5, 255, 256, 4096]), chosen=PLACES, gone=PLACES)
def test_rows_are_counted_by_what_they_say(distinct: int, chosen: set[int], gone: set[int]) -> None:
    values = values_of(distinct)
    column = made_of(values)
    assert counted(column, chosen) == Counter(values[n] for n in chosen if values[n] is not None)
    left = column.without(gone)
    assert counted(left, chosen) == Counter(
        values[n] for n in chosen - gone if values[n] is not None
    )
    assert set(left.names) == {
        value for n, value in enumerate(values) if value is not None and n not in gone
    }


@pytest.mark.parametrize("distinct", [1, 218, 255, 256, 300, 4096])
def test_a_column_comes_back(file: Connection, distinct: int) -> None:
    column = made_of(values_of(distinct))
    columns.put(file, Kind.PATH, 3, made_of(values_of(9)))
    columns.put(file, Kind.PATH, 3, column)
    columns.put(file, Kind.CODE, 4, column)
    ((segment, found),) = columns.stored(file, Kind.PATH, [2, 3, 4])
    assert segment == 3
    assert (list(found.names), list(found.codes)) == (column.names, column.codes)


@given(PLACES)
def test_flags_come_back(chosen: set[int]) -> None:
    bits = sum(1 << place for place in chosen)
    assert unflags(flags(bits)) == bits
