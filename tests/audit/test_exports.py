"""Export jobs: what may be asked for, what is written, how a job ends."""

from __future__ import annotations

import csv
import hashlib
import io
import stat
from typing import Any

import pytest

from scaivault.audit import export_files
from scaivault.clock import MINUTE
from scaivault.crypto import digest
from scaivault.storage.failures import StorageFailed
from tests.audit.exporting import (
    FILE,
    exported,
    fill,
    folder,
    job,
    kinds,
    lines,
    run,
    start,
    verify,
)
from tests.support.house import House
from tests.support.rights import neighbour
from tests.support.tenants import found_partner

S3 = {"type": "s3", "bucket": "b", "credentials_path": "infra/key"}


async def test_what_is_written(house: House) -> None:
    await fill(house)
    done, path = await exported(house, destination={"type": "file", "prefix": "audit/2031-"})
    assert path.parent.name == "audit"
    assert path.name == f"2031-{done['export_id']}"
    names = {"part-00001.jsonl", "chain.jsonl", "checkpoints.jsonl", "manifest.json"}
    assert {entry.name for entry in path.iterdir()} == names
    for entry in path.iterdir():
        assert stat.S_IMODE(entry.stat().st_mode) == 0o600
    for parent in (path, *path.parents[: path.parents.index(house.path)]):
        assert stat.S_IMODE(parent.stat().st_mode) == 0o700, parent
    manifest = lines(path / "manifest.json")[0]
    assert manifest == done["manifest"]
    for file in manifest["files"]:
        content = (path / file["name"]).read_bytes()
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
        assert (file["size_bytes"], file["records"]) == (len(content), content.count(b"\n"))
    assert verify(path)["valid"]


async def test_records_are_those_of_the_logs(house: House) -> None:
    await fill(house)
    body = {"filters": {"action": "write", "path_prefix": "app/"}}
    done, path = await exported(house, **body)
    found = lines(path / "part-00001.jsonl")
    shown = (await house.get("/v1/audit/logs?action=write&path_prefix=app/&order=asc")).json["logs"]
    assert found == shown
    assert done["records"] == len(found) == 5
    assert done["filters"] == body["filters"]
    for raw in (path / "part-00001.jsonl").read_bytes().splitlines():
        assert raw == digest.jcs(lines(path / "part-00001.jsonl")[found_at(found, raw)])


def found_at(found: list[Any], raw: bytes) -> int:
    return next(n for n, entry in enumerate(found) if entry["id"].encode() in raw)


async def test_to_the_end_of_the_calendar(house: House) -> None:
    await fill(house)
    everything, _ = await exported(house)
    last, _ = await exported(house, to="9999-12-31T23:59:59.999999Z")
    assert last["records"] > everything["records"]


async def test_the_digests_of_all_rows_are_there(house: House) -> None:
    await fill(house)
    await house.client("other", ["secrets:read"])
    done, path = await exported(house, filters={"action": "write"})
    rows = await house.rows()
    links = lines(path / "chain.jsonl")
    last = done["manifest"]["chain"]["last_seq"]
    assert [seq for seq, _ in links] == list(range(1, last + 1))
    assert links == [[row["seq"], digest.row_digest(digest.jcs(row)).hex()] for row in rows[:last]]


async def test_nothing_committed_after_the_request(house: House) -> None:
    started = await start(house)
    await fill(house)
    await run(house)
    path = folder(house, await job(house, started.json["export_id"]))
    assert not [row for row in lines(path / "part-00001.jsonl") if row["action"] == "write"]
    assert verify(path)["valid"]


async def test_only_rows_in_time_and_in_sight(house: House) -> None:
    await fill(house, 1)
    house.clock.advance(60 * MINUTE)
    await house.put("late/one", {})
    partner = await found_partner(house, "foreign")
    token = await neighbour(house, "tenant_admin", partner.id)
    await house.call("PUT", "/v1/secrets/their/own", {"data": {}}, token=token)
    _, path = await exported(house, **{"from": "2031-05-09T07:00:00Z"})
    paths = [row["secret_path"] for row in lines(path / "part-00001.jsonl")]
    assert "late/one" in paths
    assert "app/s0" not in paths
    assert "their/own" not in paths
    assert verify(path)["valid"]


async def test_csv(house: House) -> None:
    await house.put("app/db", {})
    await house.call("GET", "/v1/secrets/app/db", headers={"User-Agent": '=cmd|"a",\'!'})
    done, path = await exported(house, format="csv")
    content = (path / "part-00001.csv").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(content, newline=""))
    assert header[:3] == ["id", "timestamp", "action"]
    assert header[-3:] == ["seq", "prev_hash", "hash"]
    assert len(rows) == done["records"]
    assert content.count("\r\n") == len(rows) + 1
    agents = {row[header.index("user_agent")] for row in rows}
    assert "'=cmd|\"a\",'!" in agents
    assert verify(path)["valid"]


async def test_parts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_files, "PART", 4)
    monkeypatch.setattr(export_files, "_PAGE", 3)
    await fill(house, 9)
    _, path = await exported(house, filters={"action": "write"})
    counts = [len(lines(path / f"part-0000{number}.jsonl")) for number in (1, 2, 3)]
    assert counts == [4, 4, 1]
    report = verify(path)
    assert (report["valid"], report["rows_checked"]) == (True, 9)


async def test_an_empty_range(house: House) -> None:
    done, path = await exported(house, **{"from": "2039-01-01"})
    assert done["records"] == 0
    assert (path / "part-00001.jsonl").read_bytes() == b""
    assert verify(path)["valid"]


async def test_the_list(house: House) -> None:
    ids = []
    for _ in range(3):
        house.clock.advance(MINUTE)
        ids.append((await start(house)).json["export_id"])
    first = (await house.get("/v1/audit/exports?limit=2")).json
    assert [one["export_id"] for one in first["exports"]] == ids[:0:-1]
    assert first["has_more"]
    rest = (await house.get("/v1/audit/exports", query={"cursor": first["cursor"]})).json
    assert [one["export_id"] for one in rest["exports"]] == ids[:1]
    assert "manifest" not in rest["exports"][0]
    assert (await house.get(f"/v1/audit/exports/{ids[0]}")).json["manifest"] is None


async def test_another_tenants_export_is_not_there(house: House) -> None:
    started = await start(house)
    partner = await found_partner(house, "foreign")
    token = await neighbour(house, "partner_admin", partner.id)
    answer = await house.get(f"/v1/audit/exports/{started.json['export_id']}", token=token)
    assert (answer.status, answer.code) == (404, "export_not_found")
    assert (await house.get("/v1/audit/exports", token=token)).json["exports"] == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2041-01-01"}, "to"),
        ({"destination": {"type": "ftp"}}, "destination.type"),
        ({"destination": {**FILE, "bucket": "b"}}, "destination.bucket"),
        ({"destination": {**FILE, "credentials_path": "a"}}, "destination.credentials_path"),
        ({"destination": {**FILE, "endpoint": "https://x.example"}}, "destination.endpoint"),
        ({"destination": {"type": "s3", "credentials_path": "a"}}, "destination.bucket"),
        ({"destination": {"type": "gcs", "bucket": "b"}}, "destination.credentials_path"),
        ({"destination": {**S3, "access_key_id": "A"}}, "destination.access_key_id"),
        ({"destination": {**S3, "bucket": "a/b"}}, "destination.bucket"),
        ({"destination": {**S3, "region": "x.evil/"}}, "destination.region"),
        ({"destination": {**S3, "endpoint": "https://10.0.0.1"}}, "destination.endpoint"),
        ({"destination": {**S3, "endpoint": "https://127.1"}}, "destination.endpoint"),
        ({"destination": {**S3, "endpoint": "http://s3.example"}}, "destination.endpoint"),
        ({"destination": {**S3, "endpoint": "https://u@s3.example"}}, "destination.endpoint"),
        ({"destination": {**FILE, "prefix": "/a"}}, "destination.prefix"),
        ({"destination": {**FILE, "prefix": "a//b"}}, "destination.prefix"),
        ({"destination": {**FILE, "prefix": "../b"}}, "destination.prefix"),
        ({"destination": {**FILE, "prefix": "a/./b"}}, "destination.prefix"),
        ({"destination": {**FILE, "prefix": "a b"}}, "destination.prefix"),
        ({"destination": {**FILE, "prefix": "a" * 257}}, "destination.prefix"),
        ({"filters": {"action": "dance"}}, "filters.action"),
        ({"filters": {"source_ip": "home"}}, "filters.source_ip"),
        ({"filters": {"identity_id": "me"}}, "filters.identity_id"),
        ({"filters": {"limit": 3}}, "filters.limit"),
        ({"format": "xml"}, "format"),
    ],
)
async def test_what_is_refused(house: House, body: dict[str, Any], field: str) -> None:
    answer = await start(house, **body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == {field}
    row = (await house.rows(request_id=answer.headers["x-request-id"]))[0]
    assert (row["action"], row["success"]) == ("export_created", False)


async def test_missing_fields_are_told_at_once(house: House) -> None:
    answer = await house.call("POST", "/v1/audit/export", {})
    assert set(answer.details["fields"]) == {"from", "to", "destination"}


@pytest.mark.parametrize("scope", ["partner", "vault"])
async def test_wider_scopes_take_a_role(house: House, scope: str) -> None:
    token = await house.client("exporter", ["audit:export"], ["tenant_admin"])
    answer = await start(house, token, filters={"scope": scope})
    assert (answer.status, answer.code) == (403, "forbidden")
    done, path = await exported(house, filters={"scope": scope})
    assert done["manifest"]["tenant_id"] is None
    assert all(row["tenant_id"] is None for row in lines(path / "part-00001.jsonl"))
    where = f"/v1/audit/exports/{done['export_id']}"
    assert (await house.get(where, token=token)).code == "export_not_found"
    assert (await house.get("/v1/audit/exports", token=token)).json["exports"] == []
    assert len((await house.get("/v1/audit/exports")).json["exports"]) == 1


async def test_the_rows_that_a_job_leaves(house: House) -> None:
    started = await start(house, filters={"success": True})
    created = (await house.rows(action="export_created"))[0]
    assert created["extra_data"] == {
        "destination_type": "file",
        "format": "jsonl",
        "filters": {"success": True},
        "export_id": started.json["export_id"],
    }
    await run(house)
    ran = (await house.rows(action="export_run"))[0]
    assert ran["success"]
    assert ran["identity_id"] == "system:audit"
    assert ran["tenant_id"] == house.made["tenant_id"]
    done = await job(house, started.json["export_id"])
    assert ran["extra_data"] == {
        "export_id": started.json["export_id"],
        "records": done["records"],
    }
    assert started.json["estimated_records"] == done["records"]


async def test_a_crash_in_the_middle_begins_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(house)
    started = await start(house)

    class Killed(BaseException):
        """As the end of the process."""

    async def killed(*_: Any) -> None:
        raise Killed

    monkeypatch.setattr(export_files, "write_manifest", killed)
    with pytest.raises(BaseException):  # noqa: B017, PT011 - a group around it
        await run(house)
    monkeypatch.undo()
    assert (await job(house, started.json["export_id"]))["status"] == "running"
    await house.crash()
    await house.unseal()
    await run(house)
    done = await job(house, started.json["export_id"])
    assert done["status"] == "completed"
    path = folder(house, done)
    assert verify(path)["valid"]
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


async def test_a_damaged_page_ends_the_job(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    started = await start(house)

    async def damaged(*_: Any) -> None:
        raise StorageFailed("damaged")

    monkeypatch.setattr(export_files, "write", damaged)
    await run(house)
    done = await job(house, started.json["export_id"])
    assert (done["status"], done["error"]["code"]) == ("failed", "internal_error")


async def test_sealing_leaves_the_job_for_later(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(house)
    started = await start(house)
    vault = house.vault
    whole = export_files.write_manifest

    async def sealing(*parts: Any) -> None:
        vault.closing = True
        vault.export_run._go_on()
        await whole(*parts)

    monkeypatch.setattr(export_files, "write_manifest", sealing)
    await run(house)
    monkeypatch.undo()
    await house.restart()
    await house.unseal()
    await run(house)
    assert (await job(house, started.json["export_id"]))["status"] == "completed"


async def test_nothing_is_overwritten_and_no_link_followed(house: House) -> None:
    outside = house.path / "tmp" / "elsewhere"
    outside.mkdir()
    base = house.path / "exports" / house.made["tenant_id"]
    base.mkdir(mode=0o700, parents=True)
    (base / "a").symlink_to(outside)
    started = await start(house, destination={"type": "file", "prefix": "a/"})
    taken = await start(house)
    (base / taken.json["export_id"]).mkdir()
    for _ in range(8):
        await run(house, 31 * MINUTE)
    for answer in (started, taken):
        done = await job(house, answer.json["export_id"])
        assert (done["status"], done["error"]["code"]) == ("failed", "upstream_error")
    assert list(outside.iterdir()) == []
    assert list((base / taken.json["export_id"]).iterdir()) == []


async def test_a_right_that_is_lost_meanwhile(house: House) -> None:
    await house.put("infra/key", {"access_key_id": "A", "secret_access_key": "B"})
    token = await house.client("exporter", ["audit:export", "secrets:read"], ["tenant_admin"])
    started = await start(house, token, destination=S3)
    assert started.status == 202
    accounts = f"/v1/identity/tenants/{house.made['tenant_id']}/service-accounts"
    found = (await house.get(accounts)).json["service_accounts"]
    account = next(one["id"] for one in found if one["identity_id"] == "sa:exporter")
    where = f"/v1/identity/service-accounts/{account}/roles"
    assert (await house.call("PUT", where, {"roles": []})).status == 200
    await run(house)
    done = await job(house, started.json["export_id"])
    assert (done["status"], done["error"]["code"]) == ("failed", "access_denied")
    ran = (await house.rows(action="export_run"))[0]
    assert (ran["success"], ran["extra_data"]["error_code"]) == (False, "access_denied")


async def test_without_the_right_to_the_credentials(house: House) -> None:
    await house.put("infra/key", {"access_key_id": "A"})
    token = await house.client("exporter", ["audit:export"])
    answer = await start(house, token, destination=S3)
    assert (answer.status, answer.code) == (403, "access_denied")


@pytest.mark.parametrize(
    ("name", "old", "new", "kind"),
    [
        ("part-00001.jsonl", "app/s1", "app/x1", "row_modified"),
        ("part-00001.jsonl", '"prev_hash":"', '"prev_hash":"0', "row_modified"),
        ("chain.jsonl", "[4,", "[5,", "row_missing"),
        ("checkpoints.jsonl", '"timestamp":"2031', '"timestamp":"2032', "checkpoint_invalid"),
        ("manifest.json", '"last_seq":', '"last_seq":1', "truncated"),
    ],
)
async def test_tampering(house: House, name: str, old: str, new: str, kind: str) -> None:
    await fill(house)
    _, path = await exported(house)
    text = (path / name).read_text()
    assert old in text
    (path / name).write_text(text.replace(old, new, 1) if name != "manifest.json" else last(text))
    report = verify(path)
    assert not report["valid"]
    assert kind in kinds(report) | ({"row_modified"} if "link_broken" in kinds(report) else set())
    assert name == "manifest.json" or "file_modified" in kinds(report)


def last(text: str) -> str:
    """The number of the chain's last row, one more."""
    head, mark, tail = text.partition('"last_seq":')
    number, comma, rest = tail.partition("}")
    return f"{head}{mark}{int(number) + 1}{comma}{rest}"


async def test_rows_taken_out_swapped_or_put_in(house: House) -> None:
    await fill(house)
    _, path = await exported(house)
    part = path / "part-00001.jsonl"
    rows = part.read_text().splitlines(keepends=True)
    for changed, kind in (
        (rows[:2] + rows[3:], "row_missing"),
        ([rows[1], rows[0], *rows[2:]], "sequence_error"),
        ([*rows, rows[-1]], "sequence_error"),
    ):
        part.write_text("".join(changed))
        assert kind in kinds(verify(path)), kind
    part.write_text("".join(rows))
    chain = path / "chain.jsonl"
    whole = chain.read_text()
    chain.write_text("".join(whole.splitlines(keepends=True)[:-2]))
    assert {"truncated", "file_modified"} <= kinds(verify(path))
    chain.write_text(whole)
    assert verify(path)["valid"]
    part.unlink()
    assert "file_missing" in kinds(verify(path))


async def test_against_what_is_known_from_outside(house: House) -> None:
    await fill(house)
    done, path = await exported(house)
    head = done["manifest"]["chain"]
    assert verify(path, expect=f"{head['last_seq']}:{head['last_hash']}")["valid"]
    assert kinds(verify(path, expect=f"{head['last_seq']}:{'0' * 64}")) == {"truncated"}
    assert kinds(verify(path, expect=f"{head['last_seq'] + 1}:{'0' * 64}")) == {"truncated"}
    key = (await house.get("/v1/audit/keys")).json["keys"][0]["public_key"]
    assert verify(path, public_key=key)["valid"]
    other = "A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"
    assert "checkpoint_invalid" in kinds(verify(path, public_key=other))
