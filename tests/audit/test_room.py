"""The audit verbs over a running database."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from scaivault.audit import Audit
from scaivault.clock import SECOND, FakeClock
from scaivault.crypto import signing
from scaivault.errors import Refusal
from scaivault.events.kinds import KINDS
from scaivault.gate.caller import Caller, background
from scaivault.gate.cursors import Cursors
from scaivault.gate.gate import Gate
from scaivault.gate.ledger import read_record
from scaivault.gate.outbox import Outbox
from scaivault.storage.database import Database
from scaivault.storage.file import Connection
from scaivault.system.opening import Opened
from scaivault.wire import audit as wire
from scaivault.wire.query import parse_query, query
from tests.audit.conftest import ROWS, SIGNED, VAULT, Made, found, open_again


@dataclass
class Room:
    audit: Audit
    database: Database
    opened: Opened
    clock: FakeClock

    def caller(self) -> Caller:
        return background("test", "req_1", self.clock.now(), self.clock.monotonic())

    async def verify(self, **fields: Any) -> wire.ChainReport:
        return await self.audit.verify(self.caller(), wire.VerifyChain(**fields))

    async def tamper(self, sql: str) -> None:
        await self.database.alone(lambda connection: connection.execute(sql))

    async def newest(self) -> Any:
        def look(connection: Connection) -> Any:
            return connection.execute("SELECT record FROM ledger ORDER BY seq DESC").fetchone()

        return read_record((await self.database.read(look))[0])


@pytest.fixture
def opened(made: Made) -> Opened:
    return open_again(made.folder, FakeClock())


@pytest.fixture
async def room(made: Made, opened: Opened) -> AsyncIterator[Room]:
    clock = FakeClock()
    clock.advance(3600 * SECOND)
    database = Database(
        made.folder.database, opened.file_key, opened.ledger, readers=2, cache_mib=8
    )
    gate = Gate(database, opened.envelope, Outbox(KINDS), clock)
    audit = Audit(gate, opened.ledger, VAULT, Cursors(opened.keyring))
    database.start()
    yield Room(audit, database, opened, clock)
    await database.close()
    opened.wipe()


async def refused(room: Room, **fields: Any) -> dict[str, str]:
    with pytest.raises(Refusal) as caught:
        await room.verify(**fields)
    assert (caught.value.code, caught.value.recorded) == ("validation_error", True)
    told: dict[str, str] = caught.value.details["fields"]
    return told


async def test_a_sound_chain_and_the_row_about_it(room: Room) -> None:
    report = await room.verify()
    assert (report.valid, report.complete, report.rows_checked) == (True, True, ROWS)
    row = await room.newest()
    assert (row.action, row.seq, row.success) == ("audit_verify", ROWS + 1, True)
    assert row.extra_data == {"records": ROWS}
    # The rows about verifying are verified too.
    assert (await room.verify()).rows_checked == ROWS + 1


async def test_a_finding_is_an_answer(room: Room) -> None:
    await room.tamper("DELETE FROM ledger WHERE seq = 57")
    report = await room.verify()
    assert (report.valid, found(report)) == (False, [("row_missing", 57)])
    assert (await room.newest()).success


async def test_a_tail_cut_off_under_a_running_vault(room: Room) -> None:
    await room.tamper("DELETE FROM ledger WHERE seq > 295")
    assert found(await room.verify()) == [("truncated", 295)]


async def test_a_damaged_page_is_a_finding_and_spoils_no_connection(made: Made, room: Room) -> None:
    descriptor = os.open(made.folder.database, os.O_RDWR)
    try:
        place = os.fstat(descriptor).st_size * 3 // 4  # the rows came last
        genuine = os.pread(descriptor, 1, place)
        os.pwrite(descriptor, bytes([genuine[0] ^ 1]), place)
        for _ in range(3):
            report = await room.verify()
            assert (report.valid, report.complete) == (False, True)
            assert found(report) == [("page_damaged", report.last_seq)]
            assert 0 < report.rows_checked < ROWS
        os.pwrite(descriptor, genuine, place)
    finally:
        os.close(descriptor)
    assert (await room.verify()).valid


async def test_ranges(room: Room) -> None:
    report = await room.verify(from_seq=100, to_seq=120)
    assert (report.first_seq, report.last_seq, report.rows_checked) == (100, 120, 21)
    expect = f"{ROWS}:{report.head.hash}"
    assert (await room.verify(expect=expect)).valid
    assert not (await room.verify(expect=f"{ROWS}:{'0' * 64}")).valid


async def test_ranges_of_time(room: Room) -> None:
    page = await room.audit.checkpoints(room.caller(), wire.ListCheckpoints())
    signed = {point.seq: point.timestamp for point in page.checkpoints}
    since, until = signed[200], signed[290]
    report = await room.verify(from_=since, to=until)
    assert (report.first_seq, report.last_seq) == (101, 290)
    # Another offset is the same time.
    other = since.replace("Z", "+00:00")
    assert (await room.verify(from_=other)).first_seq == 101
    assert (await room.verify(to="2031-05-09")).last_seq == 100


async def test_wrong_ranges(room: Room) -> None:
    assert set(await refused(room, from_="yesterday", to="x")) == {"from", "to"}
    assert set(await refused(room, from_seq=2, from_="2031-05-09")) == {"from_seq"}
    assert set(await refused(room, from_seq=9, to_seq=8)) == {"to_seq"}
    assert set(await refused(room, from_="2031-05-09", to="2031-05-09")) == {"to"}
    assert set(await refused(room, to="0001-01-01T00:00:00+23:00")) == {"to"}
    assert (await room.newest()).extra_data["error_code"] == "validation_error"


def test_the_query_string() -> None:
    head = f"9:{'ab' * 32}"
    pairs = parse_query(f"from=2031-05-09&to=2031-05-10&expect={head}".encode())
    expected = wire.VerifyChain(from_="2031-05-09", to="2031-05-10", expect=head)
    assert query(wire.VerifyChain, pairs) == expected
    for text in (b"from_seq=0", b"to_seq=x", b"expect=9", b"from_=2031-05-09"):
        with pytest.raises(Refusal):
            query(wire.VerifyChain, parse_query(text))


async def test_checkpoints_newest_first_by_pages(room: Room) -> None:
    first = await room.audit.checkpoints(room.caller(), wire.ListCheckpoints(limit=2))
    assert [point.seq for point in first.checkpoints] == [290, 200]
    assert first.has_more
    assert first.cursor is not None
    second = await room.audit.checkpoints(room.caller(), wire.ListCheckpoints(cursor=first.cursor))
    assert [point.seq for point in second.checkpoints] == [100]
    assert (second.cursor, second.has_more) == (None, False)
    assert (await room.newest()).action == "audit_read"


async def test_a_foreign_cursor(room: Room) -> None:
    with pytest.raises(Refusal, match="cursor"):
        await room.audit.checkpoints(room.caller(), wire.ListCheckpoints(cursor="AAAA"))


async def test_checkpoints_verify_with_the_keys_told(room: Room) -> None:
    told = await room.audit.keys(room.caller(), wire.ListKeys())
    assert (told.vault_id, len(told.keys)) == (VAULT, 1)
    key = told.keys[0]
    assert key.algorithm == "Ed25519"
    assert re.fullmatch(r"2031-05-09T06:30:00\.000000Z", key.created_at)
    public = signing.from_base64url(key.public_key)
    assert signing.checkpoint_key_id(public) == key.key_id
    page = await room.audit.checkpoints(room.caller(), wire.ListCheckpoints())
    assert [point.seq for point in page.checkpoints] == sorted(SIGNED, reverse=True)
    for point in page.checkpoints:
        fields = {name: getattr(point, name) for name in point.__struct_fields__}
        signature = fields.pop("signature")
        assert signing.checkpoint_verified(public, fields, signature)


async def test_new_rows_are_written_while_a_chain_is_verified(room: Room) -> None:
    """One snapshot: what is committed meanwhile is not half of it."""
    reports = await asyncio.gather(*(room.verify() for _ in range(8)))
    assert all(report.valid for report in reports)
    assert sorted(report.rows_checked for report in reports) == [
        report.head.seq for report in sorted(reports, key=lambda one: one.head.seq)
    ]
