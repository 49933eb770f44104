"""``scaivault auth``: credentials that are tried, kept, and forgotten."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

CANARY = "skt_canary7secret7canary"
WHOAMI = "GET /v1/auth/whoami"
ME = {
    "identity_id": "sa:job",
    "identity_type": "service_account",
    "tenant_id": "tnt_a",
    "partner_id": "ptn_a",
    "scopes": ["secrets:read"],
    "groups": [],
    "roles": [],
}


@pytest.fixture
def kept(home: Path) -> Path:
    return home / ".scaivault" / "config.json"


def profile(kept: Path, name: str = "default") -> Any:
    return json.loads(kept.read_text())["profiles"][name]


def fresh(server: Any) -> dict[str, str | None]:
    """The variables of somebody who never logged in."""
    return {"SCAIVAULT_TOKEN": None, "SCAIVAULT_URL": server.url}


def test_whoami(run: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    result = run("auth", "whoami")
    assert result.exit_code == 0
    assert "identity_id\tsa:job\n" in result.stdout
    assert "scopes\tsecrets:read\n" in result.stdout


def test_a_token_is_tried_and_kept_with_its_address(run: Any, server: Any, kept: Path) -> None:
    server.answer(WHOAMI, ME)
    result = run("auth", "login", "--token", CANARY, **fresh(server))
    assert (result.exit_code, result.stdout) == (0, "")
    assert "sa:job" in result.stderr
    assert CANARY not in result.stderr
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert profile(kept) == {"base_url": server.url, "token": CANARY}
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    run("auth", "whoami", SCAIVAULT_TOKEN=None, SCAIVAULT_URL=None)
    assert server.requests[1].headers["authorization"] == f"Bearer {CANARY}"


def test_the_named_token_is_tried_whatever_the_environment_has(run: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    assert run("auth", "login", "--token", "-", stdin=f"{CANARY}\n").exit_code == 0
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"


def test_what_comes_before_the_profile_is_told(run: Any, server: Any) -> None:
    server.answer(WHOAMI, ME)
    result = run("auth", "login", "--token", "-", stdin=CANARY, SCAIVAULT_TOKEN="skt_other")
    assert "SCAIVAULT_TOKEN is set and comes before every profile; unset it\n" in result.stderr
    result = run("auth", "login", "--token", "-", stdin=CANARY, **fresh(server))
    assert "comes before" not in result.stderr


@pytest.mark.parametrize("status", [401, 403])
def test_what_the_server_refuses_is_not_kept(
    run: Any, server: Any, kept: Path, status: int
) -> None:
    server.refuse(WHOAMI, status, "token_invalid", "no")
    result = run("auth", "login", "--token", "-", "--debug", stdin=CANARY, **fresh(server))
    assert result.exit_code == {401: 2, 403: 3}[status]
    assert CANARY not in result.output + result.stderr
    assert not kept.exists()


@pytest.mark.parametrize(
    "words",
    [
        *([CANARY], ["--token", f"{CANARY} x"], ["--token", "", "--client-id", "i"]),
        *(["--client-secret-file", "-"], ["--token", CANARY, "--client-id", "i"]),
        ["--token", CANARY, CANARY],
    ],
)
def test_login_called_wrongly_shows_no_token(
    run: Any, server: Any, kept: Path, words: list[str]
) -> None:
    result = run("auth", "login", *words, stdin=CANARY, **fresh(server))
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])
    assert CANARY not in result.stderr
    assert not kept.exists()


def test_without_a_terminal_nobody_is_asked(run: Any, server: Any) -> None:
    result = run("auth", "login", **fresh(server))
    assert result.exit_code == 5
    assert "--token" in result.stderr


def test_a_typed_token_is_not_shown(terminal: Any, server: Any, kept: Path) -> None:
    server.answer(WHOAMI, ME)
    code, screen = terminal(["auth", "login"], [("Token", CANARY)])
    assert code == 0
    assert CANARY not in screen
    assert profile(kept)["token"] == CANARY


def test_a_service_account(run: Any, server: Any, kept: Path) -> None:
    endpoint = f"{server.url}/oauth/token"
    config = {"token_endpoint": endpoint, "exchange_endpoint": f"{server.url}/v1/auth/exchange"}
    server.answer("GET /v1/auth/config", config)
    server.answer(
        "POST /oauth/token",
        {"access_token": "eyJ.short.lived", "token_type": "Bearer", "expires_in": 3600},
    )
    server.answer(WHOAMI, ME)
    words = ("auth", "login", "--client-id", "sa_1", "--client-secret-file", "-")
    result = run(*words, stdin=CANARY, **fresh(server))
    assert (result.exit_code, result.stdout) == (0, "")
    assert profile(kept) == {
        "base_url": server.url,
        "client_id": "sa_1",
        "client_secret": CANARY,
    }
    assert server.requests[-1].headers["authorization"] == "Bearer eyJ.short.lived"
    assert CANARY not in result.stderr


def test_a_new_profile_is_made_by_its_first_login(run: Any, server: Any, kept: Path) -> None:
    server.answer(WHOAMI, ME)
    words = ("auth", "login", "--token", CANARY, "--profile", "work")
    assert run(*words, **fresh(server)).exit_code == 0
    assert profile(kept, "work")["token"] == CANARY
    assert run("auth", "whoami", "--profile", "other").exit_code == 5


def test_a_token_takes_the_place_of_a_client(run: Any, server: Any, kept: Path) -> None:
    run("config", "set", "client_id", "sa_1")
    run("config", "set", "client_secret", "-", stdin=CANARY)
    server.answer(WHOAMI, ME)
    run("auth", "login", "--token", "skt_new", **fresh(server))
    assert profile(kept) == {"base_url": server.url, "token": "skt_new"}


# -- exchange ----------------------------------------------------------------------------------

EXCHANGE = "POST /v1/auth/exchange"
FOREIGN = "eyJ.canary7foreign.token"


@pytest.mark.parametrize("named", ["-", "file"])
def test_a_token_of_another_issuer_is_exchanged(
    run: Any, server: Any, kept: Path, tmp_path: Path, named: str
) -> None:
    (tmp_path / "file").write_text(f"{FOREIGN}\n")
    server.answer(EXCHANGE, {"access_token": CANARY, "token_type": "Bearer", "expires_in": 900})
    server.answer(WHOAMI, ME)
    file = "-" if named == "-" else str(tmp_path / "file")
    words = ("auth", "login", "--exchange", file, "--audience", "scaivault", "--role", "sa:job")
    result = run(*words, "--debug", stdin=FOREIGN, **fresh(server))
    assert (result.exit_code, result.stdout) == (0, "")
    assert server.sent(EXCHANGE) == [
        {
            "subject_token": FOREIGN,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "audience": "scaivault",
            "role": "sa:job",
        }
    ]
    assert "authorization" not in server.requests[0].headers
    assert server.requests[1].headers["authorization"] == f"Bearer {CANARY}"
    assert profile(kept) == {"base_url": server.url, "token": CANARY}
    assert "the token ends in 900 s" in result.stderr
    assert CANARY not in result.stderr
    assert FOREIGN not in result.stderr


def test_a_tenant_that_is_named_is_asked_for(run: Any, server: Any) -> None:
    server.answer(EXCHANGE, {"access_token": CANARY, "expires_in": 900})
    server.answer(WHOAMI, ME)
    words = ("auth", "login", "--exchange", "-", "--tenant", "tnt_b")
    assert run(*words, stdin=FOREIGN, **fresh(server)).exit_code == 0
    assert server.sent(EXCHANGE)[0]["tenant_id"] == "tnt_b"


def test_a_refused_exchange_keeps_and_shows_nothing(run: Any, server: Any, kept: Path) -> None:
    server.refuse(EXCHANGE, 403, "access_denied", "no trust")
    words = ("auth", "login", "--exchange", "-", "--debug")
    result = run(*words, stdin=FOREIGN, **fresh(server))
    assert (result.exit_code, result.stdout, kept.exists()) == (3, "", False)
    assert FOREIGN not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        *(["--role", "sa:job"], ["--audience", "a", "--token", "-"]),
        *(["--exchange", "-", "--token", "-"], ["--exchange", "-", "--client-id", "sa_1"]),
        ["--exchange", "/nowhere/token"],
    ],
)
def test_an_exchange_called_wrongly(run: Any, server: Any, words: list[str]) -> None:
    result = run("auth", "login", *words, stdin=FOREIGN, **fresh(server))
    assert (result.exit_code, result.stdout, server.requests) == (5, "", [])


def test_logout_forgets(run: Any, server: Any, kept: Path) -> None:
    assert "no credentials" in run("auth", "logout").stderr
    run("config", "set", "tenant_id", "tnt_a")
    run("config", "set", "token", "-", stdin=CANARY)
    assert run("auth", "logout").exit_code == 0
    assert profile(kept) == {"tenant_id": "tnt_a"}
    assert server.requests == []


def test_logout_revokes_the_kept_token_and_no_other(run: Any, server: Any, kept: Path) -> None:
    run("config", "set", "token", "-", stdin=CANARY)
    server.answer("DELETE /v1/auth/tokens/self", None, 204)
    assert run("auth", "logout", "--revoke").exit_code == 0
    assert server.requests[0].headers["authorization"] == f"Bearer {CANARY}"
    assert profile(kept) == {}


@pytest.mark.parametrize(("status", "exit_code"), [(401, 0), (403, 3), (409, 1)])
def test_a_token_that_could_not_be_revoked_is_kept(
    run: Any, server: Any, kept: Path, status: int, exit_code: int
) -> None:
    run("config", "set", "token", "-", stdin=CANARY)
    server.refuse("DELETE /v1/auth/tokens/self", status, "some_code", "no")
    result = run("auth", "logout", "--revoke")
    assert result.exit_code == exit_code
    assert profile(kept) == ({} if exit_code == 0 else {"token": CANARY})
    assert CANARY not in result.stderr
