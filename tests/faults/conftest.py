"""A server process for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.process import Server


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """Not started yet; ended with the test."""
    made = Server(tmp_path / "house")
    yield made
    made.end()


@pytest.fixture
def founded(server: Server) -> Server:
    """Running, with an open vault."""
    return server.founded()
