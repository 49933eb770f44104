"""Files that were lost, mixed up, edited or damaged, and clocks that are wrong: what does not fit
together does not open, what is damaged is named, and everything else goes on."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import MINUTE, FakeClock
from scaivault.storage.folder import StartRefused
from tests.support.house import PASSPHRASE, Answer, House
from tests.support.process import Server

SHARES = {"type": "shamir", "shares": 3, "threshold": 2}


class Stopped:
    """A vault with a passphrase and a share slot, not running."""

    def __init__(self, house: House) -> None:
        self.path = house.path
        self.token = house.token
        self.shares: list[str] = next(iter(house.made["shares"].values()))
        self.house: House | None = None

    def start(self, **options: Any) -> House:
        """``StartRefused`` when the folder is not fit."""
        house = House.__new__(House)
        house.path, house.clock = self.path, FakeClock()
        house.settings = House.configured(self.path, rate_limits__enabled=False)
        house.token, house.made = self.token, {}
        house._start(**options)
        self.house = house
        return house

    @property
    def seal(self) -> Path:
        return self.path / "vault.seal"

    @property
    def database(self) -> Path:
        return self.path / "vault.db"

    async def stop(self) -> None:
        if self.house is not None:
            await self.house.close()
            self.house = None


async def make(path: Path) -> Stopped:
    house = House(path, rate_limits__enabled=False)
    slots = [{"type": "passphrase", "passphrase": PASSPHRASE}, SHARES]
    assert (await house.init(slots=slots)).status == 201
    for number in range(30):
        assert (await house.put(f"day/{number}", {"n": number, "x": "y" * 900})).status == 201
    await house.close()
    return Stopped(house)


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Stopped]:
    made = await make(tmp_path / "vault")
    yield made
    await made.stop()


@pytest.fixture
async def other(tmp_path: Path) -> Stopped:
    return await make(tmp_path / "other")


def write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)


# -- credentials --------------------------------------------------------------------------------


async def test_wrong_credentials_are_all_alike(vault: Stopped, other: Stopped) -> None:
    house = vault.start()
    share = vault.shares[0]
    wrong: list[dict[str, Any]] = [
        {"passphrase": PASSPHRASE + " "},
        {"passphrase": "short"},
        {"share": other.shares[0]},
        {"share": share[:-1] + ("a" if share[-1] != "a" else "b")},
        {"share": "svs1-"},
        {"key": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"slot_id": "slot_00000000000000000000", "passphrase": PASSPHRASE},
    ]
    answers = [await house.unseal(**body) for body in wrong]
    assert {(answer.status, answer.code) for answer in answers} == {(401, "unseal_failed")}
    assert len({answer.json["error"]["message"] for answer in answers}) == 1
    assert (await house.unseal(share=share)).json["sealed"] is True
    assert (await house.unseal(share=share)).json["sealed"] is True
    assert (await house.unseal(share=vault.shares[2])).json["sealed"] is False
    rows = await house.rows(action="unseal", success=False)
    assert len(rows) == len(wrong)


async def test_torn_row_of_a_sealed_vault(vault: Stopped) -> None:
    """A stop in the middle of a row of sealed.audit costs that row, not the next ones."""
    house = vault.start()
    assert (await house.unseal(passphrase="not the one at all")).status == 401
    await vault.stop()
    waiting = vault.path / "sealed.audit"
    write(waiting, waiting.read_bytes() + waiting.read_bytes()[:70])
    house = vault.start()
    assert (await house.unseal(passphrase="nor is this one")).status == 401
    assert (await house.unseal()).status == 200
    assert len(await house.rows(action="unseal", success=False)) == 2
    assert not waiting.exists()
    assert (await house.get("/v1/audit/verify")).json["valid"]


# -- vault.seal ---------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [0, 1, 200, -2])
async def test_seal_cut_short(vault: Stopped, left: int) -> None:
    write(vault.seal, vault.seal.read_bytes()[:left])
    with pytest.raises(StartRefused, match=r"vault\.seal"):
        vault.start()


async def test_seal_far_too_long(vault: Stopped) -> None:
    write(vault.seal, vault.seal.read_bytes() + b" " * 300_000)
    with pytest.raises(StartRefused, match="longer than"):
        vault.start()


def bent(text: str) -> str:
    """Another text of the same shape."""
    place = len(text) // 2
    return text[:place] + ("1" if text[place] != "1" else "2") + text[place + 1 :]


EDITS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "vault_id": lambda file: file.update(vault_id=bent(file["vault_id"])),
    "created_at": lambda file: file.update(created_at="2001-01-01T00:00:00.000000Z"),
    "root_key_version": lambda file: file.update(root_key_version=2),
    "generation": lambda file: file.update(generation=file["generation"] + 1),
    "min_program": lambda file: file.update(min_program="0.0.1"),
    "mac": lambda file: file.update(mac=bent(file["mac"])),
    "file_key.version": lambda file: file["file_key"].update(version=2),
    "file_key.wrapped": lambda file: file["file_key"].update(
        wrapped=bent(file["file_key"]["wrapped"])
    ),
    "slot removed": lambda file: file["slots"].pop(),
    "slots swapped": lambda file: file["slots"].reverse(),
    "slot id": lambda file: file["slots"][0].update(id=bent(file["slots"][0]["id"])),
    "slot label": lambda file: file["slots"][0].update(label="another"),
    "slot created_at": lambda file: file["slots"][0].update(
        created_at="2001-01-01T00:00:00.000000Z"
    ),
    "kdf ops": lambda file: file["slots"][0]["params"]["kdf"].update(ops=2),
    "wrapped_root": lambda file: file["slots"][0].update(
        wrapped_root=bent(file["slots"][0]["wrapped_root"])
    ),
    "threshold": lambda file: file["slots"][1]["params"].update(threshold=3),
}


@pytest.mark.parametrize("edit", EDITS)
async def test_seal_edited(vault: Stopped, edit: str) -> None:
    """No edit opens, and no flag makes it: that needs the root key."""
    file = json.loads(vault.seal.read_text())
    EDITS[edit](file)
    write(vault.seal, json.dumps(file).encode())
    before = vault.database.read_bytes()
    house = vault.start(accept_seal_mismatch=True)
    answer = await house.unseal()
    assert answer.status in (401, 409), answer.body
    if answer.status == 409:
        assert answer.details["reason"] == "seal_mismatch"
    assert (await house.read("day/1")).status == 503
    assert vault.database.read_bytes() == before, "vault.db was touched"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"version": 2}, "newer program"),
        ({"min_program": "99.0.0"}, "99.0.0"),
        ({"unknown": 1}, "unknown"),
        ({"format": "something"}, "another kind"),
    ],
)
async def test_seal_of_another_program(vault: Stopped, fields: dict[str, Any], told: str) -> None:
    file = json.loads(vault.seal.read_text()) | fields
    write(vault.seal, json.dumps(file).encode())
    with pytest.raises(StartRefused, match=told) as refused:
        vault.start()
    assert refused.value.exit_code == 6


async def test_old_seal_put_back(vault: Stopped) -> None:
    """A slot that was removed must not open again, unless the operator says so, once."""
    kept = vault.seal.read_bytes()
    house = vault.start()
    await house.unseal()
    slot = (await house.get("/v1/system/slots")).json["slots"][1]["id"]
    for _ in range(2):
        body = {"type": "passphrase", "passphrase": "one more passphrase"}
        assert (await house.call("POST", "/v1/system/slots", body)).status == 201
    gone = await house.call("DELETE", f"/v1/system/slots/{slot}?force=true")
    assert gone.status == 204, gone.body
    await vault.stop()
    write(vault.seal, kept)
    house = vault.start()
    refused = await house.unseal()
    assert (refused.status, refused.details["reason"]) == (409, "seal_mismatch")
    assert (await house.get("/v1/system/seal-status")).json["reason"] == "seal_mismatch"
    await vault.stop()
    house = vault.start(accept_seal_mismatch=True)
    assert (await house.unseal()).status == 200
    assert (await house.read("day/1")).status == 200
    await vault.stop()
    assert (await vault.start().unseal()).status == 200


# -- the two files ------------------------------------------------------------------------------


async def refused_mix(vault: Stopped) -> Answer:
    house = vault.start(accept_seal_mismatch=True)
    answer = await house.unseal()
    assert answer.status in (409, 503), answer.body
    assert (await house.get("/v1/system/seal-status")).json["sealed"] is True
    return answer


async def test_database_of_another_vault(vault: Stopped, other: Stopped) -> None:
    write(vault.database, other.database.read_bytes())
    assert (await refused_mix(vault)).details["reason"] == "storage_error"


async def test_seal_of_another_vault(vault: Stopped, other: Stopped) -> None:
    write(vault.seal, other.seal.read_bytes())
    assert (await refused_mix(vault)).details["reason"] == "storage_error"


@pytest.mark.parametrize("left", [0, 100, 4096, 5000])
async def test_database_cut_short(vault: Stopped, left: int) -> None:
    write(vault.database, vault.database.read_bytes()[:left])
    await refused_mix(vault)
    assert len(vault.database.read_bytes()) == left, "nothing is made up in its place"


@pytest.mark.parametrize("name", ["vault.db", "vault.seal"])
async def test_only_one_file(vault: Stopped, name: str) -> None:
    (vault.path / name).unlink()
    with pytest.raises(StartRefused, match="is missing beside"):
        vault.start()


# -- who may read -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["vault.db", "vault.seal"])
async def test_files_that_others_reach(vault: Stopped, tmp_path: Path, name: str) -> None:
    path, aside = vault.path / name, tmp_path / "aside"
    path.chmod(0o640)
    with pytest.raises(StartRefused, match="open to group"):
        vault.start()
    path.chmod(0o600)
    os.link(path, aside)
    with pytest.raises(StartRefused, match="hard link"):
        vault.start()
    path.unlink()
    path.symlink_to(aside)
    with pytest.raises(StartRefused, match="symbolic link"):
        vault.start()
    path.unlink()
    aside.rename(path)
    if os.geteuid() == 0:
        os.chown(path, 12345, 12345)
        with pytest.raises(StartRefused, match="belongs to user 12345"):
            vault.start()
        os.chown(path, 0, 0)
    assert (await vault.start().unseal()).status == 200


async def test_folder_that_others_reach(vault: Stopped) -> None:
    vault.path.chmod(0o750)
    with pytest.raises(StartRefused, match="mode 750"):
        vault.start()


def test_second_process_is_refused(founded: Server, tmp_path: Path) -> None:
    second = Server(tmp_path / "second", {"data_dir": str(founded.data)})
    code, told = second.refused()
    assert code == 6
    assert str(founded.pid) in told
    assert founded.put("a/b", {"n": 1}).status == 201


# -- clocks -------------------------------------------------------------------------------------


async def test_clock_far_behind(vault: Stopped) -> None:
    house = vault.start()
    house.clock.advance(30 * MINUTE)
    await house.unseal()
    await vault.stop()
    house = vault.start()  # half an hour earlier
    answer = await house.unseal()
    assert (answer.status, answer.details["reason"]) == (409, "clock_behind")
    assert (await house.get("/v1/system/seal-status")).json["reason"] == "clock_behind"
    house.clock.advance(26 * MINUTE)
    assert (await house.unseal()).status == 200
    await vault.stop()
    house = vault.start(accept_clock=True)
    assert (await house.unseal()).status == 200


# -- damage -------------------------------------------------------------------------------------


async def test_damaged_page(vault: Stopped) -> None:
    """A flipped bit is found by whoever meets it, and by the scrub; the process goes on."""
    clean = vault.database.read_bytes()
    found = 0
    for page in range(1, len(clean) // 4096, 9):
        bad = bytearray(clean)
        bad[page * 4096 + 1000] ^= 1
        write(vault.database, bytes(bad))
        house = vault.start()
        if (await house.unseal()).status == 200:
            answers = [await house.read(f"day/{number}") for number in range(30)]
            assert {answer.status for answer in answers} <= {200, 500, 503}
            for number, answer in enumerate(answers):
                assert answer.status != 200 or answer.json["data"]["n"] == number
            found += any(answer.status != 200 for answer in answers)
            assert (await house.get("/v1/health")).status == 200
        else:
            found += 1
        await vault.stop()
        for name in ("vault.db-wal", "vault.db-shm"):
            (vault.path / name).unlink(missing_ok=True)
    assert found


async def test_damaged_value_is_set_aside(vault: Stopped) -> None:
    house = vault.start()
    await house.unseal()

    def spoil(db: Any) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            "UPDATE secret_large SET value = (SELECT l.value FROM secret_large l WHERE l.id ="
            " (SELECT large FROM secret_version WHERE path = 'day/2'))"
            " WHERE id = (SELECT large FROM secret_version WHERE path = 'day/1')"
        )
        db.execute("COMMIT")

    await house.vault.database.alone(spoil)
    for _ in range(2):
        broken = await house.read("day/1")
        assert (broken.status, broken.code) == (500, "internal_error")
    others = [await house.read(f"day/{number}") for number in range(2, 30)]
    assert {answer.status for answer in others} == {200}
    assert (await house.put("day/1", {"n": 1})).status == 200
    assert (await house.read("day/1")).json["data"] == {"n": 1}
    assert (await house.get("/v1/audit/verify")).json["valid"]


async def test_folder_is_usable_after_a_copy(vault: Stopped, tmp_path: Path) -> None:
    """Both files together are a vault anywhere else."""
    there = tmp_path / "there"
    shutil.copytree(vault.path, there)
    vault.path = there
    house = vault.start()
    assert (await house.unseal(share=vault.shares[0])).status == 200
    assert (await house.unseal(share=vault.shares[1])).json["sealed"] is False
    assert (await house.read("day/3")).json["data"]["n"] == 3
