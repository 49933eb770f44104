"""A fixture for whoever tests a program against ScaiVault; pytest finds it by its entry point."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from scaivault_sdk import SyncScaiVaultClient


@pytest.fixture
def scaivault_client() -> Iterator[SyncScaiVaultClient]:
    """A client of a throw-away vault inside this process, for one test."""
    from scaivault_sdk import SyncScaiVaultClient

    with SyncScaiVaultClient.local() as client:
        yield client
