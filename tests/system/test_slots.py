"""Slots: listed, added, verified, removed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.support.house import PASSPHRASE, Answer, House

SLOTS = "/v1/system/slots"
SECOND = {"type": "passphrase", "passphrase": "another passphrase", "label": "second"}
SHAMIR = {"type": "shamir", "shares": 3, "threshold": 2}


async def add(house: House, **body: Any) -> Answer:
    return await house.call("POST", SLOTS, body)


async def remove(house: House, slot_id: str, query: str = "") -> Answer:
    return await house.call("DELETE", f"{SLOTS}/{slot_id}{query}")


async def verify(house: House, slot_id: str, **body: Any) -> Answer:
    return await house.call("POST", f"{SLOTS}/{slot_id}/verify", body)


def first(house: House) -> str:
    found: str = house.made["slots"][0]["id"]
    return found


async def listed(house: House) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await house.get(SLOTS)).json["slots"]
    return found


async def test_the_list(house: House) -> None:
    (slot,) = await listed(house)
    assert (slot["type"], slot["auto"], slot["portable"]) == ("passphrase", False, True)
    assert slot["params"]["kdf"]["alg"] == "argon2id13"
    assert "wrapped_root" not in slot
    assert (slot["last_used_at"], slot["last_verified_at"], slot["last_error"]) == (None,) * 3
    await house.restart()
    await house.unseal()
    assert (await listed(house))[0]["last_used_at"] is not None


async def test_an_added_slot_opens_the_vault(house: House) -> None:
    answer = await add(house, **SECOND)
    assert answer.status == 201
    assert answer.json["created_by"] == "sa:root"
    assert answer.json["last_verified_at"] is not None
    assert not {"shares", "recovery_key", "passphrase"} & set(answer.json)
    await house.restart()
    assert (await house.unseal(passphrase=SECOND["passphrase"])).status == 200
    (row,) = await house.rows(action="slot_add")
    assert row["extra_data"] == {"slot_id": answer.json["id"], "slot_type": "passphrase"}


async def test_shares_and_recovery_keys_are_told_once(house: House) -> None:
    shamir = await add(house, **SHAMIR)
    recovery = await add(house, type="passphrase", generate=True, label="recovery")
    shares = shamir.json["shares"]
    seen = (await house.get(SLOTS)).body.decode() + str(await house.rows())
    assert not [text for text in (*shares, recovery.json["recovery_key"]) if text in seen]
    await house.restart()
    await house.unseal(share=shares[2])
    assert (await house.unseal(share=shares[0])).json["sealed"] is False
    await house.restart()
    assert (await house.unseal(passphrase=recovery.json["recovery_key"])).status == 200


async def test_a_replay_makes_no_second_slot_and_tells_no_share(house: House) -> None:
    key = {"idempotency-key": "k"}
    made = await house.call("POST", SLOTS, SHAMIR, headers=key)
    again = await house.call("POST", SLOTS, SHAMIR, headers=key)
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json == {name: made.json[name] for name in made.json if name != "shares"}
    assert len(await listed(house)) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"type": "magic"}, "type"),
        ({"type": "passphrase"}, "passphrase"),
        ({"type": "passphrase", "passphrase": "too short"}, "passphrase"),
        ({"type": "passphrase", "passphrase": PASSPHRASE, "generate": True}, "passphrase"),
        ({"type": "shamir", "shares": 2, "threshold": 3}, "threshold"),
        ({"type": "shamir"}, "shares"),
        ({"type": "shamir", "shares": 2, "threshold": 2, "passphrase": PASSPHRASE}, "passphrase"),
        ({"type": "passphrase", "passphrase": PASSPHRASE, "label": ""}, "label"),
    ],
)
async def test_slots_that_cannot_be(house: House, body: dict[str, Any], field: str) -> None:
    before = (house.path / "vault.seal").read_bytes()
    answer = await add(house, **body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert field in answer.details["fields"]
    assert (house.path / "vault.seal").read_bytes() == before


async def test_two_added_at_once_are_both_there(house: House) -> None:
    await asyncio.gather(add(house, **SECOND), add(house, **SHAMIR))
    assert len(await listed(house)) == 3
    await house.restart()
    assert (await house.unseal(passphrase=SECOND["passphrase"])).status == 200


# -- verify ------------------------------------------------------------------------------------


async def test_a_passphrase_verified(house: House) -> None:
    slot = first(house)
    wrong = await verify(house, slot, passphrase="some other passphrase")
    assert wrong.json == {"id": slot, "valid": False, "complete": True, "shares_valid": []}
    assert (await listed(house))[0]["last_verified_at"] is None
    right = await verify(house, slot, passphrase=PASSPHRASE)
    assert right.json == {"id": slot, "valid": True, "complete": True, "shares_valid": []}
    assert (await listed(house))[0]["last_verified_at"] is not None
    assert (await listed(house))[0]["last_used_at"] is None
    rows = await house.rows(action="slot_verify")
    assert [row["extra_data"]["valid"] for row in rows] == [False, True]


async def test_shares_verified(house: House) -> None:
    made = (await add(house, **SHAMIR)).json
    slot, shares = made["id"], made["shares"]
    one = (await verify(house, slot, shares=[shares[2]])).json
    assert one == {"id": slot, "valid": True, "complete": False, "shares_valid": [3]}
    single = (await verify(house, slot, share=shares[0])).json
    assert (single["complete"], single["shares_valid"]) == (False, [1])
    both = (await verify(house, slot, shares=[shares[0], shares[2]])).json
    assert both == {"id": slot, "valid": True, "complete": True, "shares_valid": [1, 3]}
    bad = (await verify(house, slot, shares=[shares[0], "svs1-x"])).json
    assert bad == {"id": slot, "valid": False, "complete": False, "shares_valid": [1]}
    assert (await verify(house, slot)).status == 422
    status = await house.get("/v1/system/seal-status", token=None)
    assert status.json["slots"][1]["progress"] == 0


async def test_an_automatic_slot_verifies_itself(house: House, tmp_path: Path) -> None:
    path = tmp_path / "slot.key"
    made = (await add(house, type="keyfile", params={"path": str(path), "create": True})).json
    assert (made["auto"], made["portable"]) == (True, True)
    assert (await verify(house, made["id"])).json["valid"] is True
    path.unlink()
    failed = await verify(house, made["id"])
    assert (failed.status, failed.code) == (502, "upstream_error")
    assert failed.details["backend"] == "keyfile"


async def test_unknown_slots(house: House) -> None:
    for answer in (
        await verify(house, "slot_x", passphrase=PASSPHRASE),
        await remove(house, "slot_x"),
    ):
        assert (answer.status, answer.code) == (404, "slot_not_found")


# -- remove ------------------------------------------------------------------------------------


async def test_the_last_slot_stays(house: House) -> None:
    for query in ("", "?force=true"):
        answer = await remove(house, first(house), query)
        assert (answer.status, answer.details["reason"]) == (409, "last_slot")


async def test_the_last_portable_slot_stays(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scaivault.key").write_text("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n")
    (tmp_path / "scaivault.key").chmod(0o400)
    kind = house.app.system.unsealing.kinds["systemd-credential"]
    monkeypatch.setattr(
        kind, "host", type(kind.host)(argon2_ops=1, argon2_mem_kib=65536, credentials=tmp_path)
    )
    made = await add(house, type="systemd-credential")
    assert (made.status, made.json["portable"]) == (201, False), made.body
    answer = await remove(house, first(house), "?force=true")
    assert (answer.status, answer.details["reason"]) == (409, "last_portable_slot")


async def test_others_must_include_a_proven_one(tmp_path: Path) -> None:
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    try:
        await house.init(slots=[{"type": "passphrase", "passphrase": PASSPHRASE}, SHAMIR])
        first_id, shamir = (slot["id"] for slot in house.made["slots"])
        answer = await remove(house, first_id)
        assert (answer.status, answer.details["reason"]) == (409, "no_verified_slot")
        assert len(await listed(house)) == 2
        shares = house.made["shares"][shamir]
        await verify(house, shamir, shares=shares[:2])
        assert (await remove(house, first_id)).status == 204
        await house.restart()
        assert (await house.unseal()).code == "unseal_failed"
        for share in shares[1:]:
            answer = await house.unseal(share=share)
        assert answer.json["sealed"] is False
    finally:
        await house.close()


async def test_force_lifts_only_that(tmp_path: Path) -> None:
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    try:
        await house.init(slots=[{"type": "passphrase", "passphrase": PASSPHRASE}, SHAMIR])
        first_id = house.made["slots"][0]["id"]
        assert (await remove(house, first_id, "?force=true")).status == 204
        (row,) = await house.rows(action="slot_remove")
        assert row["extra_data"]["slot_id"] == first_id
    finally:
        await house.close()


async def test_two_removals_at_once_leave_a_slot(house: House) -> None:
    other = (await add(house, **SECOND)).json["id"]
    await verify(house, first(house), passphrase=PASSPHRASE)
    answers = await asyncio.gather(remove(house, first(house)), remove(house, other))
    assert sorted(answer.status for answer in answers) == [204, 409]
    assert len(await listed(house)) == 1


async def test_all_of_it_takes_a_super_admin(house: House) -> None:
    token = await house.client("app", ["admin"], ["partner_admin"])
    for method, path, body in (
        ("GET", SLOTS, None),
        ("POST", SLOTS, SECOND),
        ("POST", f"{SLOTS}/{first(house)}/verify", {}),
        ("DELETE", f"{SLOTS}/{first(house)}", None),
        ("POST", "/v1/system/rotate-root", {}),
        ("GET", "/v1/system/jobs", None),
        ("POST", "/v1/system/jobs/pause", None),
    ):
        answer = await house.call(method, path, body, token=token)
        assert (answer.code, answer.details["required_role"]) == ("forbidden", "super_admin")


async def test_why_a_slot_did_not_open_by_itself_is_told_until_it_does(
    house: House, tmp_path: Path
) -> None:
    path = tmp_path / "slot.key"
    made = (await add(house, type="keyfile", params={"path": str(path), "create": True})).json
    away = path.rename(tmp_path / "away")
    await house.restart()
    assert await house.app.system.auto_unseal() is False
    await house.unseal()
    known = {slot["id"]: slot["last_error"] for slot in await listed(house)}
    assert known[first(house)] is None
    assert "key file" in known[made["id"]]
    assert str(tmp_path) not in known[made["id"]]
    away.rename(path)
    await house.restart()
    assert await house.app.system.auto_unseal() is True
    assert [slot["last_error"] for slot in await listed(house)] == [None, None]
