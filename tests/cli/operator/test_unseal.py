"""``operator status``, ``unseal`` and ``seal``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

STATUS = "GET /v1/system/seal-status"
UNSEAL = "POST /v1/system/unseal"
PASSPHRASE = {"id": "slot_p", "type": "passphrase", "label": "ops", "auto": False}
SHAMIR = {
    "id": "slot_bbbbbb",
    "type": "shamir",
    "label": "board",
    "auto": False,
    "threshold": 2,
    "shares": 3,
    "progress": 0,
}
KEYFILE = {"id": "slot_k", "type": "keyfile", "label": "disk", "auto": True}
ONE, TWO = "svs1-bbbbbb-1-canary", "svs1-bbbbbb-2-canary"


def state(*slots: Any, sealed: bool = True, initialized: bool = True) -> dict[str, Any]:
    name = "sealed" if sealed else "unsealed"
    return {
        "initialized": initialized,
        "sealed": sealed,
        "reason": None,
        "held": False,
        "state": name if initialized else "uninitialized",
        "since": None,
        "slots": slots,
        "vault_id": "vlt_1",
        "version": "1.4.0",
    }


def at(progress: int) -> dict[str, Any]:
    return {**SHAMIR, "progress": progress}


@pytest.mark.parametrize(
    ("body", "code"),
    [(state(), 8), (state(sealed=False), 0), (state(initialized=False), 9)],
)
def test_status_says_the_state_by_its_exit_code(
    run: Any, server: Any, body: dict[str, Any], code: int
) -> None:
    server.answer(STATUS, body)
    assert run("operator", "status").exit_code == code
    result = run("operator", "status", "--json")
    assert (result.exit_code, json.loads(result.stdout), result.stderr) == (
        code,
        json.loads(json.dumps(body)),
        "",
    )


def test_status_shows_slots_and_progress(run: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE, at(1)))
    assert run("operator", "status").stdout == (
        "sealed\t-\tno\t-\t1.4.0\tvlt_1\n"
        "slot_p\tpassphrase\tops\tno\t-\n"
        "slot_bbbbbb\tshamir\tboard\tno\t1/2\n"
    )


def test_a_passphrase_from_stdin(run: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE))
    server.answer(UNSEAL, state(PASSPHRASE, sealed=False))
    words = ("operator", "unseal", "--passphrase-file", "-")
    result = run(*words, stdin="hunter22 hunter22\n")
    assert result.exit_code == 0
    assert server.sent(UNSEAL) == [{"passphrase": "hunter22 hunter22"}]
    assert "hunter22" not in result.stdout + result.stderr
    assert result.stdout.startswith("unsealed\t")


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["--key-file", "-"], {"key": "a2V5"}),
        (["--key-file", "-", "--slot", "slot_k"], {"slot_id": "slot_k", "key": "a2V5"}),
        (["--auto"], {"auto": True}),
        (["--passphrase-file", "-", "--slot", "slot_p"], {"slot_id": "slot_p"}),
    ],
)
def test_bodies(run: Any, server: Any, words: list[str], body: dict[str, Any]) -> None:
    server.answer(STATUS, state(PASSPHRASE, KEYFILE))
    server.answer(UNSEAL, state(sealed=False))
    assert run("operator", "unseal", *words, stdin="a2V5\n").exit_code == 0
    if "--passphrase-file" in words:
        body = {**body, "passphrase": "a2V5"}
    assert server.sent(UNSEAL) == [body]


def test_shares_go_one_by_one_until_it_is_open(run: Any, server: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text(f"{ONE}\n")
    (tmp_path / "others").write_text(f"{TWO}\nsvs1-bbbbbb-3-canary\n")
    server.answer(STATUS, state(SHAMIR))
    server.answer(UNSEAL, state(at(1)))
    server.answer(UNSEAL, state(at(0), sealed=False))
    files = [word for name in ("mine", "others") for word in ("--share-file", tmp_path / name)]
    result = run("operator", "unseal", *map(str, files))
    assert result.exit_code == 0
    assert server.sent(UNSEAL) == [{"share": ONE}, {"share": TWO}]
    assert result.stderr == "board: 1/2 shares\n"
    assert "canary" not in result.stdout


def test_too_few_shares_are_no_failure(run: Any, server: Any) -> None:
    server.answer(STATUS, state(SHAMIR))
    server.answer(UNSEAL, state(at(1)))
    result = run("operator", "unseal", "--share-file", "-", "--quiet", stdin=ONE)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.startswith("sealed\t")


def test_already_open_asks_for_nothing(run: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE, sealed=False))
    assert run("operator", "unseal").exit_code == 0
    assert server.sent(UNSEAL) == []


def test_no_vault_yet(run: Any, server: Any) -> None:
    server.answer(STATUS, state(initialized=False))
    result = run("operator", "unseal", "--auto")
    assert result.exit_code == 1
    assert "error: not_initialized: " in result.stderr


def test_a_wrong_passphrase_is_exit_2(run: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE))
    server.refuse(UNSEAL, 401, "unseal_failed", "this opens no slot")
    result = run("operator", "unseal", "--passphrase-file", "-", stdin="hunter22")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: unseal_failed: this opens no slot (request req_1)\n"


@pytest.mark.parametrize(
    "words",
    [
        ["--passphrase-file", "-", "--auto"],
        ["--passphrase-file", "-", "--key-file", "-"],
        ["--share-file", "-", "--key-file", "-"],
        ["--auto", "--slot", "slot_k"],
        ["--slot", "../init", "--key-file", "-"],
        ["--slot", "slot_unknown"],
        [],
    ],
)
def test_wrong_usage_sends_no_credential(run: Any, server: Any, words: list[str]) -> None:
    server.answer(STATUS, state(PASSPHRASE))
    result = run("operator", "unseal", *words, stdin="hunter22")
    assert (result.exit_code, result.stdout, server.sent(UNSEAL)) == (5, "", [])
    assert "hunter22" not in result.stderr


def test_at_a_terminal_a_passphrase_or_a_share_is_told_apart(terminal: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE, SHAMIR))
    server.answer(UNSEAL, state(PASSPHRASE, at(1)))
    server.answer(UNSEAL, state(PASSPHRASE, at(0), sealed=False))
    prompt = "Passphrase or recovery key or share"
    code, screen = terminal(["operator", "unseal"], [(prompt, ONE), (prompt, "hunter22")])
    assert code == 0
    assert server.sent(UNSEAL) == [{"share": ONE}, {"passphrase": "hunter22"}]
    assert "canary" not in screen
    assert "hunter22" not in screen
    assert "STATE     REASON" in screen


def test_at_a_terminal_an_empty_line_stops(terminal: Any, server: Any) -> None:
    server.answer(STATUS, state(PASSPHRASE, SHAMIR))
    server.answer(UNSEAL, state(PASSPHRASE, at(1)))
    words = ["operator", "unseal", "--slot", "slot_bbbbbb"]
    code, screen = terminal(words, [("Share", ONE), ("Share", "")])
    assert code == 0
    assert server.sent(UNSEAL) == [{"slot_id": "slot_bbbbbb", "share": ONE}]
    assert "1/2" in screen


def test_at_a_terminal_with_automatic_slots_only(terminal: Any, server: Any) -> None:
    server.answer(STATUS, state(KEYFILE))
    code, screen = terminal(["operator", "unseal"], [])
    assert code == 5
    assert "--auto" in screen


@pytest.mark.parametrize(("words", "hold"), [([], True), (["--no-hold"], False)])
def test_seal(run: Any, server: Any, words: list[str], hold: bool) -> None:
    server.answer("POST /v1/system/seal", state(PASSPHRASE))
    result = run("operator", "seal", *words)
    assert result.exit_code == 0
    assert server.sent("POST /v1/system/seal") == [{"hold": hold}]
    assert result.stdout.startswith("sealed\t")
