"""Both clients, in front of a real vault in this process or of a script."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from scaivault.clock import FakeClock
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from tests.support.clients import KINDS, Clients

_numbers = itertools.count()


@pytest.fixture(params=KINDS)
def clients(request: pytest.FixtureRequest) -> Iterator[Clients]:
    """Each test runs once with the blocking client and once with the other."""
    with asyncio.Runner() as runner:
        yield Clients(request.param, runner)


@pytest.fixture(scope="module")
def vault() -> Iterator[LocalVault]:
    """One vault for a file of tests; its clock stands still."""
    opened = LocalVault(FakeClock())
    yield opened
    opened.close()


@pytest.fixture
def client(clients: Clients, vault: LocalVault) -> Any:
    """A client of the vault, as its root account; never closed, as that would end the vault."""
    return clients.made(BASE_URL, token=vault.root_token, transport=LocalTransport(vault))


@pytest.fixture
def fresh() -> str:
    """A name that no test used before."""
    return f"example-{next(_numbers)}"
