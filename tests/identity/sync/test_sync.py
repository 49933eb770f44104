"""Runs over a directory: what they take over, and whom they suspend."""

from __future__ import annotations

import asyncio
from typing import Any
from unittest.mock import ANY

import pytest

from scaivault.clock import HOUR, SECOND, FakeClock
from scaivault.identity.sync import taking_over
from scaivault.identity.sync.facts import Counters
from scaivault.identity.sync.taking_over import TakingOver
from tests.identity.sync.directory import Directory, person, scim_group
from tests.identity.sync.synced import SECRET, Synced
from tests.support.house import House

MIRA, BEN, KAI = (f"{name}@harbor.example" for name in ("mira", "ben", "kai"))


def people(count: int) -> list[dict[str, Any]]:
    return [person(f"u{number}", f"u{number}@harbor.example") for number in range(count)]


# -- the run -----------------------------------------------------------------------------------


async def test_users_groups_and_members(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA), person("u2", BEN, active=False)]
    directory.groups = [scim_group("g1", "night", "u1", "u2")]
    done = await synced.run()
    counters = {name: done[name] for name in ("status", "created", "updated", "suspended")}
    assert counters == {"status": "completed", "created": 3, "updated": 1, "suspended": 0}
    assert (done["trigger"], done["skipped"], done["error"]) == ("manual", ["local"], None)
    users = await synced.users()
    assert (users[MIRA]["status"], users[MIRA]["issuer"]) == ("ACTIVE", "corp")
    assert users[MIRA]["display_name"] == "U1"
    assert users[BEN]["status"] == "SUSPENDED"
    assert users[MIRA]["last_synced_at"] is not None
    group = (await synced.groups())["night"]
    assert (group["issuer"], group["member_count"]) == ("corp", 2)
    again = await synced.run()
    assert (again["created"], again["updated"], again["suspended"]) == (0, 0, 0)
    directory.users[0]["displayName"] = "Mira Quist"
    directory.groups[0]["members"] = [{"value": "u1"}]
    again = await synced.run()
    assert (again["created"], again["updated"]) == (0, 2)
    assert list(await synced.members("night")) == [MIRA]


async def test_the_ledger_tells_of_start_and_end(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA)]
    done = await synced.run()
    rows = await synced.house.rows(action="identity_sync")
    assert [(row["identity_id"], row["success"]) for row in rows] == [
        ("sa:root", True), ("system:identity-sync", True),
    ]  # fmt: skip
    assert rows[0]["extra_data"] == {"sync_id": done["sync_id"]}
    counters = {"created": 1, "updated": 0, "suspended": 0}
    assert rows[1]["extra_data"] == rows[0]["extra_data"] | counters
    (read,) = await synced.house.rows(action="read")
    assert (read["secret_path"], read["extra_data"]["purpose"]) == (SECRET, "identity_sync")


async def test_the_ledger_tells_which_records_changed(synced: Synced, directory: Directory) -> None:
    """By the keys that rows of this action have, and no others."""
    directory.users = [person("u1", MIRA), person("u2", BEN)]
    directory.groups = [scim_group("g1", "night", "u1")]
    await synced.run()
    directory.users[0]["displayName"], directory.users[1]["active"] = "Mira Quist", False
    before = len(await synced.house.rows(action="identity_update"))
    await synced.run()
    users, night = await synced.users(), (await synced.groups())["night"]["id"]
    mira, ben = users[MIRA]["id"], users[BEN]["id"]
    rows = [row["extra_data"] for row in await synced.house.rows(action="identity_update")]
    made: list[list[str]] = [row["changed"] for row in rows[:before]]
    assert sorted(map(sorted, made)) == sorted(map(sorted, [[], [mira, ben], [night], [night]]))
    assert rows[before:] == [
        {"object_type": "user", "changed": [ben]},
        {"object_type": "user", "object_id": ben, "changed": ["status"]},
        {"object_type": "user", "changed": [mira]},
        {"object_type": "group", "changed": []},
        {"object_type": "group", "changed": []},
        {"object_type": "group", "changed": []},
    ]


async def test_one_run_at_a_time_for_a_range(synced: Synced) -> None:
    first = await synced.start()
    assert first["status"] == "running"
    assert await synced.start() == first
    other = await synced.start(tenant_id=synced.tenant)
    assert other["sync_id"] != first["sync_id"]
    await synced.work()
    assert (await synced.start())["sync_id"] != first["sync_id"]


async def test_it_happens_by_itself(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA)]
    await synced.work()
    assert await synced.history() == []
    await synced.work(60)
    (first,) = await synced.history()
    assert (first["trigger"], first["status"], first["created"]) == ("scheduled", "completed", 1)
    await synced.work(HOUR // SECOND - 10)
    assert len(await synced.history()) == 1
    await synced.work(10)
    assert len(await synced.history()) == 2
    rows = await synced.house.rows(action="identity_sync")
    assert {row["identity_id"] for row in rows} == {"system:identity-sync"}
    await synced.house.restart()
    await synced.house.unseal()
    await synced.house.run_jobs()
    await synced.work()
    assert len(await synced.history()) == 2


async def test_jobs_that_are_paused(synced: Synced) -> None:
    await synced.house.call("POST", "/v1/system/jobs/pause")
    await synced.start()
    await synced.work()
    assert [one["status"] for one in await synced.history()] == ["running"]
    assert synced.directory.calls == []


async def test_a_run_that_was_cut_off(synced: Synced) -> None:
    started = await synced.start()
    await synced.house.crash()
    await synced.house.unseal()
    (item,) = await synced.history()
    assert (item["sync_id"], item["status"]) == (started["sync_id"], "failed")
    assert item["error"]["code"] == "interrupted"
    assert item["completed_at"] is not None
    row = (await synced.house.rows(action="identity_sync"))[-1]
    assert (row["success"], row["extra_data"]["error_code"]) == (False, "interrupted")
    assert (await synced.start())["sync_id"] != started["sync_id"]


async def test_a_vault_that_closes_waits_for_no_directory(
    synced: Synced, directory: Directory
) -> None:
    directory.hangs = True
    started = await synced.start()
    running = asyncio.create_task(synced.work())
    await directory.called.wait()
    house = synced.house
    assert (await house.call("POST", "/v1/system/seal")).status == 200
    await running
    assert (await house.unseal()).status == 200
    (item,) = await synced.history()
    assert (item["sync_id"], item["status"]) == (started["sync_id"], "failed")
    assert item["error"]["code"] == "interrupted"
    assert await synced.users() == {}


async def test_a_run_that_the_end_of_the_vault_cuts_in_two(
    synced: Synced, directory: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was taken over by then stays."""
    monkeypatch.setattr(taking_over, "STEP", 1)
    directory.users = [person("u1", MIRA), person("u2", BEN)]
    vault = synced.house.vault
    upsert = TakingOver._upsert

    def once(self: TakingOver, *step: Any, **people: Any) -> Counters:
        vault.closing = True
        return upsert(self, *step, **people)

    monkeypatch.setattr(TakingOver, "_upsert", once)
    await synced.start()
    await synced.work()
    await synced.house.restart()
    await synced.house.unseal()
    (item,) = await synced.history()
    assert (item["status"], item["error"]["code"]) == ("failed", "interrupted")
    assert set(await synced.users()) == {MIRA}


async def test_newer_news_stay(synced: Synced, directory: Directory) -> None:
    """Whatever a run finds is as old as its beginning."""
    directory.users = [person("u1", MIRA), person("u2", BEN)]
    directory.groups = [scim_group("g1", "night", "u1")]
    await synced.run()
    assert isinstance(synced.house.clock, FakeClock)
    synced.house.clock.advance(-HOUR)
    await synced.work()
    directory.users = [person("u1", MIRA, active=False, displayName="M."), person("u3", KAI)]
    directory.groups = [scim_group("g1", "day")]
    for _ in range(3):
        await synced.run()
    users = await synced.users()
    assert (users[MIRA]["status"], users[MIRA]["display_name"]) == ("ACTIVE", "U1")
    assert (users[BEN]["status"], users[KAI]["status"]) == ("ACTIVE", "ACTIVE")
    assert (await synced.groups())["night"]["display_name"] == "night"
    assert set(await synced.members("night")) == {MIRA}


# -- who leaves --------------------------------------------------------------------------------


async def test_missing_in_two_runs_in_a_row(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA), person("u2", BEN)]
    await synced.run()
    token = await personal(synced.house, MIRA)
    gone = directory.users.pop(0)
    assert (await synced.run())["suspended"] == 0
    directory.users.append(gone)
    await synced.run()
    directory.users.pop()
    await synced.run()  # the first in a row again
    assert (await synced.users())[MIRA]["status"] == "ACTIVE"
    assert await code(synced.house, token) == "ok"
    assert (await synced.run())["suspended"] == 1
    assert (await synced.users())[MIRA]["status"] == "SUSPENDED"
    assert await code(synced.house, token) == "token_revoked"
    assert (await synced.run())["suspended"] == 0
    directory.users.append(gone)
    assert (await synced.run())["updated"] == 1
    assert (await synced.users())[MIRA]["status"] == "ACTIVE"
    assert await code(synced.house, token) == "token_revoked"


async def test_runs_that_fail_do_not_count(synced: Synced, directory: Directory) -> None:
    directory.users = people(3)
    await synced.run()
    directory.users = people(2)
    await synced.run()
    directory.token = "another"
    for _ in range(3):
        assert (await synced.run())["error"]["code"] == "permission_denied"
    assert {one["status"] for one in (await synced.users()).values()} == {"ACTIVE"}


@pytest.mark.parametrize(
    ("count", "gone", "status"),
    [(10, 10, "completed"), (11, 3, "failed"), (11, 2, "completed"), (15, 3, "completed"),
     (15, 4, "failed")],
)  # fmt: skip
async def test_a_mass_change(
    synced: Synced, directory: Directory, count: int, gone: int, status: str
) -> None:
    directory.users = people(count)
    await synced.run()
    directory.users = people(count - gone)
    assert (await synced.run())["status"] == "completed"
    directory.users.append(person("new", "new@harbor.example"))
    done = await synced.run()
    assert done["status"] == status
    suspended = [one for one in (await synced.users()).values() if one["status"] == "SUSPENDED"]
    if status == "failed":
        assert done["error"]["code"] == "mass_change"
        assert (suspended, done["created"]) == ([], 0)
        row = (await synced.house.rows(action="identity_sync"))[-1]
        assert row["extra_data"]["error_code"] == "mass_change"
    else:
        assert len(suspended) == done["suspended"] == gone


async def test_a_mass_of_inactive_people(synced: Synced, directory: Directory) -> None:
    directory.users = people(20)
    await synced.run()
    for one in directory.users[:5]:
        one["active"] = False
    assert (await synced.run())["error"]["code"] == "mass_change"
    directory.users[0]["active"] = True
    assert (await synced.run())["suspended"] == 4


# -- addresses that change hands ---------------------------------------------------------------


async def test_an_address_stays_with_whom_it_stands_for(
    synced: Synced, directory: Directory
) -> None:
    directory.users = [person("u1", MIRA), person("u2", BEN)]
    directory.groups = [scim_group("g1", "admins", "u1"), scim_group("g2", "staff", "u2")]
    await synced.run()
    directory.users = [
        person("u1", "m.quist@harbor.example"), person("u2", BEN), person("u3", MIRA),
    ]  # fmt: skip
    directory.groups = [scim_group("g1", "admins", "u1"), scim_group("g2", "staff", "u2", "u3")]
    await synced.run()
    assert list(await synced.members("admins")) == [MIRA]
    assert list(await synced.members("staff")) == [BEN]
    assert set(await synced.users()) == {MIRA, BEN}


async def test_an_address_that_two_people_claim_is_nobodys(
    synced: Synced, directory: Directory
) -> None:
    directory.users = [person("u1", MIRA), person("u2", MIRA.upper()), person("u3", BEN)]
    assert (await synced.run())["created"] == 1
    assert set(await synced.users()) == {BEN}


async def test_users_that_were_made_here_stay(synced: Synced, directory: Directory) -> None:
    await synced.house.call("POST", "/v1/identity/users", {"email": MIRA})
    directory.users = [person("u1", MIRA, active=False)]
    directory.groups = [scim_group("g1", "staff", "u1")]
    await synced.run()
    await synced.run()
    found = (await synced.users())[MIRA]
    assert (found["issuer"], found["status"], found["groups"]) == ("local", "ACTIVE", [])


# -- groups ------------------------------------------------------------------------------------


async def test_nested_groups(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA), person("u2", BEN), person("u3", KAI)]
    nested = {"value": "g2", "type": "Group"}
    by_address = {"value": "g3", "$ref": directory.url + "/Groups/g3"}
    directory.groups = [
        scim_group("g1", "all", "u1", nested),
        scim_group("g2", "some", "u2", by_address),
        scim_group("g3", "few", {"value": "u3", "type": "User"}),
    ]
    await synced.run()
    assert await synced.members("all") == {MIRA: "DIRECT", BEN: "INHERITED", KAI: "INHERITED"}
    assert await synced.members("some") == {BEN: "DIRECT", KAI: "INHERITED"}
    groups = await synced.groups()
    assert groups["few"]["parent_id"] == groups["some"]["id"]
    # The other way round.
    directory.groups = [
        scim_group("g1", "all", "u1"),
        scim_group("g2", "some", "u2", "g1"),
        scim_group("g3", "few", "g2"),
    ]
    await synced.run()
    assert await synced.members("few") == {MIRA: "INHERITED", BEN: "INHERITED"}
    assert await synced.members("all") == {MIRA: "DIRECT"}


async def test_a_group_below_two_and_a_circle(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA), person("u2", BEN), person("u3", KAI)]
    directory.groups = [
        scim_group("g1", "one", "g3", "u1"),
        scim_group("g2", "two", "g3"),
        scim_group("g3", "three", "u3"),
        scim_group("g4", "left", "g5"),
        scim_group("g5", "right", "g4", "u2"),
    ]
    await synced.run()
    assert set(await synced.members("one")) == {MIRA, KAI}
    assert set(await synced.members("two")) == {KAI}
    assert set(await synced.members("left")) == set(await synced.members("right")) == {BEN}


async def test_a_group_that_is_missing_twice(synced: Synced, directory: Directory) -> None:
    directory.users = [person("u1", MIRA)]
    directory.groups = [scim_group("g1", "night", "u1")]
    await synced.run()
    group = directory.groups.pop()
    await synced.run()
    assert set(await synced.members("night")) == {MIRA}
    await synced.run()
    assert await synced.members("night") == {}
    directory.groups = [group]
    await synced.run()
    assert set(await synced.members("night")) == {MIRA}


async def test_a_local_group_of_the_same_name(synced: Synced, directory: Directory) -> None:
    await synced.house.call("POST", "/v1/identity/groups", {"name": "admins"})
    directory.users = [person("u1", MIRA)]
    directory.groups = [scim_group("g1", "admins", "u1")]
    await synced.run()
    assert await synced.members("admins") == {}
    assert len(await synced.groups()) == 2


# -- ranges and rights -------------------------------------------------------------------------


async def test_who_may_begin_which_run(synced: Synced) -> None:
    house, tenant = synced.house, synced.tenant
    partner = house.made["partner_id"]
    plain = await house.client("plain", ["identity:admin", "identity:read"])
    narrow = await house.client("narrow", ["identity:read"])
    head = await house.client("head", ["identity:admin", "identity:read"], ["partner_admin"])
    started = await synced.start(plain)
    assert await synced.start(plain, tenant_id=tenant) == started
    assert await synced.start(plain, tenant_id=tenant, partner_id=partner) == started
    await synced.start(head)
    await synced.start(head, partner_id=partner.replace("ptn_", "prt_"))
    items = await synced.history()
    assert {(one["partner_id"], one["tenant_id"]) for one in items} == {
        (partner, None), (partner, tenant),
    }  # fmt: skip
    assert len(items) == 2
    where = "/v1/identity/sync"
    for token, query, told in (
        (narrow, {}, "insufficient_scope"),
        (plain, {"partner_id": partner}, "forbidden"),
        (plain, {"partner_id": "ptn_x"}, "partner_not_found"),
        (plain, {"tenant_id": "tnt_x"}, "tenant_not_found"),
        (head, {"partner_id": "ptn_x"}, "partner_not_found"),
        (head, {"tenant_id": tenant, "partner_id": "ptn_x"}, "tenant_not_found"),
        ("", {"partner_id": "ptn_x"}, "partner_not_found"),
    ):
        answer = await house.call("POST", where, token=token, query=query)
        assert answer.code == told, (query, answer.body)
        named = {"partner_not_found": ("id", "ptn_x"), "tenant_not_found": ("tenant_id", ANY)}
        if told in named:
            assert answer.details == dict([named[told]])
    answer = await house.call("POST", where, query={"x": "1"})
    assert answer.status == 422
    seen = await house.get("/v1/identity/sync/history", token=plain)
    assert [one["tenant_id"] for one in seen.json["history"]] == [tenant]
    seen = await house.get("/v1/identity/sync/history", token=head)
    assert seen.json["total"] == 2


async def test_the_history_in_pages(synced: Synced) -> None:
    started = [(await synced.run())["sync_id"] for _ in range(3)]
    assert [one["sync_id"] for one in await synced.history()] == started[::-1]
    answer = await synced.house.get("/v1/identity/sync/history", query={"page": 2, "page_size": 2})
    assert (len(answer.json["history"]), answer.json["total"]) == (1, 3)


async def test_issuers_without_a_directory_are_skipped(tmp_path: Any, directory: Directory) -> None:
    other = {"name": "other", "issuer": "https://other.example"}
    fixed = {"name": "fixed", "issuer": "https://fixed.example", "tenant": "tnt_elsewhere"}
    synced = await Synced.opened(tmp_path / "vault", directory, other, fixed)
    assert (await synced.run())["skipped"] == ["local", "other", "fixed"]
    await synced.house.close()


async def personal(house: House, email: str) -> str:
    body = {"name": "cli", "scopes": ["secrets:read"], "identity_id": f"user:{email}"}
    answer = await house.call("POST", "/v1/auth/tokens", body)
    assert answer.status == 201, answer.body
    token: str = answer.json["token"]
    return token


async def code(house: House, token: str) -> str:
    answer = await house.get("/v1/auth/whoami", token=token)
    return "ok" if answer.status == 200 else answer.code
