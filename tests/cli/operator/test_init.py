"""``operator init``: what is asked of the server, and where its secrets go."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

CALL = "POST /v1/system/init"
SECRETS = ("svs1-aaaaaa-1-canary", "svs1-aaaaaa-2-canary", "svr1-canary", "skt_canary")
MADE = {
    "vault_id": "vlt_1",
    "sealed": False,
    "partner_id": "ptn_1",
    "tenant_id": "tnt_1",
    "slots": [{"id": "slot_aaaaaa", "type": "shamir", "label": "shamir"}],
    "shares": {"slot_aaaaaa": list(SECRETS[:2])},
    "recovery_key": SECRETS[2],
    "root_token": SECRETS[3],
    "root_token_expires_at": "2031-05-04T04:05:06.000007Z",
}


@pytest.fixture(autouse=True)
def made(server: Any) -> None:
    server.answer(CALL, MADE, 201)


def test_nothing_asked_for_is_an_empty_body(run: Any, server: Any) -> None:
    assert run("operator", "init").exit_code == 0
    assert server.sent(CALL) == [{}]


def test_every_option_in_one_body(run: Any, server: Any, tmp_path: Path) -> None:
    key = tmp_path / "key"
    words = (
        *("--passphrase-file", "-", "--shares", "3", "--threshold", "2", "--tpm2"),
        *("--keyfile", str(key), "--slot", "tpm2:label=disk,pcrs=[7,11],pin=true"),
        *("--slot", "shamir:label=board,shares=5,threshold=3", "--no-recovery"),
        *("--partner", "Harbor & Co", "--tenant", "Main", "--root-token-ttl", "30d"),
    )
    assert run("operator", "init", *words, stdin="hunter22 hunter22\n").exit_code == 0
    assert server.sent(CALL) == [
        {
            "slots": [
                {"type": "passphrase", "passphrase": "hunter22 hunter22"},
                {"type": "shamir", "shares": 3, "threshold": 2},
                {"type": "tpm2"},
                {"type": "keyfile", "params": {"path": str(key), "create": True}},
                {"type": "tpm2", "label": "disk", "params": {"pcrs": [7, 11], "pin": True}},
                {"type": "shamir", "label": "board", "shares": 5, "threshold": 3},
            ],
            "recovery": False,
            "partner": {"name": "Harbor & Co", "slug": "harbor-co"},
            "tenant": {"name": "Main", "slug": "main"},
            "root_token_ttl": "30d",
        }
    ]


def test_a_key_file_that_is_there_is_not_made_anew(
    run: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("x")
    monkeypatch.chdir(tmp_path)
    run("operator", "init", "--keyfile", "key")
    params = {"path": str(tmp_path / "key"), "create": False}
    assert server.sent(CALL)[0]["slots"] == [{"type": "keyfile", "params": params}]


@pytest.mark.parametrize(
    "words",
    [
        ["--shares", "3"],
        ["--threshold", "2"],
        ["--shares", "1", "--threshold", "1"],
        ["--shares", "33", "--threshold", "2"],
        ["--slot", "passphrase:passphrase=hunter22"],
        ["--slot", "tpm2:pcrs"],
        ["--slot", "tpm2:a=1,a=2"],
        ["--passphrase"],
        ["--output-dir", "/proc/none"],
    ],
)
def test_wrong_usage_asks_nothing_of_the_server(run: Any, server: Any, words: list[str]) -> None:
    result = run("operator", "init", *words)
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])
    assert "hunter22" not in result.stderr


def test_secrets_are_printed_once(run: Any) -> None:
    result = run("operator", "init")
    assert [result.stdout.count(secret) for secret in SECRETS] == [1, 1, 1, 1]
    assert "root-token\tskt_canary\n" in result.stdout
    assert result.stderr == "Keep these values now: they are not shown again.\n"


def test_json_is_the_answer(run: Any) -> None:
    result = run("operator", "init", "--json")
    assert json.loads(result.stdout) == MADE
    assert result.stderr == ""


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_with_a_directory_they_are_in_files_and_nowhere_else(
    run: Any, tmp_path: Path, form: list[str]
) -> None:
    keys = tmp_path / "keys"
    result = run("operator", "init", "--output-dir", str(keys), *form)
    assert result.exit_code == 0
    assert not [secret for secret in SECRETS if secret in result.stdout + result.stderr]
    assert {path.name: path.read_text().strip() for path in keys.iterdir()} == {
        "share-slot_aaaaaa-1": SECRETS[0],
        "share-slot_aaaaaa-2": SECRETS[1],
        "recovery-key": SECRETS[2],
        "root-token": SECRETS[3],
    }
    assert {stat.S_IMODE(path.stat().st_mode) for path in keys.iterdir()} == {0o600}
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    if form:
        document = json.loads(result.stdout)
        assert sorted(document.pop("files")) == sorted(str(path) for path in keys.iterdir())
        once = ("shares", "recovery_key", "root_token")
        assert document == {name: value for name, value in MADE.items() if name not in once}


def test_a_file_that_cannot_be_kept_is_a_failure_without_secrets(run: Any, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(0o700)
    (tmp_path / "keys" / "root-token").write_text("of another vault")
    result = run("operator", "init", "--output-dir", str(tmp_path / "keys"))
    assert result.exit_code == 1
    assert "not_kept" in result.stderr
    assert not [secret for secret in SECRETS if secret in result.stdout + result.stderr]
    assert (tmp_path / "keys" / "root-token").read_text() == "of another vault"


def test_a_directory_that_cannot_be_used_is_found_before_the_vault_is_made(
    run: Any, server: Any, tmp_path: Path
) -> None:
    (tmp_path / "keys").mkdir(0o755)
    assert run("operator", "init", "--output-dir", str(tmp_path / "keys")).exit_code == 5
    assert server.requests == []


def test_a_hostile_server_writes_no_file_outside(run: Any, server: Any, tmp_path: Path) -> None:
    server.answers.clear()
    server.answer(CALL, {**MADE, "shares": {"../../evil": ["svs1-x"]}}, 201)
    result = run("operator", "init", "--output-dir", str(tmp_path / "keys"))
    assert result.exit_code == 1
    assert os.listdir(tmp_path) == ["keys"]
    assert os.listdir(tmp_path / "keys") == []


def test_refused_when_there_is_a_vault(run: Any, server: Any) -> None:
    server.answers.clear()
    server.refuse(CALL, 409, "invalid_state", "there is a vault", reason="already_initialized")
    result = run("operator", "init")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "error: invalid_state: there is a vault" in result.stderr


def test_a_passphrase_is_typed_twice_and_never_shown(terminal: Any, server: Any) -> None:
    typed = [("New passphrase", "hunter22 hunter22"), ("The same again", "hunter22 hunter22")]
    code, screen = terminal(["operator", "init", "--passphrase"], typed)
    assert code == 0
    assert "hunter22" not in screen
    slots = [{"type": "passphrase", "passphrase": "hunter22 hunter22"}]
    assert server.sent(CALL) == [{"slots": slots}]


def test_two_different_entries_send_nothing(terminal: Any, server: Any) -> None:
    typed = [("New passphrase for ops", "hunter22"), ("The same again", "hunter33")]
    code, screen = terminal(["operator", "init", "--slot", "passphrase:label=ops"], typed)
    assert (code, server.requests) == (1, [])
    assert "the two entries differ" in screen
    assert "hunter" not in screen
