"""What the garbage collector need not look through."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from scaivault.worker.garbage import Garbage


class _Vault:
    """Something that is in a cycle, as a vault and its rooms are."""

    def __init__(self) -> None:
        self.own = self


@pytest.fixture(autouse=True)
def _thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_there_when_a_vault_opens_is_frozen() -> None:
    vault = _Vault()
    garbage = Garbage(lambda: vault)
    garbage.look()
    frozen = gc.get_freeze_count()
    assert frozen > 0
    garbage.look()
    assert gc.get_freeze_count() == frozen


def test_a_vault_that_was_sealed_can_be_collected() -> None:
    held: list[_Vault] = [_Vault()]
    garbage = Garbage(lambda: held[0] if held else None)
    garbage.look()
    gone = weakref.ref(held.pop())
    assert gc.get_freeze_count() > 0
    garbage.look()
    assert gc.get_freeze_count() == 0
    assert gone() is None


def test_another_vault_takes_its_place() -> None:
    held = [_Vault()]
    garbage = Garbage(lambda: held[0])
    garbage.look()
    gone = weakref.ref(held[0])
    held[0] = _Vault()
    garbage.look()
    assert gone() is None
    assert gc.get_freeze_count() > 0
