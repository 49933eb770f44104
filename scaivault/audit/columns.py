"""What the rows of a segment say, kind by kind, for counting: a column for each.

A column holds the distinct values of a kind and for each of the 4096 rows the number of its value,
0 for none: a byte each, two bytes (little-endian) where there are more than 255 values. So any set
of rows is counted with some 20 pages read for their paths and one for each other kind, where each
value has an entry on a page of its own in the index of terms.

3,300 paths in a segment make 140 KiB, 34 bytes a row.
"""

from __future__ import annotations

import json
import struct
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import compress
from typing import Final, NamedTuple

import msgspec

from scaivault.audit.terms import SEGMENT, Kind, unflags
from scaivault.storage.file import Connection

KINDS: Final = (Kind.ACTION, Kind.ADDRESS, Kind.CODE, Kind.IDENTITY, Kind.PATH, Kind.TYPE)
_BYTE: Final = 255  # values that fit beside 0
_WIDE: Final = struct.Struct(f"<{SEGMENT}H")
_PUT: Final = (
    "INSERT INTO audit_column (kind, segment, names, codes) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (kind, segment) DO UPDATE SET names = excluded.names, codes = excluded.codes"
)
_GET: Final = (
    "SELECT segment, names, codes FROM audit_column WHERE kind = :kind"
    " AND segment IN (SELECT value FROM json_each(:segments))"
)
_names: Final = msgspec.json.Decoder(list[str]).decode


class Column(NamedTuple):
    """``codes``: of each place, its value's place in ``names`` counted from 1."""

    names: Sequence[str]
    codes: Sequence[int]

    def add_up(self, flagged: bytes, counter: Counter[str]) -> None:
        """Add up the rows whose place is flagged, by their values."""
        chosen = compress(self.codes, flagged)
        if len(self.names) <= _BYTE:
            codes = bytes(chosen)
            for code, name in enumerate(self.names, 1):
                if count := codes.count(code):
                    counter[name] += count
        else:
            # A third of what it takes to look at each value here.
            counter.update(map(("", *self.names).__getitem__, filter(None, chosen)))

    def where(self, wanted: Iterable[bool]) -> int:
        """The bitmap of the rows whose value is wanted; of each of the names whether it is."""
        chosen = bytes([False, *wanted])
        return unflags(bytes(map(chosen.__getitem__, self.codes)))

    def without(self, gone: Iterable[int]) -> Column:
        """The same but for some places: values that nothing else says are left out."""
        codes = list(self.codes)
        for place in gone:
            codes[place] = 0
        used = sorted(set(codes) - {0})
        again = dict(zip(used, range(1, len(used) + 1), strict=True)) | {0: 0}
        return Column([self.names[code - 1] for code in used], [again[code] for code in codes])


def column(places: Mapping[str, Iterable[int]]) -> Column:
    """Of a kind's values and their places."""
    codes = [0] * SEGMENT
    for code, found in enumerate(places.values(), 1):
        for place in found:
            codes[place] = code
    return Column(list(places), codes)


def put(db: Connection, kind: Kind, segment: int, made: Column) -> None:
    """Store a column, again if it is there."""
    few = len(made.names) <= _BYTE
    codes = bytes(made.codes) if few else _WIDE.pack(*made.codes)
    names = msgspec.json.encode(list(made.names)).decode()
    db.execute(_PUT, (kind, segment, names, codes))


def stored(db: Connection, kind: Kind, segments: Iterable[int]) -> Iterator[tuple[int, Column]]:
    """The columns of a kind, by segment."""
    wanted = {"kind": kind, "segments": json.dumps(list(segments))}
    for segment, names, codes in db.execute(_GET, wanted):
        wide = len(codes) == _WIDE.size
        yield segment, Column(_names(names), _WIDE.unpack(codes) if wide else codes)
