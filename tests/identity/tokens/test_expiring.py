"""What is told of personal access tokens and client secrets that end soon, and when."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault.clock import DAY, HOUR, MINUTE, SECOND, instant
from scaivault.crypto.memory import Guarded
from scaivault.gate.gate import Act
from scaivault.gate.transaction import Transaction
from scaivault.identity.notices import next_notice, reached
from scaivault.storage import migrations
from scaivault.storage.file import open_file
from scaivault.storage.migrations import migrate, steps
from tests.support.house import House
from tests.support.people import MIRA, login, minted, person, token_id
from tests.support.tenants import account, credential, found_tenant, suspend

Told = list[tuple[str, str, int]]


async def announce(house: House) -> int:
    """One run of the job."""
    return await house.vault.expiring.announce(house.vault.internal("expiry"))


async def events(house: House) -> list[dict[str, Any]]:
    return [one for one in await house.events() if one["event_type"] == "token.expiring"]


async def told(house: House) -> Told:
    """(name, threshold, days remaining)"""
    found = [one["data"] for one in await events(house)]
    return [(data["name"], data["threshold"], data["days_remaining"]) for data in found]


async def program(house: House, **secret: object) -> tuple[str, dict[str, str]]:
    """A service account and its client secret."""
    made = await account(house, "app", ["secrets:read"])
    return made, await credential(house, made, **secret)


# -- what is told ----------------------------------------------------------------------------------


async def test_the_event_of_a_personal_access_token(house: House) -> None:
    text = await login(house, expires_in="8d")
    ends = instant(house.clock.now() + 8 * DAY)
    house.clock.advance(DAY + HOUR)
    await announce(house)
    (event,) = await events(house)
    assert event["data"] == {
        "kind": "personal_access_token",
        "id": await token_id(house, text),
        "name": "laptop",
        "holder": MIRA,
        "expires_at": ends,
        "days_remaining": 7,
        "threshold": "7d",
    }
    assert "path" not in event
    assert event["identity_id"] == "system:expiry"
    assert event["tenant_id"] == house.made["tenant_id"]
    assert event["partner_id"] == house.made["partner_id"]
    assert text not in str(await house.events())


async def test_the_event_of_a_client_secret(house: House) -> None:
    _, made = await program(house, name="build", expires_in="2d")
    ends = instant(house.clock.now() + 2 * DAY)
    house.clock.advance(DAY)
    await announce(house)
    (event,) = await events(house)
    assert event["data"] == {
        "kind": "client_secret",
        "id": made["id"],
        "name": "build",
        "holder": "sa:app",
        "expires_at": ends,
        "days_remaining": 1,
        "threshold": "1d",
    }


async def test_each_threshold_once(house: House) -> None:
    await login(house, expires_in="9d")
    await program(house, name="build", expires_in="10d")
    expected: Told = []
    at = {
        2: ("laptop", "7d", 7),
        3: ("build", "7d", 7),
        8: ("laptop", "1d", 1),
        9: ("build", "1d", 1),
    }
    for day in range(12):
        for _ in range(3):
            await announce(house)
        expected += [at[day]] if day in at else []
        assert await told(house) == expected
        house.clock.advance(DAY)


async def test_a_token_made_with_a_token_is_told_of_too(house: House) -> None:
    mine = await login(house, expires_in="9d")
    await minted(house, mine, name="child", expires_in="8d")
    house.clock.advance(DAY)
    await announce(house)
    assert await told(house) == [("child", "7d", 7)]


async def test_the_root_token_is_told_of(house: House) -> None:
    house.clock.advance(83 * DAY)
    await announce(house)
    (event,) = await events(house)
    assert (event["data"]["holder"], event["data"]["threshold"]) == ("sa:root", "7d")


async def test_issued_tokens_and_secrets_without_an_end_are_not_told_of(house: House) -> None:
    await house.client("app", ["secrets:read"])
    house.clock.advance(30 * DAY)
    assert await announce(house) == 0
    assert await told(house) == []


# -- when ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("life", ["7d", "5d"])
async def test_a_threshold_that_was_past_at_the_start_is_not_told(house: House, life: str) -> None:
    await login(house, expires_in=life)
    await program(house, expires_in=life, name="build")
    await announce(house)
    house.clock.advance((int(life[0]) - 1) * DAY - SECOND)
    await announce(house)
    assert await told(house) == []
    house.clock.advance(SECOND)
    await announce(house)
    assert sorted(await told(house)) == [("build", "1d", 1), ("laptop", "1d", 1)]


async def test_nothing_of_what_lives_for_less_than_a_day(house: House) -> None:
    await login(house, expires_in="1d")
    await program(house, expires_in="1d")
    for _ in range(5):
        house.clock.advance(6 * HOUR)
        assert await announce(house) == 0


async def test_after_a_pause_only_the_nearest_one_and_none_of_the_ended(house: House) -> None:
    await person(house)
    for name, life in (("near", "40d"), ("middle", "44d"), ("over", "39d")):
        await minted(house, identity_id=MIRA, name=name, expires_in=life)
    await program(house, name="gone", expires_in="38d")
    house.clock.advance(40 * DAY - HOUR)
    await announce(house)
    assert sorted(await told(house)) == [("middle", "7d", 5), ("near", "1d", 1)]
    house.clock.advance(3 * DAY + HOUR)
    await announce(house)
    assert (await told(house))[2:] == [("middle", "1d", 1)]


async def test_what_was_told_survives_a_restart_and_the_worker_does_it(house: House) -> None:
    await login(house, expires_in="8d")
    await program(house, name="build", expires_in="8d")
    await house.run_jobs()
    house.clock.advance(DAY)
    await house.run_jobs()
    expected = [("build", "7d", 7), ("laptop", "7d", 7)]
    assert sorted(await told(house)) == expected
    await house.restart()
    await house.unseal()
    for _ in range(2):
        house.clock.advance(MINUTE)
        await house.run_jobs()
    assert sorted(await told(house)) == expected


async def test_more_than_one_step_in_one_run_of_the_worker(house: House) -> None:
    await person(house)
    for number in range(205):
        await minted(house, identity_id=MIRA, name=str(number), expires_in="8d")
    await house.run_jobs()
    house.clock.advance(DAY)
    await house.run_jobs()
    assert len({name for name, _, _ in await told(house)}) == len(await told(house)) == 205


async def test_a_run_leaves_one_row_for_a_tenant_and_an_idle_one_none(house: House) -> None:
    await login(house, expires_in="8d")
    await program(house, expires_in="8d")
    before = len(await house.rows())
    await announce(house)
    assert len(await house.rows()) == before
    house.clock.advance(DAY)
    await announce(house)
    await announce(house)
    (row,) = (await house.rows())[before:]
    assert (row["action"], row["identity_id"]) == ("job_control", "system:expiry")
    assert row["extra_data"] == {"job": "expiring-tokens", "events": 2}
    assert row["tenant_id"] == house.made["tenant_id"]


# -- what is no longer of use ----------------------------------------------------------------------


async def test_a_revoked_token_and_its_children_are_not_told_of(house: House) -> None:
    mine = await login(house, expires_in="9d")
    await minted(house, mine, name="child", expires_in="8d")
    await house.call("DELETE", f"/v1/auth/tokens/{await token_id(house, mine)}")
    house.clock.advance(2 * DAY)
    assert await announce(house) == 0


async def test_a_revoked_client_secret_is_not_told_of(house: House) -> None:
    made, secret = await program(house, expires_in="8d")
    where = f"/v1/identity/service-accounts/{made}/credentials/{secret['id']}"
    assert (await house.call("DELETE", where)).status == 204
    house.clock.advance(DAY)
    assert await announce(house) == 0


@pytest.mark.parametrize("how", ["suspend", "delete", "revoke"])
async def test_those_of_somebody_whose_access_ended_are_not_told_of(house: House, how: str) -> None:
    who = await person(house)
    await minted(house, identity_id=MIRA, expires_in="8d")
    made, _ = await program(house, expires_in="8d")
    for kind, segment, record in (
        ("user", "users", who),
        ("service_account", "service-accounts", made),
    ):
        where = f"/v1/identity/{segment}/{record}"
        if how == "suspend":
            answer = await house.call("PATCH", where, {"status": "SUSPENDED"})
        elif how == "delete":
            answer = await house.call("DELETE", where)
        else:
            answer = await house.call("POST", f"/v1/identity/{kind}/{record}/revoke-access", {})
        assert answer.status in {200, 204}, answer.body
    house.clock.advance(DAY)
    assert await announce(house) == 0


@pytest.mark.parametrize("status", ["SUSPENDED", "DELETED"])
async def test_the_state_of_the_holder_counts_even_if_nothing_was_revoked(
    house: House, status: str
) -> None:
    await login(house, expires_in="8d")
    await program(house, expires_in="8d")

    def write(tx: Transaction) -> None:
        for table in ("user", "service_account"):
            tx.execute(f"UPDATE {table} SET status = :status", {"status": status})

    house.clock.advance(DAY)
    await house.vault.gate.change(house.vault.internal("test"), Act("identity_update"), write)
    assert await announce(house) == 0


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_those_of_a_suspended_tenant_wait(house: House, kind: str) -> None:
    partner = (
        await house.call("POST", "/v1/identity/partners", {"name": "Other", "slug": "other"})
    ).json
    tenant = await found_tenant(house, "north", partner["id"])
    there = {"tenant_id": tenant.id}
    await person(house, **there)
    where = {"x-tenant-id": tenant.id}
    body = {"name": "x", "scopes": ["secrets:read"], "identity_id": MIRA, "expires_in": "8d"}
    made = await house.call("POST", "/v1/auth/tokens", body, headers=where)
    assert made.status == 201, made.body
    north = await account(house, "north", ["secrets:read"], **there)
    await credential(house, north, expires_in="8d", name="y")
    ident = tenant.id if kind == "tenant" else partner["id"]
    await suspend(house, kind, ident)
    house.clock.advance(2 * DAY)
    before = len(await house.rows())
    assert await announce(house) == 0
    assert len(await house.rows()) == before
    back = await house.call("PATCH", f"/v1/identity/{kind}s/{ident}", {"status": "ACTIVE"})
    assert back.status == 200, back.body
    assert await announce(house) == 2
    assert sorted(await told(house)) == [("x", "7d", 6), ("y", "7d", 6)]
    assert {event["tenant_id"] for event in await events(house)} == {tenant.id}
    assert {event["partner_id"] for event in await events(house)} == {partner["id"]}


async def test_those_of_a_deleted_tenant_are_not_told_of(house: House) -> None:
    tenant = await found_tenant(house, "north")
    north = await account(house, "north", ["secrets:read"], tenant_id=tenant.id)
    await credential(house, north, expires_in="8d")
    gone = await house.call(
        "DELETE", f"/v1/identity/tenants/{tenant.id}", query={"confirm": tenant.id}
    )
    assert gone.status == 204, gone.body
    house.clock.advance(DAY)
    assert await announce(house) == 0


# -- the rules -------------------------------------------------------------------------------------


@given(
    st.integers(1, 400 * DAY),
    st.lists(st.integers(1, 400 * DAY), max_size=20).map(sorted),
)
def test_a_notice_is_told_once_and_nearest_first(life: int, runs: list[int]) -> None:
    """Whenever the job runs, no threshold is told twice, and none that was past at the start."""
    notice, found = next_notice(life, 0), []
    for now in runs:
        if notice is not None and notice <= now < life:
            found.append(reached(life, now))
            notice = next_notice(life, now)
    ahead = [text for text, before in (("7d", 7 * DAY), ("1d", DAY)) if life > before]
    assert [text for text in ahead if text in found] == found
    last_day = [now for now in runs if life - DAY <= now < life]
    assert ("1d" in found) == ("1d" in ahead and bool(last_day))


def test_rows_of_an_older_schema_are_told_of_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    every, lives = steps(), (8 * DAY, DAY, None)
    monkeypatch.setattr(migrations, "steps", lambda: every[:6])
    with Guarded.random() as key:
        db = open_file(tmp_path / "a.db", key, cache_mib=2)
        migrate(db)
        for kind, life in (("personal_access_token", 8), ("personal_access_token", 6), ("jwt", 8)):
            name = f"{kind}{life}"
            db.execute(
                "INSERT INTO token (id, kind, tenant_id, identity_id, name, scopes, created_at,"
                " expires_at) VALUES (?, ?, 't', 'user:x', '', '[]', 0, ?)",
                (name, kind, life * DAY),
            )
        for ends in lives:
            db.execute(
                "INSERT INTO credential (tenant_id, id, account_id, name, hash, created_at,"
                " expires_at) VALUES ('t', ?, 'sa_', '', x'00', 0, ?)",
                (str(ends), ends),
            )
        monkeypatch.undo()
        migrate(db)
        tokens = dict(db.execute("SELECT id, notice_at FROM token").fetchall())
        secrets = dict(db.execute("SELECT id, notice_at FROM credential").fetchall())
        db.close()
    assert tokens == {
        "personal_access_token8": DAY,
        "personal_access_token6": 5 * DAY,
        "jwt8": None,
    }
    assert secrets == {str(8 * DAY): DAY, str(DAY): None, "None": None}
