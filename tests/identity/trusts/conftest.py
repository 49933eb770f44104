"""A vault that may call the test's issuer, and that issuer. No issuer is configured."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scaivault.clock import FakeClock
from tests.support.house import House
from tests.support.issuing import Provider
from tests.support.trusting import SETTINGS, runner, trust


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider(FakeClock()) as running:
        yield running


@pytest.fixture
async def house(tmp_path: Path, provider: Provider) -> AsyncIterator[House]:
    opened = await House.opened(tmp_path / "vault", provider.clock, **SETTINGS)
    yield opened
    await opened.close()


@pytest.fixture
async def trusted(house: House, provider: Provider) -> str:
    """The id of a trust in the issuer, for ``sa:ci``."""
    await runner(house)
    return await trust(house, provider)
