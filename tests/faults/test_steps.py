"""A stop at every single step of what changes vault.seal, vault.db and the keys in them: each
time the vault opens afterwards, nothing is lost, and it can be used."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.breaking import SECOND
from tests.support.house import PASSPHRASE, House

TOP = Path(__file__).parents[2]
MOST = 80  # no work here takes so many steps

Break = Callable[[Path, str, int], str]


@pytest.fixture(scope="module")
def breaker() -> Iterator[Break]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.breaking"],
        cwd=TOP,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    send, receive = process.stdin, process.stdout

    def do(folder: Path, work: str, step: int) -> str:
        send.write(json.dumps({"folder": str(folder), "work": work, "step": step}) + "\n")
        send.flush()
        return receive.readline().strip()

    yield do
    send.close()
    process.wait()
    receive.close()


async def template(folder: Path, *, slots: int = 1) -> Path:
    """A vault with some secrets, stopped; the root token lies beside it."""
    house = await House.opened(folder / "template", rate_limits__enabled=False)
    for number in range(5):
        assert (await house.put(f"step/{number}", {"n": number})).status == 201
    if slots > 1:
        body = {"type": "passphrase", "passphrase": SECOND}
        assert (await house.call("POST", "/v1/system/slots", body)).status == 201
    (folder / "token").write_text(house.token)
    await house.close()
    return folder / "template"


async def check(path: Path, *also: str) -> None:
    """It starts, opens with the passphrase, holds everything, and takes more; ``also`` opens it
    exactly if its slot is there."""
    token = (path.parent / "token").read_text()
    house = House(path, rate_limits__enabled=False)
    try:
        slots = len(house.app.system.file.slots)
        assert (await house.unseal()).status == 200
        for number in range(5):
            answer = await house.read(f"step/{number}", token=token)
            assert answer.status == 200, answer.body
            assert answer.json["data"] == {"n": number}
        house.token = token
        assert (await house.put("step/more", {"n": 1})).status in (200, 201)
        report = (await house.call("GET", "/v1/audit/verify")).json
        assert report["valid"], report
        await house.restart()
        for passphrase in also:
            opened = (await house.unseal(passphrase=passphrase)).status == 200
            assert opened is (slots == 2)
    finally:
        await house.close()


async def broken_at(
    breaker: Break, folder: Path, work: str, every: int, *also: str, slots: int = 1
) -> int:
    """Every ``every``-th step of ``work``; how many steps it has."""
    whole = await template(folder, slots=slots)
    for step in range(1, MOST, every):
        path = folder / f"step-{step}"
        shutil.copytree(whole, path)
        outcome = breaker(path, work, step)
        assert outcome in ("killed", "done"), outcome
        await check(path, *also)
        shutil.rmtree(path)
        if outcome == "done":
            return step
    raise AssertionError(f"{work} has no end")


@pytest.mark.parametrize(("work", "every"), [("rotate", 2), ("keys", 1)])
async def test_keys_replaced(breaker: Break, tmp_path: Path, work: str, every: int) -> None:
    assert await broken_at(breaker, tmp_path, work, every) > 8


async def test_slot_added(breaker: Break, tmp_path: Path) -> None:
    assert await broken_at(breaker, tmp_path, "add", 1, SECOND) > 4


async def test_slot_removed(breaker: Break, tmp_path: Path) -> None:
    assert await broken_at(breaker, tmp_path, "remove", 1, SECOND, slots=2) > 4


async def test_stopped(breaker: Break, tmp_path: Path) -> None:
    assert await broken_at(breaker, tmp_path, "stop", 1) > 1


@pytest.mark.long
@pytest.mark.parametrize("work", ["rotate", "keys", "add", "stop"])
async def test_every_step(breaker: Break, tmp_path: Path, work: str) -> None:
    assert await broken_at(breaker, tmp_path, work, 1) > 1


async def made(breaker: Break, folder: Path, every: int) -> int:
    """A stop at every ``every``-th step of init: no vault yet, or a whole one."""
    for step in range(1, MOST, every):
        path = folder / f"step-{step}"
        outcome = breaker(path, "init", step)
        assert outcome in ("killed", "done"), outcome
        house = House(path, rate_limits__enabled=False)
        try:
            if house.app.system.initialized:
                assert (await house.unseal()).status == 200
            else:
                assert {file.name for file in path.iterdir()} <= {"LOCK", "tmp"}
                assert (await house.init()).status == 201
                assert (await house.put("a/b", {"x": 1})).status == 201
        finally:
            await house.close()
        if outcome == "done":
            return step
    raise AssertionError("init has no end")


async def test_vault_made(breaker: Break, tmp_path: Path) -> None:
    assert await made(breaker, tmp_path, 3) > 6


@pytest.mark.long
async def test_vault_made_every_step(breaker: Break, tmp_path: Path) -> None:
    assert await made(breaker, tmp_path, 1) > 6


async def test_shares_lost_with_the_answer_are_not_the_only_way(tmp_path: Path) -> None:
    """Adding a share slot beside a passphrase: whatever is lost, the passphrase opens."""
    house = await House.opened(tmp_path / "vault", rate_limits__enabled=False)
    try:
        body = {"type": "shamir", "shares": 3, "threshold": 2}
        added = await house.call("POST", "/v1/system/slots", body)
        assert added.status == 201, added.body
        await house.crash()
        assert (await house.unseal(share=added.json["shares"][0])).json["sealed"] is True
        assert (await house.unseal(share=added.json["shares"][2])).json["sealed"] is False
        await house.crash()
        assert (await house.unseal(passphrase=PASSPHRASE)).status == 200
    finally:
        await house.close()
