"""The root command: what it imports, and how every end becomes an exit code."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from scaivault import __version__
from scaivault.cli.failure import Failure, exit_of
from tests.support.commands import every_command

HEAVY = (
    "httpx",
    "uvicorn",
    "starlette",
    "cryptography",
    "nacl",
    "msgspec",
    "yaml",
    "sqlcipher3",
    "ssl",
    "asyncio",
    "scaivault_sdk",
)


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["--help"],
        ["operator", "--help"],
        ["secrets", "write", "--help"],
        ["audit", "logs", "--help"],
        ["policies", "bind", "--help"],
        ["config", "--help"],
    ],
)
def test_nothing_heavy_is_imported_to_say_version_or_help(words: list[str]) -> None:
    program = (
        "import sys\nfrom scaivault.cli.main import scaivault\n"
        f"try: scaivault.main({words})\nexcept SystemExit as end: assert not end.code\n"
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_version(run: Any) -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"scaivault {__version__}\n")


def test_every_command_in_the_tables_is_there() -> None:
    for words, command in every_command():
        assert command.name == (words[-1] if words else "scaivault")


@pytest.mark.parametrize(
    "words", [["nothing"], ["operator", "statsu"], ["operator", "status", "--no"], ["system"]]
)
def test_wrong_usage_is_exit_5_and_only_on_stderr(run: Any, words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (5, "")
    assert result.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["secret", "list"], "No such command 'secret'. Did you mean 'secrets'?"),
        (["operator", "statsu"], "No such command 'statsu'. Did you mean 'status'?"),
        (["secrets", "list", "app/"], "it takes options only, no arguments"),
        (["secrets", "read", "app/", "x"], "there are too many arguments"),
    ],
)
def test_a_slip_is_told_with_its_remedy(run: Any, words: list[str], told: str) -> None:
    assert f"error: usage: {told}; see scaivault " in run(*words).stderr


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (["operator", "slots", "list"], "set SCAIVAULT_TOKEN, or give --token-file"),
        (["policies", "list"], "`scaivault auth login` keeps one, or set SCAIVAULT_TOKEN"),
    ],
)
def test_without_a_token_the_error_says_where_to_get_one(
    run: Any, server: Any, words: list[str], remedy: str
) -> None:
    for call in ("GET /v1/system/slots", "GET /v1/policies"):
        server.refuse(call, 401, "authentication_required", "send one header: Authorization")
    result = run(*words, SCAIVAULT_TOKEN=None)
    assert result.exit_code == 2
    told = f"error: authentication_required: no token arrived: {remedy} (request req_1)\n"
    assert result.stderr == told


def test_an_error_is_one_line_with_code_and_request(run: Any, server: Any) -> None:
    server.refuse("GET /v1/system/slots", 403, "forbidden", "needs super_admin")
    result = run("operator", "slots", "list")
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == "error: forbidden: needs super_admin (request req_1)\n"


def test_with_json_the_error_is_the_servers_envelope(run: Any, server: Any) -> None:
    server.refuse("GET /v1/system/slots", 403, "forbidden", "no", required_role="super_admin")
    result = run("--json", "operator", "slots", "list")
    assert result.stdout == ""
    assert json.loads(result.stderr)["error"] == {
        "code": "forbidden",
        "message": "no",
        "details": {"required_role": "super_admin"},
        "request_id": "req_1",
    }


def test_with_json_an_own_error_has_the_same_shape(run: Any) -> None:
    result = run("operator", "status", "--json", "--nonsense")
    assert result.exit_code == 5
    error = json.loads(result.stderr)["error"]
    assert error["code"] == "usage"
    assert "'--nonsense'; see scaivault operator status --help" in error["message"]


def test_faults_of_fields_are_named(run: Any, server: Any) -> None:
    fields = {"ttl": "must be 1h to 365d"}
    server.refuse("POST /v1/system/jobs/pause", 422, "validation_error", "bad", fields=fields)
    result = run("operator", "jobs", "pause")
    assert result.exit_code == 5
    assert result.stderr == "error: validation_error: ttl: must be 1h to 365d (request req_1)\n"


def test_what_was_not_found_is_named(run: Any, server: Any) -> None:
    more = {"identity_id": "group:crwe"}
    server.refuse(
        "POST /v1/system/jobs/pause", 404, "identity_not_found", "there is no such group", **more
    )
    told = run("operator", "jobs", "pause").stderr
    assert told == "error: identity_not_found: there is no such group: group:crwe (request req_1)\n"


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [
        *((400, 5), (401, 2), (403, 3), (404, 4), (422, 5)),
        *((405, 1), (409, 1), (410, 1), (413, 1), (429, 1), (500, 1), (502, 1), (503, 1)),
    ],
)
def test_exit_codes_of_statuses(run: Any, server: Any, status: int, exit_code: int) -> None:
    server.refuse("GET /v1/system/jobs", status, "some_code", "text")
    assert run("operator", "jobs", "status").exit_code == exit_code == exit_of(status)


def test_flags_nearest_to_the_command_win(run: Any, server: Any) -> None:
    server.answer("GET /v1/health", {"status": "healthy"})
    result = run("--url", "http://127.0.0.1:1", "system", "health", "--url", server.url)
    assert (result.exit_code, result.stdout) == (0, "server\thealthy\n")


def test_a_flag_before_the_command_beats_the_environment(run: Any, server: Any) -> None:
    server.answer("GET /v1/health", {"status": "healthy"})
    result = run("--url", server.url, "system", "health", SCAIVAULT_URL="http://127.0.0.1:1")
    assert result.exit_code == 0


def test_a_reader_that_leaves_is_no_traceback(server: Any) -> None:
    server.answer("GET /v1/health", {"status": "healthy", "filler": "x" * 200_000})
    command = (
        f"set -o pipefail; {sys.executable} -m scaivault.cli.main system health --json"
        f" --url {server.url} | true"
    )
    done = subprocess.run(["bash", "-c", command], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_leaving_a_prompt_is_exit_1(terminal: Any, server: Any) -> None:
    server.answer(
        "GET /v1/system/seal-status",
        {"initialized": True, "sealed": True, "slots": [{"id": "slot_1", "type": "passphrase"}]},
    )
    code, screen = terminal(["operator", "unseal"], [("Passphrase or recovery key", "\x04")])
    assert code == 1
    assert "error: aborted: stopped before the end" in screen
    assert "Traceback" not in screen


def test_a_failure_never_shows_values_in_its_repr() -> None:
    assert "envelope" not in repr(Failure("a", "b", envelope='{"error": 1}'))


def test_no_command_has_two_parameters_of_one_name() -> None:
    """Click would take the one for the other: `--partner` for `--partner-id`."""
    for words, command in every_command():
        names = [each.name for each in command.params]
        assert len(names) == len(set(names)), words
