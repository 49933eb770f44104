"""Vaults that released programs wrote still open, with all that was in them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from scaivault.clock import FakeClock
from tests.support.house import House

FIXTURES = Path(__file__).parent.parent / "fixtures"
RELEASED = sorted(FIXTURES.glob("vault-*"))


def copied(released: Path, into: Path) -> Path:
    """A copy with the modes that a checkout does not keep."""
    folder = into / "vault"
    shutil.copytree(released, folder)
    folder.chmod(0o700)
    for file in folder.iterdir():
        file.chmod(0o600)
    return folder


def test_there_is_one() -> None:
    assert RELEASED


@pytest.mark.parametrize("released", RELEASED, ids=lambda path: path.name)
async def test_it_opens_with_everything_in_it(released: Path, tmp_path: Path) -> None:
    house = House(copied(released, tmp_path), FakeClock())
    house.token = (released / "token").read_text()
    try:
        assert (await house.unseal()).status == 200
        secret = (await house.read("app/db")).json
        assert secret["data"] == {"user": "app", "password": "second"}
        assert secret["metadata"] == {"tags": ["db"]}
        first = (await house.read("app/db", query={"version": 1})).json
        assert first["data"] == {"user": "app", "password": "first"}
        assert (await house.read("old/thing")).code == "secret_not_found"
        restored = await house.call("POST", "/v1/secrets/old/thing/restore")
        assert restored.status == 200
        report = (await house.get("/v1/audit/verify")).json
        assert report["valid"]
        assert report["checkpoints_checked"] >= 1
    finally:
        await house.close()
    assert os.listdir(released)  # the fixture itself stays as it is
