"""``operator rotate-root`` and ``rotate-key``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scaivault.cli.http import Answer, Api
from scaivault.cli.operator.rotate import follow
from scaivault.cli.session import Session

SLOTS = "GET /v1/system/slots"
ROOT = "POST /v1/system/rotate-root"
KEY = "/v1/system/tenants/tnt_1/rotate-key"
LISTED = [
    {"id": "slot_p", "type": "passphrase", "label": "ops", "auto": False},
    {"id": "slot_bbbbbb", "type": "shamir", "label": "board", "params": {"threshold": 2}},
    {"id": "slot_t", "type": "tpm2", "label": "tpm2", "auto": True},
]
ONE, TWO = "svs1-bbbbbb-1-canary", "svs1-bbbbbb-2-canary"
DONE = {
    "root_key_version": 2,
    "slots_rewrapped": ["slot_p", "slot_bbbbbb", "slot_t"],
    "slots_dropped": [],
    "shares": {"slot_bbbbbb": ["svs1-new-1", "svs1-new-2"]},
}


@pytest.fixture(autouse=True)
def slots(server: Any) -> None:
    server.answer(SLOTS, {"slots": LISTED})
    server.answer(ROOT, DONE)


def test_each_slot_with_its_credential(run: Any, server: Any, tmp_path: Path) -> None:
    (tmp_path / "pass").write_text("hunter22\n")
    (tmp_path / "shares").write_text(f"{ONE}\n{TWO}\n")
    words = (
        *("--credential-file", f"slot_p={tmp_path}/pass"),
        *("--credential-file", f"slot_bbbbbb={tmp_path}/shares"),
        *("--rekey-file", "--reason", "yearly"),
    )
    result = run("operator", "rotate-root", *words)
    assert result.exit_code == 0
    assert server.sent(ROOT) == [
        {
            "credentials": [
                {"slot_id": "slot_p", "passphrase": "hunter22"},
                {"slot_id": "slot_bbbbbb", "shares": [ONE, TWO]},
            ],
            "drop_slots": [],
            "rekey_file": True,
            "reason": "yearly",
        }
    ]
    assert result.stdout == (
        "2\tslot_p,slot_bbbbbb,slot_t\t-\n"
        "share-slot_bbbbbb-1\tsvs1-new-1\nshare-slot_bbbbbb-2\tsvs1-new-2\n"
    )
    assert "hunter22" not in result.stderr


def test_at_a_terminal_each_slot_is_asked_for(terminal: Any, server: Any, tmp_path: Path) -> None:
    typed = [
        ("Passphrase or recovery key", "hunter22"),
        ("Share", ONE),
        ("Share 2 of 2", TWO),
    ]
    words = ["operator", "rotate-root", "--output-dir", str(tmp_path / "keys")]
    code, screen = terminal(words, typed)
    assert code == 0
    assert server.sent(ROOT)[0]["credentials"][1] == {
        "slot_id": "slot_bbbbbb",
        "shares": [ONE, TWO],
    }
    assert not [word for word in ("hunter22", "canary", "svs1-new") if word in screen]
    assert (tmp_path / "keys" / "share-slot_bbbbbb-1").read_text() == "svs1-new-1\n"


def test_dropped_slots_need_no_credential_but_a_yes(run: Any, server: Any) -> None:
    words = ["--drop-slot", "slot_p", "--drop-slot", "slot_bbbbbb"]
    assert run("operator", "rotate-root", *words).exit_code == 5
    assert run("operator", "rotate-root", *words, "--yes").exit_code == 0
    dropped = {"credentials": [], "drop_slots": ["slot_p", "slot_bbbbbb"], "rekey_file": False}
    assert server.sent(ROOT) == [dropped]


@pytest.mark.parametrize(
    "words",
    [
        ["--drop-slot", "slot_none", "--yes"],
        ["--credential-file", "slot_none=-"],
        ["--credential-file", "slot_p"],
        ["--credential-file", "slot_p=-", "--credential-file", "slot_p=-"],
        [],
    ],
)
def test_wrong_usage_rotates_nothing(run: Any, server: Any, words: list[str]) -> None:
    assert run("operator", "rotate-root", *words, stdin="hunter22").exit_code == 5
    assert server.sent(ROOT) == []


def rewrapping(remaining: int) -> dict[str, Any]:
    return {
        "tenant_id": "tnt_1",
        "key_version": 3,
        "previous_version": 2,
        "status": "rewrapping" if remaining else "done",
        "deks_total": 8120,
        "deks_remaining": remaining,
    }


def test_rotate_key_answers_at_once(run: Any, server: Any) -> None:
    server.answer(f"POST {KEY}", rewrapping(8120), 202)
    result = run("operator", "rotate-key", "--tenant", "tnt_1")
    assert result.stdout == "tnt_1\t3\t2\trewrapping\t8120\t8120\n"
    assert server.sent(f"POST {KEY}") == [None]  # the call takes no body


def test_rotate_key_that_is_done_at_once_does_not_wait(run: Any, server: Any) -> None:
    call = "POST /v1/system/partners/ptn_1/rotate-key"
    server.answer(call, {**rewrapping(0), "tenant_id": None, "partner_id": "ptn_1"}, 202)
    result = run("operator", "rotate-key", "--partner", "ptn_1", "--wait")
    assert result.stdout == "ptn_1\t3\t2\tdone\t8120\t0\n"


def test_waiting_looks_at_growing_intervals_and_ends(
    server: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    for remaining in (8120, 4000, 4000, 4000, 4000, 4000, 4000, 0):
        server.answer(f"GET {KEY}", rewrapping(remaining))
    pauses: list[float] = []
    first = Answer(202, "", rewrapping(8120))
    api = Api(server.url)
    done = follow(Session(), api, KEY, first, pauses.append)
    api.close()
    assert done.body["status"] == "done"
    assert pauses == [0.5, 0.75, 1.125, 1.6875, 2.53125, 3.796875, 5.0, 5.0]
    assert capsys.readouterr().err.count("data keys remain") == 8


@pytest.mark.parametrize(
    "words", [[], ["--tenant", "a", "--partner", "b"], ["--tenant", "../x"], ["--tenant", ""]]
)
def test_one_owner_is_named(run: Any, server: Any, words: list[str]) -> None:
    assert run("operator", "rotate-key", *words).exit_code == 5
    assert server.requests == []
