"""A vault that takes tokens of one issuer, and that issuer."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from scaivault.clock import FakeClock
from tests.support.house import House
from tests.support.issuing import Provider

Open = Callable[..., Awaitable[House]]


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider(FakeClock()) as running:
        yield running


@pytest.fixture
async def opened(tmp_path: Path, provider: Provider) -> AsyncIterator[Open]:
    """Opens a vault with ``corp``, the provider, as its issuer, with these fields of it."""
    houses: list[House] = []

    async def opened(*others: dict[str, Any], **fields: Any) -> House:
        issuers = [{"name": "corp", "issuer": provider.url, **fields}, *others]
        house = await House.opened(
            tmp_path / "vault",
            provider.clock,
            rate_limits__enabled=False,
            identity__issuers=issuers,
        )
        houses.append(house)
        provider.tenant = house.made["tenant_id"]
        return house

    yield opened
    for house in houses:
        await house.close()


@pytest.fixture
async def house(opened: Open) -> House:
    """With nothing but name and address of the issuer configured."""
    return await opened()
