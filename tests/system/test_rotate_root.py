"""Replacing the root key under the slots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import PASSPHRASE, Answer, House
from tests.support.tenants import found_partner, found_tenant

ROTATE = "/v1/system/rotate-root"


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[House]:
    """A passphrase, a Shamir and a key file slot; one secret."""
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    await house.init(
        slots=[
            {"type": "passphrase", "passphrase": PASSPHRASE},
            {"type": "shamir", "shares": 3, "threshold": 2},
            {"type": "keyfile", "params": {"path": str(tmp_path / "k"), "create": True}},
        ]
    )
    await house.put("a/b", {"x": 1})
    yield house
    await house.close()


def ids(house: House) -> list[str]:
    return [slot["id"] for slot in house.made["slots"]]


def shares(house: House) -> list[str]:
    found: list[str] = next(iter(house.made["shares"].values()))
    return found


def credentials(house: House) -> list[dict[str, Any]]:
    passphrase, shamir, _ = ids(house)
    return [
        {"slot_id": passphrase, "passphrase": PASSPHRASE},
        {"slot_id": shamir, "shares": shares(house)[:2]},
    ]


async def rotate(house: House, **body: Any) -> Answer:
    return await house.call("POST", ROTATE, body)


async def works(house: House, **credential: str) -> None:
    await house.restart()
    answer = await house.unseal(**credential)
    assert answer.status == 200, answer.body
    assert (await house.read("a/b")).json["data"] == {"x": 1}


async def test_every_slot_opens_with_the_new_root_key(vault: House) -> None:
    answer = await rotate(vault, credentials=credentials(vault), reason="people left")
    assert answer.status == 200
    body = answer.json
    assert body["root_key_version"] == 2
    assert body["slots_rewrapped"] == ids(vault)
    assert body["slots_dropped"] == []
    fresh = body["shares"][ids(vault)[1]]
    assert len(fresh) == 3
    assert not set(fresh) & set(shares(vault))
    assert (await vault.read("a/b")).status == 200
    await works(vault, passphrase=PASSPHRASE)
    await vault.restart()
    assert (await vault.unseal(auto=True)).json["sealed"] is False
    await vault.restart()
    assert (await vault.unseal(share=shares(vault)[0])).code == "unseal_failed"
    await vault.unseal(share=fresh[0])
    await vault.unseal(share=fresh[1])
    assert (await vault.read("a/b")).status == 200
    rows = await vault.rows(action="root_rotate")
    assert [row["extra_data"]["stage"] for row in rows] == ["wrapped", "done"]
    assert rows[1]["extra_data"]["reason"] == "people left"


async def test_an_old_seal_file_opens_nothing(vault: House) -> None:
    old = (vault.path / "vault.seal").read_bytes()
    await rotate(vault, credentials=credentials(vault))
    await vault.close()
    (vault.path / "vault.seal").write_bytes(old)
    vault._start(accept_seal_mismatch=True)
    assert (await vault.unseal()).status >= 400


@pytest.mark.parametrize("missing", [0, 1])
async def test_a_slot_without_its_credential_is_named(vault: House, missing: int) -> None:
    before = (vault.path / "vault.seal").read_bytes()
    given = credentials(vault)
    del given[missing]
    answer = await rotate(vault, credentials=given)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert ids(vault)[missing] in str(answer.details["fields"])
    assert (vault.path / "vault.seal").read_bytes() == before


async def test_wrong_credentials_change_nothing(vault: House) -> None:
    before = (vault.path / "vault.seal").read_bytes()
    for place, change in (
        (0, {"passphrase": "another passphrase"}),
        (1, {"shares": shares(vault)[:1]}),
        (1, {"shares": [shares(vault)[0], "svs1-x"]}),
    ):
        given = credentials(vault)
        given[place] = {**given[place], **change}
        answer = await rotate(vault, credentials=given)
        assert (answer.status, answer.code) == (401, "unseal_failed"), change
    unknown = await rotate(vault, credentials=credentials(vault), drop_slots=["slot_x"])
    assert unknown.code == "slot_not_found"
    assert (vault.path / "vault.seal").read_bytes() == before
    await works(vault, passphrase=PASSPHRASE)


async def test_dropped_slots_are_gone(vault: House) -> None:
    passphrase, shamir, keyfile = ids(vault)
    answer = await rotate(vault, drop_slots=[passphrase, shamir, shamir])
    assert answer.json["slots_dropped"] == [passphrase, shamir]
    assert answer.json["slots_rewrapped"] == [keyfile]
    assert answer.json["shares"] == {}
    await vault.restart()
    assert (await vault.unseal()).code == "unseal_failed"
    assert (await vault.unseal(auto=True)).json["sealed"] is False


async def test_not_every_slot_can_be_dropped(vault: House) -> None:
    answer = await rotate(vault, drop_slots=ids(vault))
    assert (answer.status, answer.details["reason"]) == (409, "last_slot")


async def test_the_file_key_too(vault: House) -> None:
    answer = await rotate(vault, credentials=credentials(vault), rekey_file=True)
    assert answer.status == 200
    assert (await vault.put("a/c", {"x": 2})).status == 201
    await works(vault, passphrase=PASSPHRASE)
    stages = [row["extra_data"]["stage"] for row in await vault.rows(action="root_rotate")]
    assert sorted(stages) == ["done", "file_key_announced", "file_key_replaced", "wrapped"]


async def test_requests_go_on_meanwhile(vault: House) -> None:
    calls = [vault.put(f"c/{n}", {"n": n}) for n in range(10)]
    turned, *writes = await asyncio.gather(
        rotate(vault, credentials=credentials(vault), rekey_file=True), *calls
    )
    assert turned.status == 200
    assert {write.status for write in writes} == {201}
    await works(vault, passphrase=PASSPHRASE)
    assert (await vault.read("c/9")).json["data"] == {"n": 9}


async def test_keys_made_meanwhile_are_not_lost(vault: House) -> None:
    """A partner's key is wrapped by the root key: one that is made, or replaced, in the middle of
    the rotation hangs on the new root key as well."""
    partner = vault.made["partner_id"]

    async def make(name: str) -> str:
        tenant = await found_tenant(vault, name, (await found_partner(vault, name)).id)
        where = f"/v1/t/{tenant.id}/secrets/a/b"
        assert (await vault.call("PUT", where, {"data": {"of": name}})).status == 201
        return where

    async def turn() -> None:
        for _ in range(5):
            where = f"/v1/system/partners/{partner}/rotate-key"
            assert (await vault.call("POST", where)).status == 202

    made = [asyncio.create_task(make(f"p-{n}")) for n in range(8)]
    turning = asyncio.create_task(turn())
    turned = await rotate(vault, credentials=credentials(vault))
    places = await asyncio.gather(*made)
    await turning
    assert turned.status == 200
    await works(vault, passphrase=PASSPHRASE)
    for place in places:
        assert (await vault.get(place)).status == 200


async def test_a_replay_rotates_nothing_and_tells_no_share(vault: House) -> None:
    key = {"idempotency-key": "k"}
    body = {"credentials": credentials(vault), "rekey_file": True}
    first = (await vault.call("POST", ROTATE, body, headers=key)).json
    again = await vault.call("POST", ROTATE, body, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == {**first, "shares": {}}
    other = await vault.call("POST", ROTATE, {"drop_slots": ids(vault)[:1]}, headers=key)
    assert (other.status, other.details["reason"]) == (409, "body_mismatch")
    assert vault.vault.keyring.root_version == 2
