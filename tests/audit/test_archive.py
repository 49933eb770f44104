"""The archive: every signed row shipped once, before it may go."""

from __future__ import annotations

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from scaivault.audit import archive
from scaivault.clock import DAY, HOUR, MINUTE
from tests.audit.exporting import fill, kinds, lines, verify
from tests.support.house import House


@pytest.fixture
async def archiving(tmp_path: Path) -> AsyncIterator[House]:
    house = await House.opened(tmp_path / "data", audit__archive__type="file")
    yield house
    await house.close()


async def ship(house: House) -> list[str]:
    """A checkpoint, and what is shipped behind it; the files by first row."""
    house.clock.advance(10 * MINUTE)
    await house.run_jobs()
    house.clock.advance(2 * MINUTE)
    await house.run_jobs()
    return names(house)


def names(house: House) -> list[str]:
    found = [entry.name for entry in (house.path / "archive").iterdir()]
    return sorted(found, key=lambda name: int(name.split("-")[1]))


async def test_rows_and_their_checkpoint(archiving: House) -> None:
    await archiving.run_jobs()
    await fill(archiving)
    (name,) = await ship(archiving)
    *rows, closing = lines(archiving.path / "archive" / name)
    assert name == f"audit-1-{rows[-1]['seq']}.jsonl"
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    assert closing["checkpoint"]["hash"] == rows[-1]["hash"]
    report = verify(archiving.path / "archive")
    assert (report["valid"], report["rows_checked"], report["unsigned_tail"]) == (
        True,
        len(rows),
        0,
    )


async def test_one_chain_through_all_files(archiving: House) -> None:
    await archiving.run_jobs()
    for _ in range(3):
        await archiving.put("app/s0", {})
        found = await ship(archiving)
    assert len(found) == 3
    spans = [tuple(map(int, name[6:-6].split("-"))) for name in found]
    assert all(one[1] + 1 == two[0] for one, two in pairwise(spans))
    path = archiving.path / "archive"
    assert verify(path)["valid"]
    (path / found[1]).rename(path / "gone")
    assert kinds(verify(path)) >= {"row_missing"}
    (path / "gone").rename(path / found[1])
    middle = (path / found[1]).read_text()
    (path / found[1]).write_text(middle.replace("app/s0", "app/x0", 1))
    assert kinds(verify(path)) == {"row_modified"}
    (path / found[1]).write_text("".join(middle.splitlines(keepends=True)[:-1]))
    assert "truncated" in kinds(verify(path))


async def test_after_a_crash_it_goes_on(archiving: House) -> None:
    await archiving.run_jobs()
    await fill(archiving)
    await ship(archiving)
    await archiving.crash()
    await archiving.unseal()
    await archiving.run_jobs()
    await archiving.put("app/more", {})
    assert len(await ship(archiving)) >= 2
    assert verify(archiving.path / "archive")["valid"]


async def test_a_crash_behind_a_file_ships_it_again_as_it_was(
    archiving: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """As the end of the process."""

    def killed(*_: Any, **__: Any) -> None:
        raise Killed

    await archiving.run_jobs()
    await fill(archiving)
    monkeypatch.setattr(archive, "_keep", killed)
    with pytest.raises(Killed):
        await ship(archiving)
    monkeypatch.undo()
    (name,) = names(archiving)
    before = (archiving.path / "archive" / name).read_bytes()
    await archiving.crash()
    await archiving.unseal()
    await archiving.run_jobs()
    await archiving.put("app/more", {})
    found = await ship(archiving)
    assert found[0] == name
    assert (archiving.path / "archive" / name).read_bytes() == before
    spans = [tuple(map(int, one[6:-6].split("-"))) for one in found]
    assert all(one[1] + 1 == two[0] for one, two in pairwise(spans))
    assert verify(archiving.path / "archive")["valid"]


async def test_a_store_that_fails_blocks_nothing_and_is_tried_again(archiving: House) -> None:
    await archiving.run_jobs()
    (archiving.path / "archive").mkdir(exist_ok=True)
    (archiving.path / "archive").rmdir()
    (archiving.path / "archive").symlink_to(archiving.path / "tmp")
    await fill(archiving)
    archiving.clock.advance(10 * MINUTE)
    await archiving.run_jobs()
    archiving.clock.advance(MINUTE)
    await archiving.run_jobs()
    assert list((archiving.path / "tmp").iterdir()) == []
    (archiving.path / "archive").unlink()
    archiving.clock.advance(2 * HOUR)
    await archiving.run_jobs()
    assert names(archiving)


async def test_no_row_goes_before_it_was_shipped(archiving: House) -> None:
    await archiving.run_jobs()
    (archiving.path / "archive").symlink_to(archiving.path / "tmp")
    await fill(archiving)
    await archiving.call("PUT", "/v1/audit/retention", {"retention": "30d"})
    for _ in range(40):
        archiving.clock.advance(DAY)
        await archiving.run_jobs()
    report = (await archiving.get("/v1/audit/verify")).json
    assert (report["valid"], report["rows_pruned"]) == (True, 0)
    assert (await archiving.get("/v1/audit/retention")).json["archive"] is True
    (archiving.path / "archive").unlink()
    for _ in range(3):
        archiving.clock.advance(DAY)
        await archiving.run_jobs()
    report = (await archiving.get("/v1/audit/verify")).json
    assert report["valid"]
    assert report["rows_pruned"] > 0
    assert verify(archiving.path / "archive")["valid"]


async def test_an_idle_vault_ships_nothing(archiving: House) -> None:
    await archiving.run_jobs()
    for _ in range(4):
        found = await ship(archiving)
    for _ in range(6):
        again = await ship(archiving)
    assert again == found
