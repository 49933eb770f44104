"""Counters of reads over any sequence of reads, flushes, stops and crashes: every read counts
exactly once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scaivault.clock import DAY, instant
from tests.support.house import House

PATHS = ("a/one", "a/two")

steps = st.lists(
    st.one_of(
        st.tuples(st.just("read"), st.sampled_from(PATHS)),
        st.tuples(st.just("wait"), st.integers(0, 12)),
        st.tuples(st.sampled_from(["flush", "crash", "restart", "look", "again"]), st.none()),
    ),
    max_size=14,
)


class Model:
    """What must come out: the instants of all reads of each path that still count."""

    def __init__(self) -> None:
        self.reads: dict[str, list[int]] = {path: [] for path in PATHS}

    def count(self, path: str, now: int) -> int:
        first = now // DAY - 29
        return sum(at // DAY >= first for at in self.reads[path])

    def last(self, path: str) -> str | None:
        return instant(max(self.reads[path])) if self.reads[path] else None


async def play(folder: Path, sequence: Sequence[tuple[str, str | int | None]]) -> None:
    house = await House.opened(folder / "vault", rate_limits__enabled=False)
    model = Model()
    try:
        for path in PATHS:
            assert (await house.put(path, {"v": 1})).status == 201
        for step, value in (*sequence, ("look", None), ("crash", None), ("look", None)):
            await take(house, model, step, value)
    finally:
        await house.close()


async def take(house: House, model: Model, step: str, value: str | int | None) -> None:
    match step:
        case "read":
            path = str(value)
            assert (await house.read(path)).status == 200
            model.reads[path].append(house.clock.now())
        case "wait":
            house.clock.advance(int(value or 0) * DAY + 1)
        case "flush":
            await house.vault.flush()
        case "crash":
            await house.crash()
            assert (await house.unseal()).status == 200
        case "restart":
            await house.restart()
            assert (await house.unseal()).status == 200
        case "again":  # deleted for good and made anew: it starts from nothing
            query = {"permanent": "true"}
            where = f"/v1/secrets/{PATHS[0]}"
            assert (await house.call("DELETE", where, query=query)).status == 200
            assert (await house.put(PATHS[0], {"v": 2})).status == 201
            model.reads[PATHS[0]].clear()
        case _:
            await look(house, model)


async def look(house: House, model: Model) -> None:
    for path in PATHS:
        answer = await house.call("GET", f"/v1/secrets/metadata/{path}")
        assert answer.status == 200, answer.body
        assert answer.json["access_count_30d"] == model.count(path, house.clock.now())
        assert answer.json["last_accessed_at"] == model.last(path)


# Each example opens a vault of its own, several times.
slowly = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slowly
@given(steps)
def test_every_read_counts_once(sequence: list[tuple[str, str | int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), sequence))
