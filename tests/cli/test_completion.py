"""Completion by the shell: commands, paths, and silence when something is wrong."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest

from scaivault.cli import completion

PAGE: dict[str, Any] = {
    "secrets": [
        {"path": path, "secret_type": "kv", "version": 1, "tags": []}
        for path in ("app/api", "app/db", "app/db2")
    ],
    "cursor": None,
    "has_more": False,
    "total_count": 3,
}
LIST = "GET /v1/secrets?prefix=app%2F&limit=200"


@pytest.fixture
def complete(run: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """What a shell would be told after these words, and what the user would see besides."""
    # However busy the machine is; the limit has a test of its own.
    monkeypatch.setattr(completion, "_SECONDS", 30.0)

    def call(*words: str, **env: str) -> tuple[list[str], str]:
        asked = {
            "COMP_WORDS": " ".join(("scaivault", *words)),
            "COMP_CWORD": str(len(words)),
            "_SCAIVAULT_COMPLETE": "bash_complete",
        }
        result = run(**asked, **env)
        lines = filter(None, result.stdout.splitlines())
        return [line.partition(",")[2] for line in lines], result.stderr

    return call


def test_commands(complete: Any) -> None:
    assert complete("secrets", "re") == (["read", "restore"], "")
    assert complete("identity", "re") == (["resolve", "revoke-access"], "")
    assert complete("identity", "create", "ser") == (["service-account"], "")
    assert complete("auth", "token", "") == (["create", "list", "revoke"], "")


@pytest.mark.parametrize(
    "words", [("secrets", "read"), ("secrets", "copy", "a"), ("policies", "test", "sa:a")]
)
def test_paths(complete: Any, server: Any, words: tuple[str, ...]) -> None:
    server.answer(LIST, PAGE)
    assert complete(*words, "app/d") == (["app/db", "app/db2"], "")


def test_the_answer_is_kept_for_a_moment_and_privately(
    complete: Any, server: Any, home: Path
) -> None:
    server.answer(LIST, PAGE)
    complete("secrets", "read", "app/d")
    complete("secrets", "read", "app/a")
    assert len(server.requests) == 1
    kept = home / ".scaivault" / "completion.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert server.token not in kept.read_text()
    # Somebody else is not shown what this caller could see.
    complete("secrets", "read", "app/a", SCAIVAULT_TOKEN="skt_other")
    assert len(server.requests) == 2


def test_what_was_kept_too_long_is_asked_again(complete: Any, server: Any, home: Path) -> None:
    server.answer(LIST, PAGE)
    complete("secrets", "read", "app/d")
    kept = home / ".scaivault" / "completion.json"
    old = json.loads(kept.read_text())
    kept.write_text(json.dumps({**old, "at": old["at"] - 61_000_000, "paths": ["app/gone"]}))
    assert complete("secrets", "read", "app/")[0] == ["app/api", "app/db", "app/db2"]


def test_the_partners_paths(complete: Any, server: Any) -> None:
    server.answer("GET /v1/partner/secrets?prefix=app%2F&limit=200", PAGE)
    assert complete("secrets", "read", "--partner", "app/a")[0] == ["app/api"]


@pytest.mark.parametrize("status", [401, 403, 503])
def test_a_refusal_is_silent(complete: Any, server: Any, status: int) -> None:
    server.refuse(LIST, status, "service_unavailable", "no")
    assert complete("secrets", "read", "app/", SCAIVAULT_DEBUG="1") == ([], "")
    assert len(server.requests) == 1


def test_no_server_and_no_good_settings_are_silent(complete: Any, home: Path) -> None:
    assert complete("secrets", "read", "app/", SCAIVAULT_URL="http://127.0.0.1:1") == ([], "")
    (home / ".scaivault").mkdir(0o755)
    assert complete("secrets", "read", "app/") == ([], "")


def test_a_vault_that_holds_nothing_there(complete: Any, server: Any) -> None:
    server.answer(LIST, {**PAGE, "secrets": []})
    assert complete("secrets", "read", "app/") == ([], "")


def test_a_slow_answer_is_not_waited_for(
    complete: Any, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(completion, "_SECONDS", 0.05)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        run("config", "set", "timeout", "600")
        assert complete("secrets", "read", "app/", SCAIVAULT_URL=url) == ([], "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(run: Any, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert "_SCAIVAULT_COMPLETE" in result.stdout


def test_a_shell_that_is_not_known(run: Any) -> None:
    assert run("completion", "powershell").exit_code == 5


def test_bash_takes_the_script(run: Any) -> None:
    done = subprocess.run(
        ["bash", "--norc", "-n"],
        input=run("completion", "bash").stdout,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
