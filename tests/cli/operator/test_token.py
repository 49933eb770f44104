"""``operator root-token``."""

from __future__ import annotations

import json
from typing import Any

import pytest

CALL = "POST /v1/system/root-token"
MADE = {"token": "skt_new", "expires_at": "2031-02-03T05:05:06.000007Z", "identity_id": "sa:root"}
ONE, TWO, THREE = (f"svs1-bbbbbb-{n}-canary" for n in (1, 2, 3))


@pytest.fixture(autouse=True)
def made(server: Any) -> None:
    server.answer(CALL, MADE, 201)
    slots = [
        {"id": "slot_aaaaaa", "type": "shamir", "label": "a", "threshold": 2},
        {"id": "slot_bbbbbb", "type": "shamir", "label": "b", "threshold": 3},
        {"id": "slot_p", "type": "passphrase", "label": "ops"},
    ]
    server.answer("GET /v1/system/seal-status", {"initialized": True, "slots": slots})


def test_stdout_is_the_token_alone(run: Any, server: Any) -> None:
    words = ("operator", "root-token", "--passphrase-file", "-", "--ttl", "30m")
    result = run(*words, stdin="hunter22")
    assert (result.exit_code, result.stdout) == (0, "skt_new\n")
    assert server.sent(CALL) == [{"passphrase": "hunter22", "ttl": "30m"}]
    assert "skt_new" not in result.stderr


def test_json(run: Any) -> None:
    result = run("operator", "root-token", "--json", "--passphrase-file", "-", stdin="x")
    assert json.loads(result.stdout) == MADE


def test_shares_go_together(run: Any, server: Any) -> None:
    words = ("operator", "root-token", "--slot", "slot_bbbbbb", "--share-file", "-")
    run(*words, stdin=f"{ONE}\n{TWO}\n")
    assert server.sent(CALL) == [{"slot_id": "slot_bbbbbb", "shares": [ONE, TWO]}]


def test_at_a_terminal_the_share_tells_how_many_are_needed(terminal: Any, server: Any) -> None:
    typed = [
        ("Passphrase or recovery key or share", ONE),
        ("Share 2 of 3", TWO),
        ("Share 3 of 3", THREE),
    ]
    code, screen = terminal(["operator", "root-token"], typed)
    assert code == 0
    assert server.sent(CALL) == [{"shares": [ONE, TWO, THREE]}]
    assert "canary" not in screen


def test_nothing_entered(terminal: Any, server: Any) -> None:
    typed = [("Passphrase or recovery key or share", "")]
    assert terminal(["operator", "root-token"], typed)[0] == 5
    assert server.sent(CALL) == []


def test_automatic_slots_are_no_credential(run: Any, server: Any) -> None:
    assert run("operator", "root-token", "--auto").exit_code == 5
    assert server.requests == []
