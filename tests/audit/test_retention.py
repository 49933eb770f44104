"""How long rows are kept, who may say so, and what becomes of them afterwards."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from scaivault.audit import prune
from scaivault.clock import DAY, HOUR
from scaivault.crypto import digest
from scaivault.system import offline
from tests.audit.exporting import exported, fill, kinds, lines, verify
from tests.support.house import PASSPHRASE, House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner, found_tenant

WHERE = "/v1/audit/retention"


async def put(house: House, retention: Any, token: str = "") -> Any:
    return await house.call("PUT", WHERE, {"retention": retention}, token=token)


async def test_the_default(house: House) -> None:
    assert (await house.get(WHERE)).json == {
        "retention": "2555d",
        "pending_retention": None,
        "pending_from": None,
        "archive": False,
    }


async def test_longer_at_once_and_shorter_in_a_week(house: House) -> None:
    assert (await put(house, "3000d")).json["retention"] == "3000d"
    shown = (await put(house, "52w")).json
    assert (shown["retention"], shown["pending_retention"]) == ("3000d", "52w")
    assert shown["pending_from"] == "2031-05-16T06:30:00.000000Z"
    house.clock.advance(7 * DAY)
    assert (await house.get(WHERE)).json == {
        "retention": "52w",
        "pending_retention": None,
        "pending_from": None,
        "archive": False,
    }
    row = (await house.rows(action="audit_retention"))[-1]
    assert row["extra_data"]["pending_retention"] == "52w"


async def test_a_further_call_cancels_what_is_pending(house: House) -> None:
    await put(house, "30d")
    assert (await put(house, "2555d")).json["pending_retention"] is None
    house.clock.advance(8 * DAY)
    assert (await house.get(WHERE)).json["retention"] == "2555d"


@pytest.mark.parametrize("text", ["29d", "36501d", "1y", "", "-30d", "30 d"])
async def test_durations_that_are_refused(house: House, text: str) -> None:
    answer = await put(house, text)
    assert (answer.status, answer.code) == (400, "invalid_duration")


async def test_who_may(house: House) -> None:
    token = await house.client("reader", ["audit:read"], ["tenant_admin"])
    assert (await put(house, "60d", token)).code == "insufficient_scope"
    token = await house.client("plain", ["admin"])
    assert (await put(house, "60d", token)).code == "forbidden"
    tenant = await found_tenant(house, "beside")
    token = await house.client("admin", ["admin"], ["tenant_admin"], tenant.id)
    assert (await put(house, "3000d", token)).status == 200
    assert (await house.get(WHERE)).json["retention"] == "2555d"


# -- pruning ---------------------------------------------------------------------------------------


async def age(house: House, retention: str = "30d") -> None:
    """Rows that are over their retention, signed, and the prune job run."""
    await put(house, retention)
    await house.run_jobs()
    for _ in range(40):
        house.clock.advance(DAY + HOUR)
        await house.run_jobs()


async def stones(house: House) -> dict[int, Any]:
    rows = await raw(house)
    return {seq: entry for seq, entry in rows.items() if "prune_seq" in entry}


async def raw(house: House) -> dict[int, Any]:
    found = await house.vault.gate.ask(
        lambda db: db.execute("SELECT seq, record FROM ledger").fetchall()
    )
    return {seq: msgspec.json.decode(text) for seq, text in found}


async def online(house: House, **query: Any) -> Any:
    return (await house.get("/v1/audit/verify", query=query)).json


async def test_old_rows_become_tombstones(house: House) -> None:
    await fill(house)
    before = await raw(house)
    await age(house)
    left = await stones(house)
    assert left
    writes = [seq for seq, entry in before.items() if entry.get("action") == "write"]
    assert set(writes) <= set(left)
    for seq in writes:
        assert left[seq]["digest"] == digest.row_digest(digest.jcs(before[seq])).hex()
        assert left[seq]["seq"] == seq
    told = [entry for entry in (await raw(house)).values() if entry.get("action") == "audit_prune"]
    of_tenant = [entry for entry in told if entry["tenant_id"] == house.made["tenant_id"]]
    seqs = sorted(
        seq for entry in of_tenant for seq in left if left[seq]["prune_seq"] == entry["seq"]
    )
    assert sum(entry["extra_data"]["rows"] for entry in of_tenant) == len(seqs)
    for entry in told:
        own = sorted(seq for seq in left if left[seq]["prune_seq"] == entry["seq"])
        extra = entry["extra_data"]
        assert extra["set_hash"] == digest.pruned_set(own).hex()
        assert (extra["first_seq"], extra["last_seq"]) == (own[0], own[-1])
        assert entry["identity_id"] == "system:audit"
    report = await online(house)
    assert (report["valid"], report["problems"]) == (True, [])
    assert report["rows_pruned"] == len(left)
    logs = (await house.get("/v1/audit/logs?action=write")).json["logs"]
    assert [entry for entry in logs if entry["secret_path"].startswith("app/")] == []


async def test_nothing_goes_before_its_time(house: House) -> None:
    await fill(house)
    await put(house, "30d")
    for _ in range(30):
        house.clock.advance(DAY)
        await house.run_jobs()
    assert await stones(house) == {}


async def test_other_tenants_rows_stay(house: House) -> None:
    partner = await found_partner(house, "foreign")
    token = await neighbour(house, "tenant_admin", partner.id)
    theirs = await house.call("PUT", "/v1/secrets/their/own", {"data": {}}, token=token)
    await fill(house)
    await age(house)
    rows = (await raw(house)).values()
    kept = [entry for entry in rows if entry.get("request_id") == theirs.headers["x-request-id"]]
    assert len(kept) == 1


async def test_steps_and_restarts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prune, "STEP", 2)
    monkeypatch.setattr(prune, "_PAGE", 3)
    await fill(house, 9)
    await age(house)
    assert len(await stones(house)) >= 9
    assert (await online(house))["valid"]
    await house.crash()
    assert (await house.unseal()).status == 200
    assert (await house.read("app/s1")).status == 200
    assert (await online(house))["valid"]
    last = (await online(house))["last_seq"]
    for first in range(1, last, 3):
        part = await online(house, from_seq=first, to_seq=min(last, first + 4))
        assert part["problems"] == [], first


async def test_the_writer_runs_few_statements_for_many_rows(house: House) -> None:
    await fill(house, 60)
    ran: list[str] = []
    await house.vault.database.alone(lambda db: db.set_trace_callback(ran.append))
    await age(house)
    await house.vault.database.alone(lambda db: db.set_trace_callback(None))
    assert len(await stones(house)) >= 60
    # Each gives the interpreter's lock up, and waits for it behind whoever answers requests.
    pruning = [sql for sql in ran if sql.startswith("UPDATE ledger") or "audit_term" in sql]
    assert 0 < len(pruning) < 20


@pytest.mark.parametrize(
    "sql",
    [
        # a row that nobody pruned
        "UPDATE ledger SET record = '{stone}' WHERE seq = {other}",
        # a pruning that tells of another set
        "UPDATE ledger SET record = replace(record, '\"prune_seq\":{prune}', '\"prune_seq\":{far}')"
        " WHERE seq = {seq}",
    ],
)
async def test_tombstones_that_nothing_tells_of(house: House, sql: str) -> None:
    await fill(house)
    await age(house)
    left = await stones(house)
    seq, stone = next(iter(left.items()))
    rows = await raw(house)
    other = next(
        n for n, entry in rows.items() if n not in left and entry["action"] != prune.ACTION
    )
    body = digest.row_digest(digest.jcs(rows[other])).hex()
    forged = f'{{"digest":"{body}","prune_seq":{stone["prune_seq"]},"seq":{other}}}'
    statement = sql.format(
        stone=forged, other=other, seq=seq, prune=stone["prune_seq"], far=max(rows)
    )
    await house.vault.database.alone(lambda db: db.execute(statement))
    report = await online(house)
    assert {problem["kind"] for problem in report["problems"]} == {"prune_unmatched"}


async def test_a_digest_that_was_changed(house: House) -> None:
    await fill(house)
    await age(house)
    seq = next(iter(await stones(house)))
    statement = (
        f"UPDATE ledger SET record = replace(record, substr(record, 12, 2), 'zz') WHERE seq = {seq}"
    )
    await house.vault.database.alone(lambda db: db.execute(statement))
    assert not (await online(house))["valid"]


async def test_an_export_over_pruned_rows(house: House) -> None:
    await fill(house)
    await age(house)
    done, path = await exported(house)
    found = {row["seq"] for row in lines(path / "part-00001.jsonl")}
    assert not found & set(await stones(house))
    assert done["manifest"]["chain"]["first_seq"] == 1
    assert (kinds(verify(path)), verify(path)["valid"]) == (set(), True)


async def test_the_data_directory_verifies_offline(house: House) -> None:
    await fill(house)
    await age(house)
    await house.close()
    report = await asyncio.to_thread(
        offline.verify, house.path, credential=lambda _: {"passphrase": PASSPHRASE}
    )
    assert report["valid"]
    assert report["rows_pruned"] > 0
    house._start()
