"""The directory of a throw-away vault."""

from __future__ import annotations

import shutil
import stat

import pytest

from scaivault.cli.dev import throwaway


def test_it_is_private_empty_and_gone_afterwards() -> None:
    with throwaway(keep=False) as path:
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert list(path.iterdir()) == []
        (path / "vault.db").write_text("x")
    assert not path.exists()


def test_it_is_gone_after_a_failure_too() -> None:
    with pytest.raises(RuntimeError), throwaway(keep=False) as path:
        raise RuntimeError
    assert not path.exists()


def test_it_stays_when_asked_for() -> None:
    with throwaway(keep=True) as path:
        pass
    assert path.is_dir()
    shutil.rmtree(path)
