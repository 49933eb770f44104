"""Rows of calls on a sealed vault: kept in a file, chained first at the next unseal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaivault.system.early import LARGEST
from tests.support.house import House


def waiting(house: House) -> bytes:
    path = house.path / "sealed.audit"
    return path.read_bytes() if path.exists() else b""


async def refused(house: House, times: int = 1) -> None:
    for _ in range(times):
        assert (await house.unseal(share="svs1-x")).code == "unseal_failed"


async def unseals(house: House) -> list[Any]:
    return [row["extra_data"].get("error_code") for row in await house.rows(action="unseal")]


async def test_refusals_come_first(house: House) -> None:
    before = len(await house.rows())
    await house.restart()
    await refused(house, 2)
    file = house.path / "sealed.audit"
    assert len(file.read_bytes().splitlines()) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    await house.unseal()
    assert not file.exists()
    rows = [row for row in (await house.rows())[before:] if row["action"] == "unseal"]
    assert [row["success"] for row in rows] == [False, False, True]
    assert [row["extra_data"].get("error_code") for row in rows] == ["unseal_failed"] * 2 + [None]
    assert (await house.get("/v1/audit/verify")).json["valid"] is True


async def test_nothing_comes_before_them_after_a_long_time(house: House) -> None:
    await house.restart()
    await refused(house)
    house.clock.advance(200 * 86_400_000_000)  # the signing key is over: it is replaced, later
    await house.unseal()
    rows = await house.rows()
    before = next(n for n, row in enumerate(rows) if row["action"] == "unseal")
    assert [row["action"] for row in rows[before:]] == ["unseal", "unseal", "key_rotate"]


async def test_other_refusals_of_a_sealed_vault_leave_no_row(house: House) -> None:
    await house.restart()
    await house.get("/v1/secrets")
    await house.call("POST", "/v1/system/root-token", {"passphrase": "x"})
    assert waiting(house) == b""


async def test_a_stop_between_chaining_and_clearing_chains_nothing_twice(house: House) -> None:
    await house.restart()
    await refused(house, 2)
    kept = waiting(house)
    await house.unseal()
    await house.restart()
    (house.path / "sealed.audit").write_bytes(kept)
    (house.path / "sealed.audit").chmod(0o600)
    await refused(house)
    await house.unseal()
    assert await unseals(house) == ["unseal_failed"] * 2 + [None] + ["unseal_failed", None]


async def test_a_row_cut_short_spoils_no_other(house: House) -> None:
    await house.restart()
    await refused(house)
    (house.path / "sealed.audit").write_bytes(waiting(house) + b'{"action":"uns')
    await refused(house)
    await house.unseal()
    assert await unseals(house) == ["unseal_failed"] * 2 + [None]


@pytest.mark.parametrize(
    "forged",
    [
        {"action": "read", "secret_path": "app/db"},
        {"identity_id": "user:alice@example.net", "identity_type": "user"},
        {"tenant_id": "tnt_00000000000000000000"},
        {"actor_tenant_id": "tnt_00000000000000000000"},
    ],
)
async def test_nobody_writes_other_rows_into_it(house: House, forged: dict[str, Any]) -> None:
    await house.restart()
    await refused(house)
    row = json.loads(waiting(house)) | {"success": True, "id": "log_0", **forged}
    with (house.path / "sealed.audit").open("ab") as file:
        file.write(json.dumps(row).encode() + b"\n")
    await house.unseal()
    assert [row for row in await house.rows() if row["id"] == "log_0"] == []
    assert await unseals(house) == ["unseal_failed", None]


async def test_a_full_file_keeps_nobody_out(house: House) -> None:
    await house.restart()
    await refused(house)
    row = waiting(house)
    (house.path / "sealed.audit").write_bytes(row + b"#" * (LARGEST - len(row) - 1) + b"\n")
    await refused(house, 3)
    assert len(waiting(house)) == LARGEST
    assert (await house.unseal()).status == 200
    rows = await house.rows(action="unseal")
    assert [row["success"] for row in rows] == [False, True]
    assert rows[0]["extra_data"]["suppressed"] == 3


async def test_secrets_stay_out(house: House) -> None:
    await house.restart()
    await house.unseal(passphrase="my other passphrase")
    assert b"passphrase" not in waiting(house)


@pytest.mark.parametrize("body", [{"slots": [{"type": "magic"}]}, {"recovery": 5}])
async def test_a_refused_init_waits_too(tmp_path: Any, body: dict[str, Any]) -> None:
    house = House(tmp_path / "vault", rate_limits__enabled=False)
    try:
        assert (await house.init(**body)).status == 422
        assert len(waiting(house).splitlines()) == 1
        assert (await house.init()).status == 201
        await house.restart()
        await house.unseal()
        rows = await house.rows(action="init")
        assert sorted(row["success"] for row in rows) == [False, True]
    finally:
        await house.close()
