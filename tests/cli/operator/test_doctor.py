"""``operator doctor``: table, document, exit code; the checks have tests of their own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SLOTS = "GET /v1/system/slots"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir(0o700)
    for name in ("vault.db", "vault.seal"):
        (path / name).write_text("x")
        (path / name).chmod(0o600)
    return path


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("server:\n  bind: 127.0.0.1:8443\n")
    return path


def checks(document: str) -> dict[str, str]:
    return {each["check"]: each["status"] for each in json.loads(document)["checks"]}


def test_nothing_worse_than_a_warning_is_exit_0(run: Any, data: Path, config: Path) -> None:
    words = ("operator", "doctor", "--data-dir", str(data), "--config", str(config))
    result = run(*words)
    assert (result.exit_code, result.stderr) == (0, "")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[1] for row in rows] == [
        *("configuration", "owner", "modes", "file system", "disk", "swap", "memory lock"),
        *("clock", "portable slot", "backup", "certificate"),
    ]
    assert {row[0] for row in rows} <= {"OK", "WARN"}
    assert run(*words, "--json").exit_code == 0


def test_a_failure_is_exit_7_and_can_be_mended(run: Any, data: Path, config: Path) -> None:
    (data / "vault.db").chmod(0o644)
    words = ("operator", "doctor", "--data-dir", str(data), "--config", str(config), "--json")
    before = run(*words)
    assert (before.exit_code, checks(before.stdout)["modes"]) == (7, "FAIL")
    after = run(*words, "--fix-modes")
    assert (after.exit_code, checks(after.stdout)["modes"]) == (0, "OK")
    assert "vault.db" in after.stdout


def test_a_configuration_that_is_refused_does_not_hide_the_rest(
    run: Any, data: Path, config: Path
) -> None:
    config.write_text("nonsense: 1\n")
    words = ("operator", "doctor", "--data-dir", str(data), "--config", str(config), "--json")
    result = run(*words)
    assert result.exit_code == 7
    found = checks(result.stdout)
    assert (found["configuration"], found["modes"]) == ("FAIL", "OK")


def test_the_server_is_asked_for_its_slots(run: Any, server: Any, data: Path, config: Path) -> None:
    server.answer(SLOTS, {"slots": [{"id": "slot_1", "portable": False}]})
    words = ("operator", "doctor", "--data-dir", str(data), "--config", str(config), "--json")
    assert checks(run(*words).stdout)["portable slot"] == "FAIL"


def test_without_a_token_or_a_server_it_says_so(run: Any, data: Path, config: Path) -> None:
    words = ("operator", "doctor", "--data-dir", str(data), "--config", str(config))
    assert "SCAIVAULT_TOKEN" in run(*words, SCAIVAULT_TOKEN=None).stdout
    assert "cannot reach" in run(*words, "--url", "http://127.0.0.1:1").stdout
