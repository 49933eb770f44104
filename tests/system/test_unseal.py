"""Unseal: one credential, shares one at a time, without a person, and what a hold does."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE, SECOND
from scaivault.crypto import codes
from scaivault.crypto.memory import Wiped
from scaivault.system.opening import Opened
from scaivault.vault import Vault
from tests.support.house import PASSPHRASE, House

SHAMIR = {"type": "shamir", "shares": 3, "threshold": 2}
PASS = {"type": "passphrase", "passphrase": PASSPHRASE}


@pytest.fixture
async def sealed(tmp_path: Path) -> AsyncIterator[House]:
    """A passphrase, a Shamir and a key file slot; sealed."""
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    key = {"type": "keyfile", "params": {"path": str(tmp_path / "slot.key"), "create": True}}
    await house.init(slots=[PASS, SHAMIR, key])
    await house.restart()
    yield house
    await house.close()


def shares(house: House) -> list[str]:
    found: list[str] = next(iter(house.made["shares"].values()))
    return found


async def status(house: House) -> Any:
    return (await house.get("/v1/system/seal-status", token=None)).json


async def progress(house: House) -> int:
    found: int = (await status(house))["slots"][1]["progress"]
    return found


async def test_the_status_of_a_sealed_vault(sealed: House) -> None:
    body = await status(sealed)
    assert (body["initialized"], body["sealed"], body["state"]) == (True, True, "sealed")
    assert (body["reason"], body["held"]) == (None, False)
    assert body["vault_id"] == sealed.made["vault_id"]
    assert [slot["auto"] for slot in body["slots"]] == [False, False, True]
    shamir = body["slots"][1]
    assert (shamir["threshold"], shamir["shares"], shamir["progress"]) == (2, 3, 0)
    assert "threshold" not in body["slots"][0]
    assert not {"params", "wrapped_root"} & set(body["slots"][0])
    assert body["auto"] == {"last_attempt_at": None, "last_error": None}


async def test_a_passphrase(sealed: House) -> None:
    answer = await sealed.unseal(passphrase=PASSPHRASE)
    assert (answer.status, answer.json["state"]) == (200, "unsealed")
    (row,) = await sealed.rows(action="unseal")
    assert row["success"] is True
    assert row["extra_data"]["slot_type"] == "passphrase"
    assert row["extra_data"]["slot_id"] == sealed.made["slots"][0]["id"]


async def test_a_key(sealed: House, tmp_path: Path) -> None:
    key = (tmp_path / "slot.key").read_text().strip()
    assert (await sealed.unseal(key=key)).json["sealed"] is False


async def test_every_wrong_credential_gets_the_same_answer(sealed: House) -> None:
    slots = [slot["id"] for slot in sealed.made["slots"]]
    foreign = codes.share("slot_" + "0" * 14 + slots[1][-6:], 1, bytes(32))
    share = shares(sealed)[0]
    wrong: list[dict[str, Any]] = [
        {"passphrase": PASSPHRASE + " "},
        {"passphrase": "short"},
        {"passphrase": "\u0301" * 9000},
        {"passphrase": PASSPHRASE, "slot_id": "slot_unknown"},
        {"passphrase": PASSPHRASE, "slot_id": slots[1]},
        {"key": base64.b64encode(bytes(32)).decode()},
        {"key": "not base64"},
        {"key": base64.b64encode(bytes(31)).decode()},
        {"share": "svs1-x"},
        {"share": foreign},
        {"share": share[:-1] + ("y" if share.endswith("x") else "x")},
        {"share": share, "slot_id": slots[0]},
    ]
    told = set()
    for body in wrong:
        answer = await sealed.unseal(**body)
        assert (answer.status, answer.code) == (401, "unseal_failed"), body
        assert "www-authenticate" not in answer.headers
        told.add(answer.json["error"]["message"])
    assert len(told) == 1
    assert await progress(sealed) == 0
    assert (await status(sealed))["sealed"] is True


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"auto": False},
        {"passphrase": PASSPHRASE, "key": "x"},
        {"passphrase": PASSPHRASE, "auto": True},
        {"share": "x", "passphrase": PASSPHRASE},
        {"shares": ["a", "b"]},
        {"word": PASSPHRASE},
    ],
)
async def test_exactly_one_credential(sealed: House, body: dict[str, Any]) -> None:
    answer = await sealed.call("POST", "/v1/system/unseal", body, token=None)
    assert (answer.status, answer.code) == (422, "validation_error")


async def test_an_open_vault_checks_nothing(house: House) -> None:
    answer = await house.unseal(passphrase="nonsense, but long enough")
    assert (answer.status, answer.json["sealed"]) == (200, False)
    (row,) = await house.rows(action="unseal")
    assert row["success"] is True


# -- shares ------------------------------------------------------------------------------------


async def test_shares_one_after_another(sealed: House) -> None:
    first, second, _ = shares(sealed)
    for _ in range(2):  # a repeated one counts once
        answer = await sealed.unseal(share=first)
        assert (answer.status, answer.json["sealed"]) == (200, True)
        assert answer.json["slots"][1]["progress"] == 1
    assert (await sealed.unseal(share=second)).json["sealed"] is False
    rows = await sealed.rows(action="unseal")
    assert [row["extra_data"].get("progress") for row in rows] == [1, 1, None]
    assert {row["extra_data"]["slot_type"] for row in rows} == {"shamir"}


async def test_any_two_shares(sealed: House) -> None:
    for share in shares(sealed)[2:0:-1]:
        answer = await sealed.unseal(share=share)
    assert answer.json["sealed"] is False


async def test_a_wrong_share_resets_nothing(sealed: House) -> None:
    first, second, _ = shares(sealed)
    await sealed.unseal(share=first)
    await sealed.unseal(share="svs1-nonsense")
    assert await progress(sealed) == 1
    assert (await sealed.unseal(share=second)).json["sealed"] is False


async def test_shares_are_forgotten_a_quarter_of_an_hour_after_the_last(sealed: House) -> None:
    first, second, _ = shares(sealed)
    await sealed.unseal(share=first)
    sealed.clock.advance(15 * MINUTE - 1)
    assert await progress(sealed) == 1
    sealed.clock.advance(1)
    assert await progress(sealed) == 0
    assert (await sealed.unseal(share=second)).json["sealed"] is True


async def test_a_clock_set_back_keeps_no_share_longer(sealed: House) -> None:
    await sealed.unseal(share=shares(sealed)[0])
    sealed.clock.advance(-60 * MINUTE)
    sealed.clock.advance(15 * MINUTE)
    assert await progress(sealed) == 0


async def test_shares_do_not_outlive_an_unseal(sealed: House) -> None:
    await sealed.unseal(share=shares(sealed)[0])
    await sealed.unseal(passphrase=PASSPHRASE)
    assert await progress(sealed) == 0


async def test_shares_of_another_vault(sealed: House, tmp_path: Path) -> None:
    other = House(tmp_path / "other", rate_limits__enabled=False)
    try:
        await other.init(slots=[SHAMIR])
        assert (await sealed.unseal(share=shares(other)[0])).code == "unseal_failed"
        assert await progress(sealed) == 0
    finally:
        await other.close()


# -- one derivation at a time ------------------------------------------------------------------


async def test_one_derivation_runs_and_four_wait(sealed: House) -> None:
    calls = [sealed.unseal(passphrase=f"wrong passphrase {n}") for n in range(8)]
    answers = await asyncio.gather(*calls)
    codes_seen = sorted(answer.code for answer in answers)
    assert codes_seen == ["rate_limited"] * 3 + ["unseal_failed"] * 5
    limited = next(answer for answer in answers if answer.status == 429)
    assert int(limited.headers["retry-after"]) >= 1
    assert limited.details["category"] == "unseal"
    assert (await sealed.unseal(passphrase=PASSPHRASE)).status == 200


async def test_ten_attempts_a_minute_and_address(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault")
    await house.restart()
    try:
        codes_seen = [(await house.unseal(share="x")).code for _ in range(11)]
        assert codes_seen == ["unseal_failed"] * 10 + ["rate_limited"]
        other = await house.call(
            "POST",
            "/v1/system/unseal",
            {"passphrase": PASSPHRASE},
            token=None,
            client=("192.0.2.1", 1),
        )
        assert other.status == 200
    finally:
        await house.close()


async def test_two_unseals_at_once_open_one_vault(sealed: House) -> None:
    answers = await asyncio.gather(*(sealed.unseal() for _ in range(3)))
    assert [answer.json["sealed"] for answer in answers] == [False] * 3
    assert (await sealed.get("/v1/auth/whoami")).status == 200


# -- without a person --------------------------------------------------------------------------


async def test_auto_only_from_this_host(sealed: House) -> None:
    body = {"auto": True}
    far = await sealed.call("POST", "/v1/system/unseal", body, token=None, client=("192.0.2.1", 1))
    assert (far.code, far.details["reason"]) == ("forbidden", "not_local")
    behind = await sealed.call(
        "POST", "/v1/system/unseal", body, token=None, headers={"x-forwarded-for": "::1"}
    )
    assert behind.code == "forbidden"
    assert (await sealed.unseal(auto=True)).json["sealed"] is False


async def test_a_passphrase_from_anywhere(sealed: House) -> None:
    answer = await sealed.call(
        "POST",
        "/v1/system/unseal",
        {"passphrase": PASSPHRASE},
        token=None,
        client=("192.0.2.1", 1),
    )
    assert answer.status == 200


async def test_it_opens_by_itself(sealed: House) -> None:
    await sealed.app.auto_unseal()
    body = await status(sealed)
    assert body["sealed"] is False
    assert body["auto"]["last_attempt_at"] is not None
    (row,) = await sealed.rows(action="unseal")
    assert row["identity_id"] == "system:unseal"


async def test_a_failing_slot_is_tried_again_later_and_later(sealed: House, tmp_path: Path) -> None:
    (tmp_path / "slot.key").rename(tmp_path / "gone.key")
    system = sealed.app.system
    assert await system.auto_unseal() is False
    body = await status(sealed)
    assert body["reason"] == "auto_unseal_failed"
    assert body["auto"]["last_error"]
    assert str(tmp_path) not in body["auto"]["last_error"]
    assert [system.auto_pause(n) for n in range(1, 6)] == [5, 15, 30, 60, 60]
    (tmp_path / "gone.key").rename(tmp_path / "slot.key")
    assert await system.auto_unseal() is True
    assert (await status(sealed))["auto"]["last_error"] is None


async def test_the_order_of_seal_auto(tmp_path: Path) -> None:
    house = House(tmp_path / "vault", seal__auto=["tpm2", "keyfile"])
    try:
        key = {"type": "keyfile", "params": {"path": str(tmp_path / "k"), "create": True}}
        await house.init(slots=[PASS, key])
        await house.restart()
        await house.app.auto_unseal()
        assert (await status(house))["sealed"] is False
    finally:
        await house.close()


async def test_a_vault_without_automatic_slots_waits(tmp_path: Path) -> None:
    house = await House.opened(tmp_path / "vault")
    await house.restart()
    try:
        assert await house.app.system.auto_unseal() is True
        assert (await status(house))["sealed"] is True
    finally:
        await house.close()


async def test_a_held_vault_waits_for_a_person(sealed: House) -> None:
    await sealed.unseal()
    answer = await sealed.call("POST", "/v1/system/seal", {})
    assert answer.json["held"] is True
    assert await sealed.app.system.auto_unseal() is True
    await sealed.restart()
    await sealed.app.auto_unseal()
    assert (await status(sealed))["sealed"] is True
    assert (await status(sealed))["held"] is True
    assert (await sealed.unseal()).json["held"] is False
    await sealed.restart()
    await sealed.app.auto_unseal()
    assert (await status(sealed))["sealed"] is False


async def test_a_clock_behind_the_newest_row(sealed: House) -> None:
    await sealed.unseal()
    await sealed.restart()
    sealed.clock.advance(-5 * MINUTE - SECOND)
    answer = await sealed.unseal()
    assert (answer.status, answer.details["reason"]) == (409, "clock_behind")
    assert (await status(sealed))["reason"] == "clock_behind"
    assert sealed.app.system.auto_pause(1) == 10
    sealed.clock.advance(SECOND)
    assert (await sealed.unseal()).status == 200
    await sealed.restart(accept_clock=True)
    sealed.clock.advance(-60 * MINUTE)
    assert (await sealed.unseal()).status == 200


async def test_an_older_seal_file_is_refused_and_may_be_waved_through(house: House) -> None:
    old = (house.path / "vault.seal").read_bytes()
    for n in range(2):
        slot = {"type": "passphrase", "passphrase": f"another one, number {n}"}
        assert (await house.call("POST", "/v1/system/slots", slot)).status == 201
    await house.close()
    (house.path / "vault.seal").write_bytes(old)
    house._start()
    answer = await house.unseal()
    assert (answer.status, answer.details["reason"]) == (409, "seal_mismatch")
    assert (await status(house))["reason"] == "seal_mismatch"
    await house.restart(accept_seal_mismatch=True)
    assert (await house.unseal()).status == 200
    await house.restart()
    assert (await house.unseal()).status == 200


@pytest.mark.parametrize("step", ["clear", "renew"])
async def test_a_late_failure_leaves_no_key_behind(
    sealed: House, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The vault counts as sealed then, so nothing of it may stay open."""
    made: list[Vault] = []
    system = sealed.app.system
    build = system._build

    def remembered(opened: Opened) -> Vault:
        made.append(build(opened))
        return made[-1]

    def fails(*_given: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(system, "_build", remembered)
    if step == "clear":
        monkeypatch.setattr(system._early, "clear", fails)
    else:
        monkeypatch.setattr(Vault, "renew_issuer", fails)
    assert (await sealed.unseal()).status >= 500
    assert (await status(sealed))["sealed"] is True
    with pytest.raises(Wiped):
        made[0].opened.file_key.reveal()
    monkeypatch.undo()
    assert (await sealed.unseal()).status == 200
