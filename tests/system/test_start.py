"""What must be right before the server starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from scaivault.config import Settings
from scaivault.crypto.selftest import SelfTestFailed
from scaivault.storage.folder import StartRefused
from scaivault.system import start
from scaivault.system.start import StartOptions, check_start

ANYBODY = StartOptions(allow_root=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "data").mkdir(0o700)
    return Settings(data_dir=tmp_path / "data")


def test_a_sound_start(settings: Settings) -> None:
    check_start(settings, ANYBODY)


def test_a_directory_still_to_be_made_is_no_fault(tmp_path: Path) -> None:
    check_start(Settings(data_dir=tmp_path / "none"), ANYBODY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be root")
def test_root_is_refused_unless_allowed(settings: Settings) -> None:
    with pytest.raises(StartRefused, match="--allow-root") as caught:
        check_start(settings, StartOptions())
    assert caught.value.exit_code == 6
    check_start(settings, StartOptions(dev=True))


def test_an_open_directory(settings: Settings) -> None:
    settings.data_dir.chmod(0o755)
    with pytest.raises(StartRefused, match="chmod 700") as caught:
        check_start(settings, ANYBODY)
    assert caught.value.exit_code == 6


def test_an_open_tls_key(settings: Settings, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.write_text("x")
    key.chmod(0o644)
    tls = replace(settings.server.tls, mode="files", key_file=key, cert_file=key)
    with pytest.raises(StartRefused, match="open to others"):
        check_start(replace(settings, server=replace(settings.server, tls=tls)), ANYBODY)


def test_a_certificate_that_is_not_there(settings: Settings, tmp_path: Path) -> None:
    key = tmp_path / "key.pem"
    key.touch(0o600)
    tls = replace(settings.server.tls, mode="files", key_file=key, cert_file=tmp_path / "none.pem")
    with pytest.raises(StartRefused, match=r"none\.pem cannot be read"):
        check_start(replace(settings, server=replace(settings.server, tls=tls)), ANYBODY)


def test_a_failing_self_test_is_exit_7(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise SelfTestFailed("aead")

    monkeypatch.setattr(start, "self_test", broken)
    with pytest.raises(StartRefused, match="aead") as caught:
        check_start(settings, ANYBODY)
    assert caught.value.exit_code == 7


def test_a_dev_token_is_in_no_repr() -> None:
    assert "skt_dev" not in repr(StartOptions(dev=True, dev_token="skt_dev"))
