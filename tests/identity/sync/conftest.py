"""A vault that ScaiKey tells its news to, and one that reads a directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.identity.sync.directory import Directory
from tests.identity.sync.scaikey import ScaiKey
from tests.identity.sync.synced import Synced
from tests.support.house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """With a secret for the receiver, without rate limits."""
    opened = await House.opened(
        tmp_path / "vault", rate_limits__enabled=False, **ScaiKey.settings(tmp_path)
    )
    yield opened
    await opened.close()


@pytest.fixture
async def scaikey(house: House) -> ScaiKey:
    """With a partner and a tenant."""
    sender = ScaiKey(house)
    await sender.found()
    return sender


@pytest.fixture
async def directory() -> AsyncIterator[Directory]:
    async with Directory() as running:
        yield running


@pytest.fixture
async def synced(tmp_path: Path, directory: Directory) -> AsyncIterator[Synced]:
    """A vault whose issuer ``corp`` has the directory."""
    opened = await Synced.opened(tmp_path / "synced", directory)
    yield opened
    await opened.house.close()
