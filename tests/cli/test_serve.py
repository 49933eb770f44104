"""``serve``: which settings and options flags become, and what refuses a start."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scaivault.crypto.codes import TOKEN, token
from scaivault.storage.folder import StartRefused


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Settings and options of each start; the server itself has tests of its own."""
    seen: list[Any] = []

    def serve(settings: Any, options: Any) -> int:
        seen.append((settings, options, settings.data_dir.is_dir()))
        return 0

    monkeypatch.setitem(sys.modules, "scaivault.app", SimpleNamespace(serve=serve))
    return seen


def test_flags_become_settings(run: Any, started: list[Any], tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("server:\n  bind: 127.0.0.1:1\nlog:\n  format: text\n")
    words = (
        *("--config", str(config), "--data-dir", str(tmp_path / "data"), "--bind", "127.0.0.1:9"),
        *("--base-url", "https://vault.example.org", "--log-level", "warn", "--allow-root"),
    )
    assert run("serve", *words).exit_code == 0
    settings, options, _ = started[0]
    assert (settings.data_dir, settings.server.bind) == (tmp_path / "data", "127.0.0.1:9")
    assert settings.server.base_url == "https://vault.example.org"
    assert (settings.log.level, settings.log.format) == ("warn", "text")
    assert (options.config_path, options.flags["server.bind"]) == (config, "127.0.0.1:9")
    assert (options.worker, options.allow_root, options.dev) == (True, True, False)
    assert (options.accept_seal_mismatch, options.accept_clock) == (False, False)


def test_flags_become_options(run: Any, started: list[Any], tmp_path: Path) -> None:
    words = (
        *("--config", os.devnull, "--bind", "127.0.0.1:1", "--data-dir", str(tmp_path / "data")),
        *("--no-worker", "--accept-seal-mismatch", "--accept-clock", "--allow-root"),
    )
    assert run("serve", *words).exit_code == 0
    options = started[0][1]
    assert (options.worker, options.accept_seal_mismatch, options.accept_clock) == (
        False,
        True,
        True,
    )


def test_dev_is_a_throw_away_directory(run: Any, started: list[Any]) -> None:
    chosen = token(TOKEN, bytes(32))
    assert run("serve", "--dev", "--dev-token", chosen).exit_code == 0
    settings, options, there = started[0]
    assert there
    assert not settings.data_dir.exists()
    assert (settings.server.bind, options.dev, options.dev_token) == (
        "127.0.0.1:8443",
        True,
        chosen,
    )
    assert settings.backup.directory.is_relative_to(settings.data_dir)
    assert chosen not in repr(options)


@pytest.mark.parametrize(
    "words",
    [
        ["--dev", "--bind", "0.0.0.0:8443"],
        ["--dev", "--bind", "10.0.0.1:8443", "--base-url", "https://vault.example.org"],
        ["--dev", "--data-dir", "/var/lib/scaivault"],
        ["--dev-token", "skt_dev"],
        ["--dev", "--dev-token", "skt_dev"],
        ["--dev", "--dev-token", token(TOKEN, bytes(32))[:-1] + "0"],
        ["--dev-keep"],
        ["--log-level", "loud", "--config", os.devnull, "--bind", "127.0.0.1:1"],
        ["--config", "/proc/none"],
    ],
)
def test_wrong_usage_and_configuration_are_exit_5(
    run: Any, started: list[Any], words: list[str]
) -> None:
    result = run("serve", *words)
    assert (result.exit_code, result.stdout, started) == (5, "", [])
    assert "skt_dev" not in result.stderr


def test_check_starts_nothing_and_makes_nothing(
    run: Any, started: list[Any], tmp_path: Path
) -> None:
    words = ("--config", os.devnull, "--bind", "127.0.0.1:1", "--allow-root", "--check")
    result = run("serve", *words, "--data-dir", str(tmp_path / "data"))
    assert (result.exit_code, result.stdout, started) == (0, "", [])
    assert "valid" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_unfit_directory_is_exit_6(run: Any, started: list[Any], tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(0o755)
    words = ("--config", os.devnull, "--bind", "127.0.0.1:1", "--allow-root")
    result = run("serve", *words, "--data-dir", str(tmp_path / "data"))
    assert (result.exit_code, started) == (6, [])
    assert "error: start_refused: " in result.stderr
    assert "chmod 700" in result.stderr


def test_what_the_server_refuses_keeps_its_exit_code(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def serve(_: Any, __: Any) -> int:
        raise StartRefused("the schema is newer than this program", 6)

    monkeypatch.setitem(sys.modules, "scaivault.app", SimpleNamespace(serve=serve))
    result = run("serve", "--dev")
    assert result.exit_code == 6
    assert result.stderr == "error: start_refused: the schema is newer than this program\n"
