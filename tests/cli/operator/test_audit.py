"""``operator audit-verify``: by the server, in parts, and from files."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from scaivault.errors import Refusal
from scaivault.storage.folder import StartRefused

CALL = "GET /v1/audit/verify"
HEAD = "c0" * 32


def report(**fields: Any) -> dict[str, Any]:
    return {
        "valid": True,
        "complete": True,
        "next_seq": None,
        "vault_id": "vlt_1",
        "first_seq": 1,
        "last_seq": 90211,
        "rows_checked": 90211,
        "rows_pruned": 2,
        "checkpoints_checked": 97,
        "unsigned_tail": 14,
        "head": {"seq": 90211, "hash": HEAD},
        "last_checkpoint": {"seq": 90197},
        "problems": [],
        **fields,
    }


BAD = [
    {"kind": "link_broken", "seq": 9, "detail": "hash of row 9"},
    {"kind": "row_modified", "seq": 7, "detail": "digest of row 7"},
]


def test_the_server_checks_itself(run: Any, server: Any) -> None:
    server.answer(CALL, report())
    result = run("operator", "audit-verify")
    assert result.exit_code == 0
    assert result.stdout == f"yes\t1\t90211\t90211\t2\t97\t14\t{HEAD}\n"
    assert json.loads(run("operator", "audit-verify", "--json").stdout) == report()


def test_damage_is_exit_7_and_the_first_bad_row_comes_first(run: Any, server: Any) -> None:
    server.answer(CALL, report(valid=False, problems=BAD))
    result = run("operator", "audit-verify")
    assert (result.exit_code, result.stderr) == (7, "")
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == [
        "no",
        "row_modified",
        "link_broken",
    ]
    assert run("operator", "audit-verify", "--json").exit_code == 7


def test_options_become_the_query(run: Any, server: Any) -> None:
    server.answer(f"{CALL}?from_seq=5&expect=9%3A{HEAD}", report())
    words = ("--from-seq", "5", "--expect", f"9:{HEAD}")
    assert run("operator", "audit-verify", *words).exit_code == 0


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_a_long_chain_is_one_report(run: Any, server: Any, form: list[str]) -> None:
    part = {"complete": False, "last_seq": 1_000_000, "rows_checked": 1_000_000}
    first = report(**part, next_seq=1_000_001, valid=False, problems=BAD[:1])
    server.answer(CALL, first)
    server.answer(f"{CALL}?from_seq=1000001", report(first_seq=1_000_001, rows_checked=5))
    result = run("operator", "audit-verify", *form)
    assert result.exit_code == 7
    if form:
        sums = {"rows_checked": 1_000_005, "rows_pruned": 4, "checkpoints_checked": 194}
        assert json.loads(result.stdout) == report(valid=False, problems=BAD[:1], **sums)


def test_a_server_that_never_ends_is_left(run: Any, server: Any) -> None:
    server.answer(CALL, report(complete=False, next_seq=90211))
    result = run("operator", "audit-verify")
    assert result.exit_code == 1
    assert "unexpected_answer" in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["--expect", "9"],
        ["--expect", f"9:{HEAD.upper()}"],
        ["--expect", f"x:{HEAD}"],
        ["--from-seq", "0"],
        ["--public-key", "-"],
        ["--passphrase-file", "-"],
        ["export", "--data-dir", "data"],
        ["no-such-file"],
        ["--data-dir", "no-such-directory"],
    ],
)
def test_wrong_usage(run: Any, server: Any, words: list[str]) -> None:
    assert run("operator", "audit-verify", *words, stdin="x").exit_code == 5
    assert server.requests == []


Verify = Callable[..., dict[str, Any]]


def offline(monkeypatch: pytest.MonkeyPatch, verify: Verify) -> None:
    """Put a verifier in the place of the real one: these tests are about what it is given."""
    module = SimpleNamespace(verify=verify)
    monkeypatch.setitem(sys.modules, "scaivault.system.offline", module)


def test_offline_nothing_is_sent(
    run: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def verify(folder: Path, **given: Any) -> dict[str, Any]:
        seen.append((folder, given.pop("credential") is not None, given))
        return report(valid=False, problems=BAD)

    offline(monkeypatch, verify)
    (tmp_path / "key").write_text("A6EHv\n")
    words = ("--public-key", str(tmp_path / "key"), "--from-seq", "3", "--expect", f"9:{HEAD}")
    result = run("operator", "audit-verify", str(tmp_path), *words, "--json")
    assert (result.exit_code, server.requests) == (7, [])
    assert json.loads(result.stdout) == report(valid=False, problems=BAD)
    given = {"from_seq": 3, "expect": f"9:{HEAD}", "public_key": "A6EHv"}
    assert seen == [(tmp_path, True, given)]


@pytest.mark.parametrize(
    ("words", "slots", "body"),
    [
        (["--passphrase-file", "-"], [{"auto": True}], {"passphrase": "hunter22"}),
        (["--slot", "slot_p", "--key-file", "-"], [], {"slot_id": "slot_p", "key": "hunter22"}),
        (["--share-file", "-"], [], {"shares": ["hunter22"]}),
        ([], [{"id": "slot_t", "type": "tpm2", "auto": True}], {"auto": True}),
        (["--auto"], [{"id": "slot_p", "type": "passphrase", "auto": False}], {"auto": True}),
    ],
)
def test_offline_credentials(
    run: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    slots: list[dict[str, Any]],
    body: dict[str, Any],
) -> None:
    given: list[dict[str, Any]] = []

    def verify(_: Path, *, credential: Callable[..., dict[str, Any]], **__: Any) -> dict[str, Any]:
        given.append(credential(slots))
        return report()

    offline(monkeypatch, verify)
    words = ["--data-dir", str(tmp_path), *words]
    assert run("operator", "audit-verify", *words, stdin="hunter22").exit_code == 0
    assert given == [body]


def test_a_wrong_credential_offline_is_exit_2(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def verify(_: Path, **__: Any) -> dict[str, Any]:
        raise Refusal("unseal_failed", "this opens no slot")

    offline(monkeypatch, verify)
    result = run("operator", "audit-verify", "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == "error: unseal_failed: this opens no slot\n"


@pytest.mark.parametrize(("exit_code", "code"), [(6, "start_refused"), (7, "damaged")])
def test_files_that_cannot_be_checked_offline(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exit_code: int, code: str
) -> None:
    def verify(_: Path, **__: Any) -> dict[str, Any]:
        raise StartRefused("not like this", exit_code)

    offline(monkeypatch, verify)
    result = run("operator", "audit-verify", "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert result.stderr == f"error: {code}: not like this\n"
