"""``operator slots``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

SLOTS = "GET /v1/system/slots"
ADD = "POST /v1/system/slots"
PASSPHRASE = {
    "id": "slot_p",
    "type": "passphrase",
    "label": "ops",
    "params": {},
    "auto": False,
    "portable": True,
    "last_used_at": None,
    "last_verified_at": "2031-02-03T04:05:06.000007Z",
}
SHAMIR = {
    "id": "slot_bbbbbb",
    "type": "shamir",
    "label": "board",
    "auto": False,
    "portable": True,
    "params": {"shares": 3, "threshold": 2},
}
TPM = {"id": "slot_t", "type": "tpm2", "label": "tpm2", "auto": True, "portable": False}
ONE, TWO = "svs1-bbbbbb-1-canary", "svs1-bbbbbb-2-canary"


def verify_call(slot: str) -> str:
    return f"POST /v1/system/slots/{slot}/verify"


def verified(**fields: Any) -> dict[str, Any]:
    return {"id": "slot_p", "valid": True, "complete": True, "shares_valid": [], **fields}


@pytest.fixture(autouse=True)
def slots(server: Any) -> None:
    server.answer(SLOTS, {"slots": [PASSPHRASE, SHAMIR, TPM]})


def test_list(run: Any) -> None:
    lines = run("operator", "slots", "list").stdout.splitlines()
    assert lines[0] == "slot_p\tpassphrase\tops\tno\tyes\t-\t2031-02-03T04:05:06.000007Z"
    assert [line.split("\t")[0] for line in lines] == ["slot_p", "slot_bbbbbb", "slot_t"]


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (
            ["passphrase", "--passphrase-file", "-", "--label", "ops"],
            {"type": "passphrase", "passphrase": "hunter22", "label": "ops"},
        ),
        (["passphrase", "--generate"], {"type": "passphrase", "generate": True}),
        (
            ["shamir", "--shares", "3", "--threshold", "2"],
            {"type": "shamir", "shares": 3, "threshold": 2},
        ),
        (
            ["tpm2", "--param", "pcrs=[7,11]", "--param", "device=/dev/tpmrm1"],
            {"type": "tpm2", "params": {"pcrs": [7, 11], "device": "/dev/tpmrm1"}},
        ),
    ],
)
def test_add(run: Any, server: Any, words: list[str], body: dict[str, Any]) -> None:
    server.answer(ADD, PASSPHRASE, 201)
    result = run("operator", "slots", "add", *words, stdin="hunter22\n")
    assert (result.exit_code, server.sent(ADD)) == (0, [body])
    assert "hunter22" not in result.stdout + result.stderr


@pytest.mark.parametrize(
    "words",
    [["tpm2", "--generate"], ["shamir", "--passphrase-file", "-"], ["tpm2", "--param", "pcrs"]],
)
def test_add_that_makes_no_sense(run: Any, server: Any, words: list[str]) -> None:
    assert run("operator", "slots", "add", *words, stdin="x").exit_code == 5
    assert server.sent(ADD) == []


def test_shares_of_a_new_slot_are_shown_once_or_kept(run: Any, server: Any, tmp_path: Path) -> None:
    server.answer(ADD, {**SHAMIR, "shares": [ONE, TWO]}, 201)
    words = ("operator", "slots", "add", "shamir", "--shares", "2", "--threshold", "2")
    assert run(*words).stdout.endswith(f"share-slot_bbbbbb-1\t{ONE}\nshare-slot_bbbbbb-2\t{TWO}\n")
    kept = run(*words, "--output-dir", str(tmp_path / "keys"))
    assert "canary" not in kept.stdout + kept.stderr
    assert (tmp_path / "keys" / "share-slot_bbbbbb-2").read_text() == f"{TWO}\n"


def test_verify_with_a_passphrase(run: Any, server: Any) -> None:
    server.answer(verify_call("slot_p"), verified())
    words = ("operator", "slots", "verify", "slot_p", "--passphrase-file", "-")
    result = run(*words, stdin="hunter22")
    assert (result.exit_code, result.stdout) == (0, "slot_p\tyes\tyes\t-\n")
    assert server.sent(verify_call("slot_p")) == [{"passphrase": "hunter22"}]


def test_verify_with_all_shares_at_once(run: Any, server: Any) -> None:
    server.answer(verify_call("slot_bbbbbb"), verified(shares_valid=[1, 2]))
    words = ("operator", "slots", "verify", "slot_bbbbbb", "--share-file", "-")
    assert run(*words, stdin=f"{ONE}\n{TWO}\n").exit_code == 0
    assert server.sent(verify_call("slot_bbbbbb")) == [{"shares": [ONE, TWO]}]


def test_verify_an_automatic_slot_asks_for_nothing(run: Any, server: Any) -> None:
    server.answer(verify_call("slot_t"), verified(id="slot_t"))
    assert run("operator", "slots", "verify", "slot_t").exit_code == 0
    assert server.sent(verify_call("slot_t")) == [{}]


def test_verify_at_a_terminal_asks_up_to_the_threshold(terminal: Any, server: Any) -> None:
    server.answer(verify_call("slot_bbbbbb"), verified(shares_valid=[1, 2]))
    typed = [("Share", ONE), ("Share 2 of 2", TWO)]
    code, screen = terminal(["operator", "slots", "verify", "slot_bbbbbb"], typed)
    assert code == 0
    assert server.sent(verify_call("slot_bbbbbb")) == [{"shares": [ONE, TWO]}]
    assert "canary" not in screen


def test_one_share_alone_is_told_to_be_too_few(run: Any, server: Any) -> None:
    body = verified(valid=True, complete=False, shares_valid=[1])
    server.answer(verify_call("slot_bbbbbb"), body)
    words = ("operator", "slots", "verify", "slot_bbbbbb", "--share-file", "-")
    result = run(*words, stdin=ONE)
    assert result.exit_code == 0
    assert "too few" in result.stderr


def test_a_slot_that_does_not_open_is_a_failure(run: Any, server: Any) -> None:
    server.answer(verify_call("slot_t"), verified(id="slot_t", valid=False))
    result = run("operator", "slots", "verify", "slot_t")
    assert (result.exit_code, result.stdout) == (1, "slot_t\tno\tyes\t-\n")
    assert "error: slot_invalid:" in result.stderr


def test_verify_an_unknown_slot(run: Any) -> None:
    assert run("operator", "slots", "verify", "slot_none").exit_code == 4


@pytest.mark.parametrize("slot", ["..", "../init", "a/b", "a?force=true", "%2e%2e", ""])
def test_an_id_leads_nowhere_else(run: Any, server: Any, slot: str) -> None:
    assert run("operator", "slots", "remove", "--yes", "--", slot).exit_code == 5
    assert server.requests == []


@pytest.mark.parametrize(("words", "query"), [([], ""), (["--force"], "?force=true")])
def test_remove(run: Any, server: Any, words: list[str], query: str) -> None:
    server.answer(f"DELETE /v1/system/slots/slot_p{query}", status=204)
    result = run("operator", "slots", "remove", "slot_p", "--yes", *words)
    assert (result.exit_code, result.stdout) == (0, "")


def test_the_last_one_stays(run: Any, server: Any) -> None:
    server.refuse("DELETE /v1/system/slots/slot_p", 409, "invalid_state", "it is the last")
    result = run("operator", "slots", "remove", "slot_p", "--yes", "--json")
    assert (result.exit_code, result.stdout) == (1, "")
    assert json.loads(result.stderr)["error"]["code"] == "invalid_state"
