"""The self-test passes, counts, and fails for each vector that is off."""

from collections.abc import Callable

import pytest

from scaivault.crypto import selftest
from scaivault.crypto.selftest import SelfTestFailed


def test_all_vectors_hold() -> None:
    assert selftest.run() == selftest.COUNT == len(selftest._VECTORS)


def test_vectors_have_distinct_names() -> None:
    assert len({name for name, _, _ in selftest._VECTORS}) == selftest.COUNT


def test_a_missing_vector_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "_VECTORS", selftest._VECTORS[:-1])
    with pytest.raises(SelfTestFailed, match="were expected"):
        selftest.run()


def _crash() -> object:
    raise ZeroDivisionError


@pytest.mark.parametrize("compute", [lambda: b"other", lambda: None, _crash])
def test_a_wrong_answer_fails_and_is_named(
    monkeypatch: pytest.MonkeyPatch, compute: Callable[[], object]
) -> None:
    broken = ("broken", compute, b"answer")
    monkeypatch.setattr(selftest, "_VECTORS", (*selftest._VECTORS[:-1], broken))
    with pytest.raises(SelfTestFailed, match="self-test broken"):
        selftest.run()
