"""Secrets that are shown once: client secrets and tokens, on stdout alone or in a private file."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

CANARY = "sks_canary7secret7canary"
CREDENTIALS = "/v1/identity/service-accounts/sa:job/credentials"
MADE = {
    "id": "cred_2",
    "client_id": "sa_1",
    "client_secret": CANARY,
    "name": "new",
    "created_at": "2031-02-03T09:00:00.000000Z",
    "expires_at": None,
}
ROTATE = ("identity", "sa-credentials", "job", "--rotate")
TOKEN = {
    "id": "tok_1",
    "name": "laptop",
    "scopes": ["secrets:read"],
    "token": CANARY,
    "expires_at": "2031-05-01T00:00:00.000000Z",
}
CREATE = ("auth", "token", "create", "laptop", "--scope", "secrets:read")


def listed(name: str, created: str, used: str | None) -> dict[str, Any]:
    return {
        "id": name,
        "client_id": "sa_1",
        "name": name,
        "expires_at": None,
        "created_at": f"2031-{created}T09:00:00.000000Z",
        "last_used_at": used,
    }


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_stdout_holds_the_secret_alone(run: Any, server: Any) -> None:
    server.answer(f"POST {CREDENTIALS}", MADE, 201)
    result = run(*ROTATE, "--expires-in", "90d")
    assert (result.exit_code, result.stdout) == (0, f"{CANARY}\n")
    assert "cred_2 for client id sa_1" in result.stderr
    assert CANARY not in result.stderr
    assert server.sent(f"POST {CREDENTIALS}") == [{"expires_in": "90d"}]
    assert json.loads(run(*ROTATE, "--json").stdout) == MADE


def test_a_token(run: Any, server: Any) -> None:
    server.answer("POST /v1/auth/tokens", TOKEN, 201)
    limits = ("--path", "shop/**", "--ip", "192.0.2.0/24", "--expires-in", "12h")
    result = run(*CREATE, *limits, "--for", "user:a@example.org", "--debug")
    assert (result.exit_code, result.stdout) == (0, f"{CANARY}\n")
    assert "tok_1, valid until 2031-05-01" in result.stderr
    assert CANARY not in result.stderr
    assert server.sent("POST /v1/auth/tokens") == [
        {
            "name": "laptop",
            "scopes": ["secrets:read"],
            "expires_in": "12h",
            "allowed_paths": ["shop/**"],
            "ip_ranges": ["192.0.2.0/24"],
            "identity_id": "user:a@example.org",
        }
    ]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("a@example.org", "user:a@example.org"),
        *((name, name) for name in ("user:a@example.org", "usr_1", "sa:job", "group:ops")),
    ],
)
def test_a_token_for_somebody(run: Any, server: Any, typed: str, sent: str) -> None:
    server.answer("POST /v1/auth/tokens", TOKEN, 201)
    assert run(*CREATE, "--for", typed).exit_code == 0
    (body,) = server.sent("POST /v1/auth/tokens")
    assert body["identity_id"] == sent


@pytest.mark.parametrize("json_flag", [[], ["--json"]])
def test_into_a_private_file(run: Any, server: Any, tmp_path: Path, json_flag: list[str]) -> None:
    server.answer(f"POST {CREDENTIALS}", MADE, 201)
    file = tmp_path / "secret"
    file.write_text("sks_old\n")
    file.chmod(0o644)
    result = run(*ROTATE, "--out", str(file), *json_flag)
    assert result.exit_code == 0
    assert CANARY not in result.stdout + result.stderr
    assert "cred_2" in result.stdout
    assert file.read_text() == f"{CANARY}\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["secret"]


def test_whoever_has_the_old_file_open_reads_the_old_secret(
    run: Any, server: Any, tmp_path: Path
) -> None:
    server.answer(f"POST {CREDENTIALS}", MADE, 201)
    file = tmp_path / "secret"
    file.write_text("sks_old\n")
    with file.open() as before:
        assert run(*ROTATE, "--out", str(file)).exit_code == 0
        assert before.read() == "sks_old\n"


@pytest.mark.parametrize("place", ["missing/secret", "", "file/secret", "link", "pipe", "folder"])
def test_a_place_that_cannot_be_written_is_told_before(
    run: Any, server: Any, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    result = run(*ROTATE, "--out", str(tmp_path / place))
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])
    assert "--out" in result.stderr


def test_a_refusal_leaves_the_file_as_it_was(run: Any, server: Any, tmp_path: Path) -> None:
    server.refuse(f"POST {CREDENTIALS}", 409, "invalid_state", "five are enough")
    file = tmp_path / "secret"
    file.write_text("sks_old\n")
    result = run(*ROTATE, "--out", str(file))
    assert (result.exit_code, result.stdout) == (1, "")
    assert (file.read_text(), names(tmp_path)) == ("sks_old\n", ["secret"])


@pytest.mark.parametrize("out", [True, False])
def test_an_answer_without_the_secret_is_a_failure(
    run: Any, server: Any, tmp_path: Path, out: bool
) -> None:
    without = {name: value for name, value in MADE.items() if name != "client_secret"}
    server.answer(f"POST {CREDENTIALS}", without, 201)
    result = run(*ROTATE, *(["--out", str(tmp_path / "secret")] if out else []))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "revoke cred_2" in result.stderr
    assert names(tmp_path) == []


def test_a_disk_that_fails_leaves_nothing_half_written(
    run: Any, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer(f"POST {CREDENTIALS}", MADE, 201)
    file = tmp_path / "secret"
    file.write_text("sks_old\n")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = run(*ROTATE, "--out", str(file), "--debug")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "No space left" in result.stderr
    assert CANARY not in result.stderr
    assert (file.read_text(), names(tmp_path)) == ("sks_old\n", ["secret"])


def test_what_there_is(run: Any, server: Any) -> None:
    server.answer(f"GET {CREDENTIALS}", {"credentials": [listed("cred_1", "01-01", None)]})
    line = "cred_1\tcred_1\t2031-01-01T09:00:00.000000Z\t-\t-\n"
    assert run("identity", "sa-credentials", "sa:job").stdout == line


RETIRE = ("identity", "sa-credentials", "job", "--retire")


def test_older_ones_end_when_the_newest_works(run: Any, server: Any) -> None:
    known = [listed("cred_3", "03-01", "2031-03-02T00:00:00.000000Z")]
    known += [listed("cred_1", "01-01", None), listed("cred_2", "02-01", None)]
    server.answer(f"GET {CREDENTIALS}", {"credentials": known})
    refused = run(*RETIRE)
    assert refused.exit_code == 5
    assert "cred_1, cred_2 of sa:job" in refused.stderr
    for name in ("cred_1", "cred_2"):
        server.answer(f"DELETE {CREDENTIALS}/{name}", None, 204)
    done = run(*RETIRE, "--yes")
    assert (done.exit_code, done.stdout) == (0, "")
    deleted = [each.path for each in server.requests if each.method == "DELETE"]
    assert deleted == [f"{CREDENTIALS}/cred_1", f"{CREDENTIALS}/cred_2"]


def test_older_ones_stay_while_the_newest_is_not_in_use(run: Any, server: Any) -> None:
    known = [listed("cred_1", "01-01", "2031-03-02T00:00:00.000000Z")]
    server.answer(f"GET {CREDENTIALS}", {"credentials": known})
    assert "no older credential" in run(*RETIRE, "--yes").stderr
    server.answers.clear()
    known.append(listed("cred_2", "02-01", None))
    server.answer(f"GET {CREDENTIALS}", {"credentials": known})
    result = run(*RETIRE, "--yes")
    assert result.exit_code == 1
    assert "cred_2, the newest, was never used" in result.stderr
    assert {each.method for each in server.requests} == {"GET"}


# -- tokens and second factor -------------------------------------------------------------------


def test_tokens_are_listed_without_their_text(run: Any, server: Any) -> None:
    item = {name: value for name, value in TOKEN.items() if name != "token"}
    page = {"tokens": [item], "cursor": None, "has_more": False}
    server.answer("GET /v1/auth/tokens?identity_id=sa%3Ajob&status=expired", page)
    result = run("auth", "token", "list", "--identity", "sa:job", "--status", "expired")
    line = "tok_1\tlaptop\tsecrets:read\t2031-05-01T00:00:00.000000Z\t-\n"
    assert (result.exit_code, result.stdout) == (0, line)


def test_a_token_is_revoked_after_a_yes(run: Any, server: Any) -> None:
    server.answer("DELETE /v1/auth/tokens/tok_1", None, 204)
    assert run("auth", "token", "revoke", "tok_1").exit_code == 5
    assert run("auth", "token", "revoke", "tok_1", "--yes").exit_code == 0
    assert len(server.requests) == 1


def test_a_token_needs_a_scope(run: Any, server: Any) -> None:
    result = run("auth", "token", "create", "laptop")
    assert (result.exit_code, server.requests) == (5, [])


VERIFIED = {"mfa_verified_at": "2031-02-03T09:00:00.000000Z"}


@pytest.mark.parametrize(("words", "stdin"), [(["123456"], ""), (["-"], "123456\n")])
def test_a_code(run: Any, server: Any, words: list[str], stdin: str) -> None:
    server.answer("POST /v1/auth/mfa/verify", VERIFIED)
    result = run("auth", "mfa", *words, stdin=stdin)
    assert result.stdout == "mfa_verified_at\t2031-02-03T09:00:00.000000Z\n"
    assert server.sent("POST /v1/auth/mfa/verify") == [{"code": "123456"}]


def test_a_typed_code(terminal: Any, server: Any) -> None:
    server.answer("POST /v1/auth/mfa/verify", VERIFIED)
    code, screen = terminal(["auth", "mfa"], [("Code", "123456")])
    assert (code, "123456" in screen) == (0, False)
    assert server.sent("POST /v1/auth/mfa/verify") == [{"code": "123456"}]


def test_a_wrong_code(run: Any, server: Any) -> None:
    server.refuse("POST /v1/auth/mfa/verify", 403, "mfa_required", "no", reason="code_rejected")
    assert run("auth", "mfa", "123456").exit_code == 3


def test_a_factor_is_enrolled_and_given_up(run: Any, server: Any) -> None:
    made = {"secret": "JBSWY3DP", "otpauth_uri": "otpauth://totp/x", "confirmed": False}
    server.answer("POST /v1/auth/mfa/totp", made, 201)
    assert "secret\tJBSWY3DP\n" in run("auth", "mfa", "--enrol").stdout
    server.answer("DELETE /v1/auth/mfa/totp", None, 204)
    assert run("auth", "mfa", "--remove").exit_code == 5
    assert run("auth", "mfa", "--remove", "--yes").exit_code == 0
    assert run("auth", "mfa", "--enrol", "--remove").exit_code == 5
    assert run("auth", "mfa").exit_code == 5
