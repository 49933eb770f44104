"""Reads whose ledger row the event loop commits itself: on disk before the answer, and where that
fails nothing is told but that it failed."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing
from typing import Any, Final

import pytest

from scaivault.storage import database as storage
from tests.support.failing import Failing, fail, mend
from tests.support.house import House
from tests.support.kept import Kept, told

CANARY: Final = "value-that-must-not-leave"
SECRET: Final = "/v1/secrets/app/db"
# Each leaves one row: of a value, of a list, of what is not there, of what may not be seen.
READS: Final = [SECRET, "/v1/secrets", "/v1/secrets/app/none", f"{SECRET}/versions"]


@pytest.fixture(autouse=True)
def never_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the disk of this host does, the loop commits."""
    monkeypatch.setattr(storage, "HERE_NS", 1 << 60)


@pytest.fixture
def groups(house: House, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each group that is closed from now on, whether the loop did it."""
    found: list[bool] = []
    loop, close = threading.get_ident(), house.vault.ledger.close_group

    def closing_one(*arguments: Any) -> None:
        found.append(threading.get_ident() == loop)
        close(*arguments)

    monkeypatch.setattr(house.vault.ledger, "close_group", closing_one)
    return found


def rows_on_disk(house: House, request_id: str) -> int:
    """As anybody sees them who opens the file now."""
    with closing(house.vault.database.connect()) as db:
        rows = [json.loads(one) for (one,) in db.execute("SELECT record FROM ledger")]
    return [row["request_id"] for row in rows].count(request_id)


@pytest.mark.parametrize("target", READS)
@pytest.mark.parametrize("token", ["", "stranger"])
async def test_the_row_is_on_disk_when_the_answer_leaves(
    house: House, groups: list[bool], target: str, token: str
) -> None:
    await house.put("app/db", {"v": CANARY})
    given = await house.client("app", ["secrets:read", "secrets:list"]) if token else ""
    kept, seen = Kept(house), []
    write = kept.wire.write

    def noting(data: bytes) -> None:
        request_id = bytes(data).partition(b"x-request-id: ")[2].partition(b"\r\n")[0].decode()
        seen.append(rows_on_disk(house, request_id))
        write(data)

    kept.wire.write = noting  # type: ignore[method-assign]
    del groups[:]
    for _ in range(3):
        await kept.get(target, token=given)
    assert seen == [1, 1, 1]
    assert True in groups or token  # a refusal by policy is announced as well: the writer's


def failing(house: House, where: str, name: str) -> Failing:
    """From now on the file fails."""
    return fail(house.vault.database, where, name)


WAYS: Final = [
    ("INSERT INTO ledger", "SQLITE_FULL", "disk_full"),
    ("INSERT INTO ledger", "SQLITE_IOERR_FSYNC", "io"),
    ("INSERT INTO ledger", "SQLITE_READONLY", "read_only"),
    ("", "SQLITE_IOERR", "io"),  # all of them
]


@pytest.mark.parametrize(("where", "name", "reason"), WAYS)
@pytest.mark.parametrize("target", READS)
async def test_a_failing_file(
    house: House, groups: list[bool], target: str, where: str, name: str, reason: str
) -> None:
    await house.put("app/db", {"v": CANARY})
    kept = Kept(house)
    before = await kept.get(target)
    known = len(await house.rows())
    del groups[:]
    bad = failing(house, where, name)
    for _ in range(2):
        answer = await kept.get(target)
        assert (answer.status, answer.code) == (503, "service_unavailable")
        assert answer.details == {"reason": reason}
        assert answer.headers["retry-after"] == "1"
        assert CANARY not in answer.body.decode()
    assert bad.failed >= 2
    assert set(groups) == {True}
    assert (await kept.get("/v1/health", token=None)).status == 200
    mend(house.vault.database, bad)
    assert len(await house.rows()) == known
    after = await kept.get(target)
    assert (after.status, told(after)) == (before.status, told(before))
    assert len(await house.rows()) == known + 1
    assert (await house.get("/v1/audit/verify")).json["valid"]


@pytest.mark.parametrize(
    ("where", "name", "reason"),
    [
        *WAYS, ("BEGIN", "SQLITE_BUSY", "busy"), ("SAVEPOINT", "SQLITE_IOERR", "io"),
        ("INSERT INTO secret", "SQLITE_FULL", "disk_full"), ("COMMIT", "SQLITE_FULL", "disk_full"),
        ("COMMIT", "SQLITE_IOERR_FSYNC", "io"),
    ],
)  # fmt: skip
async def test_a_file_that_fails_under_a_write(
    house: House, groups: list[bool], where: str, name: str, reason: str
) -> None:
    """Of one secret, which the loop commits as well: it is as it was."""
    await house.put("app/db", {"v": CANARY})
    kept = Kept(house)
    assert (await kept.get(SECRET)).json["version"] == 1
    del groups[:]
    bad = failing(house, where, name)
    for number in (2, 3):
        answer = await kept.call("PUT", SECRET, {"data": {"v": number}})
        assert (answer.status, answer.code) == (503, "service_unavailable")
        assert answer.details == {"reason": reason}
    assert bad.failed >= 2
    assert False not in groups
    mend(house.vault.database, bad)
    answer = await kept.get(SECRET)
    assert (answer.json["version"], answer.json["data"]) == (1, {"v": CANARY})
    assert (await kept.call("PUT", SECRET, {"data": {"v": 4}})).json["version"] == 2
    assert (await kept.get(SECRET)).json["data"] == {"v": 4}
    assert len(await house.rows(action="write", success=True)) == 2
    assert (await house.get("/v1/audit/verify")).json["valid"]


async def test_a_write_that_destroys_much_is_the_writers(house: House, groups: list[bool]) -> None:
    """A hundred old versions are fifty megabytes to overwrite: nobody else waits for that."""
    kept = Kept(house)
    for number in range(6):
        await kept.call("PUT", SECRET, {"data": {"n": number}})
    del groups[:]
    answer = await kept.call("PUT", SECRET, {"data": {"n": 6}, "options": {"max_versions": 2}})
    assert answer.json["version"] == 7
    assert groups == [True, False]  # the loop began it, with nothing to show for it
    listed = (await kept.get(f"{SECRET}/versions")).json["versions"]
    assert [one["version"] for one in listed] == [7, 6]
    del groups[:]
    assert (await kept.call("PUT", SECRET, {"data": {"n": 7}})).json["version"] == 8
    assert groups == [True]  # one old version is what each write takes away
    rows = await house.rows(action="write")
    assert [row["extra_data"]["version"] for row in rows] == [*range(1, 9)]
    assert all(row["success"] for row in rows)


async def test_a_write_over_what_was_deleted_long_ago(house: House, groups: list[bool]) -> None:
    kept = Kept(house)
    await kept.call("PUT", SECRET, {"data": {"n": 1}})
    await kept.call("DELETE", SECRET)
    house.clock.advance(31 * 86_400_000_000)
    del groups[:]
    assert (await kept.call("PUT", SECRET, {"data": {"n": 2}})).json["version"] == 1
    assert groups == [True, False]
    assert (await kept.get(SECRET)).json["data"] == {"n": 2}
    (purged,) = [row for row in await house.rows(action="delete") if "purge" in row["extra_data"]]
    assert purged["extra_data"]["version_count"] == 1


async def test_all_that_came_together_are_told(house: House, groups: list[bool]) -> None:
    """And a read that failed is not counted as one."""
    await house.put("app/db", {"v": CANARY})
    connections = [Kept(house) for _ in range(20)]
    await asyncio.gather(*(kept.get(SECRET) for kept in connections))
    known = len(await house.rows())
    del groups[:]
    bad = failing(house, "INSERT INTO ledger", "SQLITE_FULL")
    answers = await asyncio.gather(*(kept.get(SECRET) for kept in connections))
    assert {one.status for one in answers} == {503}
    assert not any(CANARY in one.body.decode() for one in answers)
    assert set(groups) == {True}
    mend(house.vault.database, bad)
    answers = await asyncio.gather(*(kept.get(SECRET) for kept in connections))
    assert [one.json["data"]["v"] for one in answers] == [CANARY] * 20
    assert len(await house.rows()) == known + 20
    assert (await house.get("/v1/audit/verify")).json["valid"]
    reads = house.vault.values.reads
    assert sum(reads.values()) == 40


async def test_a_commit_whose_answer_is_lost(house: House) -> None:
    """The row may be on disk although the engine said that it failed: the chain goes on behind it,
    and nothing was told."""
    await house.put("app/db", {"v": CANARY})
    kept = Kept(house)
    database = house.vault.database
    own: Any = database._own

    class Lost(Failing):
        def execute(self, sql: str, *values: Any) -> Any:
            if sql.startswith("INSERT INTO ledger"):
                own.execute(sql, *values)
            return super().execute(sql, *values)

    bad = Lost(own, "INSERT INTO ledger", "SQLITE_IOERR_FSYNC")
    database._own = bad  # type: ignore[assignment]
    answer = await kept.get(SECRET)
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert bad.failed == 1
    assert database._own not in (bad, own)  # another connection goes on
    for _ in range(3):
        assert told(await kept.get(SECRET)) == "ok"
    await house.put("app/db", {"v": "another"})
    assert (await house.get("/v1/audit/verify")).json["valid"]
    await house.restart()
    assert (await house.unseal()).status == 200
    assert (await house.get("/v1/audit/verify")).json["valid"]


async def test_clients_that_leave_while_it_commits(house: House, groups: list[bool]) -> None:
    """And whose requests are broken off: what was seen is in the ledger all the same."""
    await house.put("app/db", {"v": CANARY})
    await Kept(house).get(SECRET)  # from now on it is at hand
    known = len(await house.rows(action="read"))
    for _ in range(5):
        kept = Kept(house)
        kept.say("GET", SECRET)
        await asyncio.sleep(0)
        kept._connection.connection_lost(None)
        for task in list(kept._connection._state.tasks):
            task.cancel()
    assert told(await Kept(house).get(SECRET)) == "ok"
    assert len(await house.rows(action="read")) == known + 6


async def test_sealed_while_requests_wait(house: House) -> None:
    """Each is answered and recorded, or told that the vault is sealed; none is left alone."""
    await house.put("app/db", {"v": CANARY})
    connections = [Kept(house) for _ in range(8)]
    asked = [asyncio.create_task(kept.get(SECRET)) for kept in connections]
    await asyncio.sleep(0)
    sealing = asyncio.create_task(house.call("POST", "/v1/system/seal", {}))
    late = [asyncio.create_task(Kept(house).get(SECRET)) for _ in range(8)]
    answers = await asyncio.gather(*asked, *late)
    assert (await sealing).status == 200
    assert {told(one) for one in answers} <= {"ok", "sealed"}
    ids = {one.headers["x-request-id"] for one in answers if one.status == 200}
    assert (await house.unseal()).status == 200
    rows = await house.rows(action="read", success=True)
    assert {row["request_id"] for row in rows} == ids
    assert (await house.get("/v1/audit/verify")).json["valid"]
