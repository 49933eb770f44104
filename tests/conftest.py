"""Fixtures of the whole house."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.house import House


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """An initialised, open vault in this process, without rate limits."""
    opened = await House.opened(tmp_path / "vault", rate_limits__enabled=False)
    yield opened
    await opened.close()
