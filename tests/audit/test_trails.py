"""Trails: what became of a path, what an identity did."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.audit import trails
from scaivault.clock import DAY
from tests.support.house import House
from tests.support.rights import grant
from tests.support.tenants import found_tenant


async def secret(house: House, path: str, **query: Any) -> Any:
    answer = await house.get(f"/v1/audit/secrets/{path}", query=query)
    assert answer.status == 200, answer.body
    return answer.json


async def identity(house: House, who: str, **query: Any) -> Any:
    answer = await house.get(f"/v1/audit/identities/{who}", query=query)
    assert answer.status == 200, answer.body
    return answer.json


async def test_the_trail_of_a_secret(house: House) -> None:
    grant(house, ("other/**", {"read"}))
    token = await house.client("bot", ["secrets:read"])
    await house.put("shop/mailer", {"n": 1})
    for _ in range(3):
        await house.read("shop/mailer")
    assert (await house.read("shop/mailer", token=token)).code == "access_denied"
    house.clock.advance(DAY)
    await house.read("shop/mailer")
    await house.delete("shop/mailer")
    told = await secret(house, "shop/mailer")
    last = [row for row in await house.rows(action="read") if row["success"]][-1]
    assert told["summary"] == {
        "period_days": 30, "total_events": 7, "reads": 4, "writes": 1, "rotations": 0,
        "deletes": 1, "denied": 1, "unique_identities": 2,
        "last_accessed_at": last["timestamp"], "last_accessed_by": "sa:root",
    }  # fmt: skip
    assert [row["action"] for row in told["logs"]][:2] == ["delete", "read"]
    assert (told["path"], told["cursor"], told["has_more"]) == ("shop/mailer", None, False)


async def test_what_is_gone_has_a_trail_and_what_never_was_an_empty_one(house: House) -> None:
    await house.put("app/db")
    await house.delete("app/db", permanent="true")
    assert (await secret(house, "app/db"))["summary"]["deletes"] == 1
    assert (await secret(house, "never/was"))["summary"]["total_events"] == 0


async def test_the_summary_keeps_to_thirty_days_whatever_is_asked(house: House) -> None:
    await house.put("app/db")
    house.clock.advance(31 * DAY)
    await house.read("app/db")
    told = await secret(house, "app/db", action="write")
    assert (told["summary"]["reads"], told["summary"]["writes"]) == (1, 0)
    assert [row["action"] for row in told["logs"]] == ["write"]
    told = await secret(house, "app/db", to="2031-05-10", success="true", identity_id="sa:root")
    assert [row["action"] for row in told["logs"]] == ["write"]


async def test_every_page_of_a_trail_has_the_same_summary(house: House) -> None:
    await house.put("app/db")
    for _ in range(4):
        await house.read("app/db")
    first = await secret(house, "app/db", limit=2)
    await house.read("app/db")
    house.clock.advance(3600_000_000)
    second = await secret(house, "app/db", cursor=first["cursor"])
    assert second["summary"] == first["summary"]
    seqs = [row["seq"] for row in first["logs"] + second["logs"]]
    assert seqs == sorted(seqs, reverse=True)
    assert len(set(seqs)) == 4

    first = await identity(house, "sa:root", limit=2)
    await house.read("app/db")
    second = await identity(house, "sa:root", cursor=first["cursor"])
    assert second["summary"] == first["summary"]


@pytest.mark.parametrize("path", ["", "App", "a//b", "a/", "a%2Fb", "versions", "../x"])
async def test_paths_keep_to_the_grammar(house: House, path: str) -> None:
    answer = await house.get(f"/v1/audit/secrets/{path}")
    assert (answer.status, answer.code) == (400, "invalid_path")


async def test_the_trail_of_an_identity(house: House) -> None:
    token = await house.client("bot", ["secrets:read", "secrets:list"])
    await house.put("app/db")
    await house.put("app/other")
    grant(house, ("app/db", {"read"}))
    for path in ("app/db", "app/db", "app/other"):
        await house.read(path, token=token)
    told = await identity(house, "sa:bot")
    rows = await house.rows(identity_id="sa:bot")
    assert (told["identity_id"], told["identity_type"]) == ("sa:bot", "service_account")
    assert told["summary"] == {
        "from": None, "to": None, "total_events": 4, "successful_events": 3, "failed_events": 1,
        "first_seen": rows[0]["timestamp"], "last_seen": rows[-1]["timestamp"],
        "actions": {"auth_login": 1, "read": 3}, "source_ips": ["127.0.0.1"],
        "resources_accessed": ["app/db"], "truncated": False,
    }  # fmt: skip
    assert [row["seq"] for row in told["logs"]] == [row["seq"] for row in rows[::-1]]
    told = await identity(house, "sa:bot", path_prefix="app/o", success="false")
    assert [row["secret_path"] for row in told["logs"]] == ["app/other"]
    assert told["summary"]["total_events"] == 4


async def test_its_acts_in_other_tenants_are_part_of_it(house: House) -> None:
    other = await found_tenant(house, "other")
    await house.call("PUT", f"/v1/t/{other.id}/secrets/there", {"data": {}})
    await house.get(f"/v1/t/{other.id}/secrets/there")
    told = await identity(house, "sa:root")
    assert "there" in {row["secret_path"] for row in told["logs"]}
    assert told["summary"]["resources_accessed"] == ["there"]
    assert (await secret(house, "there"))["logs"] == []


@pytest.mark.parametrize(
    "form", ["user:mira@harbor.example", "user%3Amira%40harbor.example", "user:Mira@Harbor.example"]
)
async def test_an_identity_in_every_spelling(house: House, form: str) -> None:
    told = await identity(house, form)
    assert (told["identity_id"], told["identity_type"]) == ("user:mira@harbor.example", "user")


async def test_a_subject_with_slashes_in_it(house: House) -> None:
    told = await identity(house, "user:repo:harbor%2Fshop")
    assert told["identity_id"] == "user:repo:harbor/shop"


@pytest.mark.parametrize("form", ["bob", "none", "user:", "sa:UPPER", "team:x"])
async def test_what_is_no_identity_is_refused(house: House, form: str) -> None:
    answer = await house.get(f"/v1/audit/identities/{form}")
    assert (answer.status, list(answer.details["fields"])) == (422, ["identity_id"])


async def test_an_id_that_is_not_of_the_tenant_finds_nothing(house: House) -> None:
    for record, kind in (("sa_" + "0" * 20, "service_account"), ("usr_" + "0" * 20, "user")):
        told = await identity(house, record)
        assert (told["identity_id"], told["identity_type"]) == (record, kind)
        assert (told["summary"]["total_events"], told["logs"]) == (0, [])


async def test_a_deleted_account_is_found_by_its_id(house: House) -> None:
    await house.client("bot", ["secrets:read"])
    (made,) = await house.rows(action="identity_create")
    record = made["extra_data"]["object_id"]
    await house.call("DELETE", f"/v1/identity/service-accounts/{record}")
    assert (await identity(house, record))["summary"]["total_events"] == 1


async def test_too_many_paths_are_cut(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trails, "MOST_NAMED", 2)
    for name in "cab":
        await house.put(name)
        await house.read(name)
    summary = (await identity(house, "sa:root"))["summary"]
    assert (summary["resources_accessed"], summary["truncated"]) == (["a", "b"], True)


async def test_the_trail_names_its_path_in_its_own_row(house: House) -> None:
    await secret(house, "app/db")
    (row,) = await house.rows(action="audit_read")
    assert (row["secret_path"], row["extra_data"]) == ("app/db", {"records": 0})
