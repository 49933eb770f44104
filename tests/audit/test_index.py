"""The index of the ledger: whatever it knows, queries answer what the rows say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scaivault.audit import index, looking, lookup, tally
from scaivault.audit.terms import SEGMENT, pack, places, said, terms, unpack
from scaivault.clock import DAY, HOUR
from scaivault.gate import globs
from scaivault.gate.ledger import read_record
from scaivault.storage.failures import StorageFailed
from scaivault.storage.file import Connection
from scaivault.storage.units import Unit
from tests.support import ledger
from tests.support.house import House
from tests.support.running import EXAMPLES, Running, running_house
from tests.support.tenants import found_tenant

FEWER = settings(EXAMPLES, max_examples=30)  # each is some 30 ms of sums
ROWS = 2 * SEGMENT + 700
OTHER = "other"


async def furnished(house: House) -> str:
    """Rows of two tenants; the id of the second one."""
    other = await found_tenant(house, OTHER)
    await ledger.fill(house, [house.made["tenant_id"], other.id], ROWS)
    return other.id


@pytest.fixture(scope="module", params=["not indexed", "indexed", "pruned", "many paths"])
def running(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    path = tmp_path_factory.mktemp("index") / "vault"
    with pytest.MonkeyPatch.context() as patch, running_house(path) as found:
        if request.param == "many paths":
            patch.setattr(lookup, "SEVERAL", 0)
        found.run(furnished(found.house))
        if request.param != "not indexed":
            assert found.run(ledger.indexed(found.house)) == 2
        if request.param == "pruned":
            found.run(ledger.prune(found.house, [*range(900, 1100), 5000, SEGMENT, SEGMENT + 1]))
        yield found


SOME = st.sampled_from
DAYS = st.floats(-1, 65)
FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "from": DAYS, "to": DAYS,
    "action": SOME(["read", "write", "rotate,delete", "auth_failed", "seal"]),
    "identity_id": SOME(["user:mira@harbor.example", "sa:ci", "none", "sa:nobody"]),
    "identity_type": SOME(["user", "service_account", "system", "group"]),
    "path_prefix": SOME(["", "a", "app", "app/", "app/db", "shop/prod/mailer", "zz"]),
    "success": SOME(["true", "false"]),
    "source_ip": SOME(["192.0.2.14", "2001:db8::7", "198.51.100.1"]),
}  # fmt: skip


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(st.lists(SOME(sorted(FILTERS)), unique=True, max_size=4))
    return {name: draw(FILTERS[name]) for name in names}


def timed(house: House, chosen: dict[str, Any]) -> dict[str, Any]:
    """With times for days; a range that is none loses its end."""
    made = {
        name: ledger.days_ago(house, value) if name in ("from", "to") else value
        for name, value in chosen.items()
    }
    if made.get("from", "") >= made.get("to", "~"):
        del made["to"]
    return made


@EXAMPLES
@given(chosen=filters(), rising=st.booleans(), limit=st.integers(1, 1000), pages=st.integers(1, 3))
def test_any_mix_of_filters_finds_what_a_plain_look_finds(
    running: Running, chosen: dict[str, Any], rising: bool, limit: int, pages: int
) -> None:
    running.run(_compare(running.house, chosen, rising, limit, pages))


async def _compare(
    house: House, chosen: dict[str, Any], rising: bool, limit: int, pages: int
) -> None:
    query = timed(house, chosen)
    means, sees = ledger.asked(**query), ledger.seen(house.made["tenant_id"])
    wanted = [row for row in await ledger.everything(house) if sees(row) and means(row)]
    wanted = wanted if rising else wanted[::-1]
    query |= {"limit": limit, "order": "asc" if rising else "desc"}
    got: list[Any] = []
    for _ in range(pages):
        answer = await house.get("/v1/audit/logs", query=query)
        assert answer.status == 200, answer.body
        got += answer.json["logs"]
        query = {"cursor": answer.json["cursor"]}
        if not answer.json["has_more"]:
            break
    assert [row["seq"] for row in got] == [row["seq"] for row in wanted[: limit * pages]]
    assert answer.json["has_more"] == (len(wanted) > len(got))
    for told, row in zip(got, wanted, strict=False):
        assert {name: told[name] for name in row} == row


@FEWER
@given(first=DAYS, last=DAYS)
def test_sums_are_those_of_the_rows(running: Running, first: float, last: float) -> None:
    async def work() -> None:
        house = running.house
        query = timed(house, {"from": first, "to": last})
        means, sees = ledger.asked(**query), ledger.seen(house.made["tenant_id"])
        rows = [row for row in await ledger.everything(house) if sees(row) and means(row)]
        told = (await house.get("/v1/audit/summary", query=query)).json
        assert told.pop("from") == query["from"]
        assert told.pop("to") == query.get("to", ledger.days_ago(house, 0))
        assert told == ledger.sums(rows)

    running.run(work())


@pytest.mark.parametrize("path", ["app/db", "shop/prod/mailer", "app", "nothing/here"])
def test_the_trail_of_a_path_counts_its_rows(running: Running, path: str) -> None:
    async def work() -> None:
        house = running.house
        month = ledger.asked(**{"from": ledger.days_ago(house, 30)})
        sees = ledger.seen(house.made["tenant_id"])
        rows = [row for row in await ledger.everything(house) if sees(row)]
        rows = [row for row in rows if row["secret_path"] == path]
        query = {"from": ledger.days_ago(house, 50), "to": ledger.days_ago(house, 40)}
        told = (await house.get(f"/v1/audit/secrets/{path}", query=query)).json
        assert told["summary"] == ledger.of_secret([row for row in rows if month(row)])
        within = [row["seq"] for row in rows if ledger.asked(**query)(row)]
        assert [row["seq"] for row in told["logs"]] == within[::-1][:100]

    running.run(work())


@FEWER
@given(who=SOME(["sa:ci", "user:mira@harbor.example", "sa:nobody"]), first=DAYS, last=DAYS)
def test_the_trail_of_an_identity_counts_its_rows(
    running: Running, who: str, first: float, last: float
) -> None:
    async def work() -> None:
        house = running.house
        query = timed(house, {"from": first, "to": last})
        tenant, means = house.made["tenant_id"], ledger.asked(**query)
        rows = [
            row
            for row in await ledger.everything(house)
            if row["identity_id"] == who
            and (ledger.seen(tenant)(row) or row["actor_tenant_id"] == tenant)
        ]
        rows = [row for row in rows if means(row)]
        told = (await house.get(f"/v1/audit/identities/{who}", query=query)).json
        summary = told["summary"]
        assert (summary.pop("from"), summary.pop("to")) == (query["from"], query.get("to"))
        assert summary == ledger.of_identity(rows)
        assert [row["seq"] for row in told["logs"]] == [row["seq"] for row in rows[::-1][:100]]

    running.run(work())


@pytest.mark.parametrize("few", [0, SEGMENT])
@pytest.mark.parametrize("glob", ["**", "app/*", "shop/prod/mailer", "nowhere/**"])
def test_sums_keep_to_the_paths_of_a_token(
    running: Running, monkeypatch: pytest.MonkeyPatch, few: int, glob: str
) -> None:
    monkeypatch.setattr(tally, "FEW", few)

    async def work() -> None:
        house = running.house
        since, sees = ledger.days_ago(house, 45), ledger.seen(house.made["tenant_id"])
        means, pattern = ledger.asked(**{"from": since}), globs.compile(glob)
        rows = [
            row
            for row in await ledger.everything(house)
            if sees(row) and means(row) and row["secret_path"] is not None
            if pattern.matches(row["secret_path"])
        ]
        told = (await ledger.narrowed(house, f"/v1/audit/summary?from={since}", glob)).json
        assert {name: told[name] for name in ledger.sums([])} == ledger.sums(rows)

    running.run(work())


@pytest.mark.parametrize("few", [0, SEGMENT])
def test_rows_and_columns_count_alike(
    running: Running, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(tally, "FEW", few)

    async def work() -> None:
        house = running.house
        tenant, query = house.made["tenant_id"], {"from": ledger.days_ago(house, 40)}
        means, home = ledger.asked(**query), ledger.seen(tenant)
        rows = await ledger.everything(house)
        theirs = [
            row
            for row in rows
            if row["identity_id"] == "sa:ci"
            and (home(row) or row["actor_tenant_id"] == tenant)
            and means(row)
        ]
        told = (await house.get("/v1/audit/identities/sa:ci", query=query)).json["summary"]
        assert {name: told[name] for name in told if name not in ("from", "to")} == (
            ledger.of_identity(theirs)
        )
        month = ledger.asked(**{"from": ledger.days_ago(house, 30)})
        about = [row for row in rows if home(row) and row["secret_path"] == "app/db" and month(row)]
        answer = (await house.get("/v1/audit/secrets/app/db")).json
        assert answer["summary"] == ledger.of_secret(about)

    running.run(work())


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("prefix", ["", "z", "nowhere"])
def test_a_page_ends_where_much_was_looked_at(
    running: Running, monkeypatch: pytest.MonkeyPatch, order: str, prefix: str
) -> None:
    monkeypatch.setattr(looking, "PAGE_ROWS", 1)

    async def work() -> None:
        house = running.house
        sees, means = ledger.seen(house.made["tenant_id"]), ledger.asked(path_prefix=prefix)
        wanted = [row["seq"] for row in await ledger.everything(house) if sees(row) and means(row)]
        query: dict[str, Any] = {"order": order, "path_prefix": prefix, "limit": 1000}
        got: list[int] = []
        pages: list[int] = []
        while query:
            page = (await house.get("/v1/audit/logs", query=query)).json
            got += [row["seq"] for row in page["logs"]]
            pages.append(len(page["logs"]))
            assert page["has_more"] == (page["cursor"] is not None)
            query = {"cursor": page["cursor"]} if page["has_more"] else {}
        assert got == (wanted if order == "asc" else wanted[::-1])
        if (await _state(house))[0] == 0:
            assert len(pages) > 1 + len(wanted) // 1000

    running.run(work())


def test_a_request_is_found_by_its_id(running: Running) -> None:
    async def work() -> None:
        house = running.house
        rows = [row for row in await ledger.everything(house) if row["tenant_id"] is not None]
        mine = [row for row in rows if row["tenant_id"] == house.made["tenant_id"]]
        for row in mine[:: len(mine) // 12]:
            answer = await house.get(f"/v1/audit/logs?request_id={row['request_id']}")
            assert [found["id"] for found in answer.json["logs"]] == [row["id"]]
        assert (await house.get("/v1/audit/logs?request_id=req_x")).json["logs"] == []

    running.run(work())


# -- while it is far behind ----------------------------------------------------------------------

SUMS = ("/v1/audit/summary", "/v1/audit/secrets/app/db", "/v1/audit/identities/sa:ci")


@pytest.mark.parametrize("target", SUMS)
async def test_sums_wait_for_the_index(
    house: House, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.setattr(looking, "SUM_ROWS", SEGMENT - 1)
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT)
    refused = await house.get(target)
    assert (refused.status, refused.code) == (503, "service_unavailable")
    assert (refused.details["reason"], refused.headers["retry-after"]) == ("indexing", "1")
    assert (await house.get("/v1/audit/logs")).status == 200
    await ledger.indexed(house)
    assert (await house.get(target)).status == 200


@pytest.mark.parametrize("ready", [False, True])
async def test_sums_of_a_later_time_wait_for_less(
    house: House, monkeypatch: pytest.MonkeyPatch, ready: bool
) -> None:
    """Checkpoints tell which rows are older, to a day."""
    monkeypatch.setattr(looking, "SUM_ROWS", 1000)
    await ledger.fill(house, [house.made["tenant_id"]], 1500)
    await house.vault.checkpoint()
    house.clock.advance((2 if ready else 1) * DAY + 1)
    since = ledger.days_ago(house, 1)
    house.clock.advance(1_000_000)
    await house.put("app/late")
    answer = await house.get("/v1/audit/summary", query={"from": since})
    assert answer.status == (200 if ready else 503)
    if ready:
        assert answer.json["top_secrets"] == [{"path": "app/late", "events": 1}]


# -- filling it --------------------------------------------------------------------------------


async def _state(house: House) -> tuple[int, int, int]:
    def look(db: Connection) -> tuple[int, int, int]:
        (count,) = db.execute("SELECT count(*) FROM audit_term").fetchone()
        (segments,) = db.execute("SELECT count(*) FROM audit_segment").fetchone()
        return index.reached(db), segments, count

    return await house.vault.gate.ask(look)


async def test_only_full_segments_are_indexed_and_that_leaves_no_row(house: House) -> None:
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT - 500)
    before = house.vault.ledger.committed_seq
    assert await ledger.indexed(house) == 0
    await ledger.fill(house, [house.made["tenant_id"]], 600)
    assert await ledger.indexed(house) == 1
    assert house.vault.ledger.committed_seq == before + 600
    assert (await _state(house))[:2] == (SEGMENT, 1)
    assert await ledger.indexed(house) == 0


async def test_the_worker_catches_up_after_an_opening(house: House) -> None:
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT + 10)
    await house.restart()
    await house.unseal()
    assert (await _state(house))[0] == 0
    house.clock.advance(1_000_000)
    await house.run_jobs()
    house.clock.advance(1_000_000)
    await house.run_jobs()
    assert (await _state(house))[0] == SEGMENT


@pytest.mark.parametrize("portions", [0, 1, 2])
async def test_a_stop_between_portions_is_made_good(
    house: House, monkeypatch: pytest.MonkeyPatch, portions: int
) -> None:
    monkeypatch.setattr(index, "PORTION", 0)
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT)
    submit, done = house.vault.database.submit, 0

    def stops(unit: Unit) -> Any:
        nonlocal done
        done += 1
        if done > portions:
            raise StorageFailed("io")
        return submit(unit)

    with monkeypatch.context() as broken:
        broken.setattr(house.vault.database, "submit", stops)
        with pytest.raises(StorageFailed):
            await house.vault.audit_index.advance()
    assert (await _state(house)) == (0, 0, index.TOGETHER * portions)
    await house.crash()
    await house.unseal()
    assert await ledger.indexed(house) == 1
    reach, segments, count = await _state(house)
    rows = [row for row in await ledger.everything(house) if row["seq"] <= SEGMENT]
    assert (reach, segments) == (SEGMENT, 1)
    assert count == _terms_of(rows)


def _terms_of(rows: list[Any]) -> int:
    entries = (read_record(msgspec.json.encode(row)) for row in rows)
    return len({term for entry in entries for term in terms(said(entry))})


@pytest.mark.parametrize("others", [0, 1])
async def test_a_portion_ends_when_somebody_waits(
    house: House, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    monkeypatch.setattr(index, "PORTION", 10**15)
    database = house.vault.database
    entries = [("", "act", f"v{number}", 0, pack([number])) for number in range(50)]
    portion = database.submit(index.Portion(database, entries, 0))
    waiting = [database.submit(Unit()) for _ in range(others)]
    assert await portion == (index.TOGETHER if others else len(entries))
    for one in waiting:
        await one
    written = await portion
    assert (await _state(house))[2] == written


async def test_pruned_content_leaves_the_index(house: House) -> None:
    await house.put("only/once")
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT)
    await ledger.indexed(house)

    async def known() -> int:
        return await house.vault.gate.ask(
            lambda db: (
                _holds("only/once", "audit_term", "value")(db)
                + _holds("only/once", "audit_column", "names")(db)
            )
        )

    assert await known() == 2
    (row,) = await house.rows(secret_path="only/once")
    await ledger.prune(house, [row["seq"]])
    assert await known() == 0


@given(st.sets(st.integers(0, SEGMENT - 1)))
def test_places_come_back(chosen: set[int]) -> None:
    assert places(unpack(pack(sorted(chosen)))) == sorted(chosen)


@given(st.integers(250, 260))
def test_places_come_back_in_both_forms(count: int) -> None:
    assert len(pack(list(range(count)))) <= SEGMENT // 8
    assert places(unpack(pack(list(range(count))))) == list(range(count))


async def test_noted_rows_are_indexed_like_rows_that_are_read(house: House) -> None:
    """A house that was opened anew has noted nothing, so it reads."""
    await ledger.fill(house, [house.made["tenant_id"]], 3 * SEGMENT)
    asked = house.vault.database.read
    read = 0

    def counted(*question: Any) -> Any:
        nonlocal read
        read += 1
        return asked(*question)

    house.vault.database.read = counted  # type: ignore[method-assign, assignment]  # until restart
    assert await ledger.indexed(house) == 3
    assert read < 4 * SEGMENT // index._READ  # the first one's beginning was before this process
    noted = await _tables(house)
    await house.vault.database.alone(_forgotten)
    await house.restart()
    await house.unseal()
    assert await ledger.indexed(house) >= 3
    again = await _tables(house)
    assert [rows[: len(before)] for rows, before in zip(again, noted, strict=True)] == noted


async def test_nothing_that_was_pruned_is_indexed(house: House) -> None:
    """Rows can be over their retention before their segment is full."""
    await house.put("plans/merger", {"n": 1})
    await house.call("PUT", "/v1/audit/retention", {"retention": "30d"})
    for _ in range(40):
        house.clock.advance(DAY + HOUR)
        await house.run_jobs()
    assert not await house.vault.gate.ask(_holds("plans/merger", "ledger", "record"))
    await ledger.fill(house, [house.made["tenant_id"]], SEGMENT)
    assert await ledger.indexed(house) == 1
    assert not await house.vault.gate.ask(_holds("plans/merger", "audit_term", "value"))
    assert not await house.vault.gate.ask(_holds("plans/merger", "audit_column", "names"))


def _holds(text: str, table: str, column: str) -> Any:
    sql = f"SELECT count(*) FROM {table} WHERE instr({column}, ?)"
    return lambda db: db.execute(sql, (text,)).fetchone()[0]


async def _tables(house: House) -> list[list[Any]]:
    wanted = (
        "SELECT * FROM audit_segment ORDER BY number",
        "SELECT * FROM audit_term ORDER BY segment, owner_id, kind, value",
        "SELECT kind, segment, names, codes FROM audit_column ORDER BY segment, kind",
    )
    return await house.vault.gate.ask(lambda db: [db.execute(sql).fetchall() for sql in wanted])


def _forgotten(db: Connection) -> None:
    db.execute("BEGIN IMMEDIATE")
    db.execute("DELETE FROM audit_term")
    db.execute("DELETE FROM audit_segment")
    db.execute("DELETE FROM audit_column")
    db.execute("DELETE FROM projection WHERE name = ?", (index.NAME,))
    db.execute("COMMIT")
