"""Searches and sums over the ledger, beside the requests.

Each step is a question to a reader of its own; between two of them requests go on, and the log of
the database can be folded. One step at a time: two would take the interpreter from the loop twice.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from scaivault.audit import index, rows
from scaivault.audit.filters import Filter
from scaivault.audit.rows import Row
from scaivault.audit.search import (
    Question,
    Reach,
    Search,
    Stretch,
    first_segment,
    signed_before,
)
from scaivault.audit.tally import Count, Tally, windows
from scaivault.audit.terms import SEGMENT, segment_of
from scaivault.errors import Refusal
from scaivault.gate.gate import Gate
from scaivault.storage.file import Connection

# Of rows that are read one by one, 5 to 30 us each: a page ends behind so many, though it
# is not full; sums are refused while more than so many are not indexed.
PAGE_ROWS: Final = 1 << 16
SUM_ROWS: Final = 3 << 16


class Looking:
    """One per open vault."""

    def __init__(self, gate: Gate) -> None:
        self._gate: Final = gate
        self._turn: Final = asyncio.Lock()

    async def stretch(self, head: int | None = None) -> Stretch:
        """All rows, or those up to ``head``."""

        def question(db: Connection) -> Stretch:
            last = rows.head(db)
            return Stretch(1, last if head is None else min(last, head), index.reached(db))

        async with self._turn:
            return await self._gate.ask(question)

    async def find(
        self, question: Question, stretch: Stretch, most: int, *, rising: bool = False
    ) -> tuple[list[Row], int | None]:
        """The first ``most`` rows of the stretch that are meant, from its end or its start; and
        the row that the look was broken off at, when it was."""
        stretch = await self._narrowed(question.filter, stretch)
        search, found = Search(question, stretch, rising=rising), list[Row]()
        while not search.done and len(found) < most and search.looked < PAGE_ROWS:
            async with self._turn:
                found += await self._gate.ask(search.step)
        broken_off = len(found) < most and not search.done
        return found[:most], search.reached if broken_off else None

    async def links(self, found: list[Row]) -> dict[int, bytes]:
        """The hashes of the rows before those; row 1 has none before it."""
        async with self._turn:
            return await self._gate.ask(lambda db: rows.hashes(db, [row.seq - 1 for row in found]))

    async def tally(
        self,
        question: Question,
        stretch: Stretch,
        counts: tuple[Count, ...],
        *,
        marks: bool = False,
    ) -> Tally:
        """Sums of the rows of a stretch that are meant; 503 while the index is far behind."""
        tally = Tally(counts, marks=marks)
        stretch = await self._narrowed(question.filter, stretch)
        if stretch.last - max(stretch.first - 1, stretch.indexed) > SUM_ROWS:
            raise Refusal(
                "service_unavailable",
                "the audit log is being indexed; ask again in some minutes, or for a later time",
                reason="indexing",
            )
        home = question._replace(reach=Reach.HOME)
        for first, last in windows(stretch):
            async with self._turn:
                await self._gate.ask(partial(tally.count, question=home, first=first, last=last))
        await self._add(tally, Search(home, stretch, partly=True))
        if question.reach is Reach.BOTH:
            abroad = question._replace(reach=Reach.ABROAD)
            await self._add(tally, Search(abroad, stretch))
        return tally

    async def _narrowed(self, asked: Filter, stretch: Stretch) -> Stretch:
        """Without what lies before the time that is asked for."""

        def first(db: Connection) -> int:
            signed = signed_before(db, asked)
            segment = first_segment(db, asked, segment_of(signed + 1))
            indexed = stretch.indexed + 1 if segment is None else segment * SEGMENT + 1
            return max(indexed, signed + 1, stretch.first)

        async with self._turn:
            return stretch._replace(first=await self._gate.ask(first))

    async def _add(self, tally: Tally, search: Search) -> None:
        def step(db: Connection) -> None:
            for row in search.step(db):
                tally.add(row.entry)

        while not search.done:
            async with self._turn:
                await self._gate.ask(step)
