"""The caller: which addresses it takes, what it sends, and what it makes of bad answers."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import pytest

from scaivault.cli.failure import Failure
from scaivault.cli.http import Api, checked_token, checked_url


@pytest.mark.parametrize(
    "url",
    [
        "https://vault.example.org",
        "https://vault.example.org:8443/prefix",
        "http://127.0.0.1:8443",
        "http://127.9.9.9",
        "http://localhost:8443",
        "http://[::1]:8443",
        "unix:/run/scaivault/api.sock",
    ],
)
def test_addresses_that_are_taken(url: str) -> None:
    assert checked_url(url, allow_http=False) == url
    assert checked_url(f"{url}/" if "unix" not in url else url, allow_http=False) == url


@pytest.mark.parametrize(
    "url",
    [
        "http://vault.example.org",
        "http://10.0.0.1:8443",
        "http://127.0.0.1.example.org",
        "http://localhost.example.org",
        "http://0.0.0.0:8443",
        "https://user:hunter22@vault.example.org",
        "https://vault.example.org?token=hunter22",
        "https://vault.example.org#hunter22",
        "https://",
        "https://host:port",
        "https://[::1",
        "ftp://vault.example.org",
        "vault.example.org",
        "unix:relative",
        "",
    ],
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(Failure) as caught:
        checked_url(url, allow_http=False)
    assert caught.value.exit_code == 5
    assert "hunter22" not in caught.value.message


def test_plain_http_elsewhere_only_when_asked_for() -> None:
    assert checked_url("http://10.0.0.1", allow_http=True) == "http://10.0.0.1"


@pytest.mark.parametrize("token", ["a b", "a\r\nX-Evil: 1", "a\x00", "é", "a\n"])
def test_a_token_that_fits_no_header_is_refused_without_being_shown(token: str) -> None:
    with pytest.raises(Failure) as caught:
        checked_token(token)
    assert token not in caught.value.message


def test_the_token_goes_into_one_header_and_nowhere_else(run: Any, server: Any) -> None:
    server.answer("GET /v1/system/jobs", {"paused": False, "jobs": []})
    result = run("operator", "jobs", "status", "--debug")
    request = server.requests[0]
    assert request.headers["authorization"] == f"Bearer {server.token}"
    assert server.token not in request.path + result.output + result.stderr
    assert "debug: GET /v1/system/jobs 200 " in result.stderr


def test_the_token_file_flag_beats_the_variable(run: Any, server: Any, tmp_path: Path) -> None:
    server.answer("GET /v1/system/jobs", {"jobs": []})
    file = tmp_path / "token"
    file.write_text("skt_from_file\n")
    run("operator", "jobs", "status", "--token-file", str(file))
    run("operator", "jobs", "status", SCAIVAULT_TOKEN_FILE=str(file))
    run("operator", "jobs", "status", SCAIVAULT_TOKEN=None, SCAIVAULT_TOKEN_FILE=str(file))
    sent = [request.headers["authorization"] for request in server.requests]
    assert sent == ["Bearer skt_from_file", f"Bearer {server.token}", "Bearer skt_from_file"]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xff\xfe", None])
def test_a_token_file_that_is_none_is_refused(
    run: Any, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    result = run("operator", "jobs", "status", "--token-file", str(file))
    assert result.exit_code == 5
    assert str(file) in result.stderr


def test_without_a_token_no_header_is_sent(run: Any, server: Any) -> None:
    server.answer("GET /v1/health", {"status": "healthy"})
    run("system", "health", SCAIVAULT_TOKEN=None)
    assert "authorization" not in server.requests[0].headers


def test_json_is_the_answer_byte_for_byte(run: Any, server: Any) -> None:
    raw = '{"status" : "healthy",\n "more":"ä","n":1.50}'.encode()
    server.answer("GET /v1/health", raw)
    assert run("system", "health", "--json").stdout_bytes == raw + b"\n"


def test_proxies_and_netrc_of_the_environment_are_not_used(
    run: Any, server: Any, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login evil password evil\n")
    server.answer("GET /v1/health", {"status": "healthy"})
    dead = "http://127.0.0.1:1"
    env = {"HTTP_PROXY": dead, "http_proxy": dead, "ALL_PROXY": dead, "NETRC": str(netrc)}
    assert run("system", "health", SCAIVAULT_TOKEN=None, **env).exit_code == 0
    assert "authorization" not in server.requests[0].headers


def test_redirects_are_not_followed(run: Any, server: Any) -> None:
    server.answer("GET /v1/health", status=302, headers={"Location": f"{server.url}/v1/version"})
    result = run("system", "health")
    assert result.exit_code == 1
    assert "redirects are not followed" in result.stderr
    assert [request.path for request in server.requests] == ["/v1/health"]


@pytest.mark.parametrize("body", [b"<html>", b"[1]", b"\xff", b"null", b'"x"', b"[" * 100_000])
@pytest.mark.parametrize("status", [200, 502])
def test_what_is_no_answer_of_scaivault_is_said_to_be_so(
    run: Any, server: Any, body: bytes, status: int
) -> None:
    server.answer("GET /v1/health", body, status)
    result = run("system", "health")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "unexpected_answer" in result.stderr


def test_nobody_listening(run: Any) -> None:
    result = run("system", "health", "--url", "http://127.0.0.1:1")
    assert result.exit_code == 1
    assert "error: connection_failed: cannot reach http://127.0.0.1:1" in result.stderr


def test_https_where_there_is_none(terminal: Any, server: Any) -> None:
    url = server.url.replace("http:", "https:")
    code, screen = terminal(["system", "health", "--url", url], [])
    assert code == 1
    assert "does it speak TLS?" in screen


def test_a_server_that_never_answers(run: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        result = run("system", "health", "--url", url, "--timeout", "0.1")
    assert result.exit_code == 1
    assert "error: timeout:" in result.stderr


def test_unix_socket(run: Any, unix_server: Any) -> None:
    unix_server.answer("GET /v1/health", {"status": "healthy"})
    result = run("system", "health", "--url", unix_server.url)
    assert (result.exit_code, result.stdout) == (0, "server\thealthy\n")
    assert unix_server.requests[0].headers["host"] == "localhost"


def test_no_unix_socket_there(terminal: Any, tmp_path: Path) -> None:
    # In a process of its own: httpcore leaves closing its socket to the garbage collector.
    code, screen = terminal(["system", "health", "--url", f"unix:{tmp_path}/none"], [])
    assert code == 1
    assert "error: connection_failed: cannot reach unix:" in screen


def test_tls_is_verified_against_the_given_ca(run: Any, tls_server: Any) -> None:
    server, trusted = tls_server
    server.answer("GET /v1/health", {"status": "healthy"})
    words = ("system", "health", "--url", server.url)
    assert run(*words, "--ca-file", str(trusted)).exit_code == 0
    assert run(*words, SCAIVAULT_CACERT=str(trusted)).exit_code == 0


def test_an_unknown_certificate_gets_no_request(run: Any, tls_server: Any) -> None:
    server, _ = tls_server
    result = run("system", "health", "--url", server.url)
    assert result.exit_code == 1
    assert "certificate verify failed" in result.stderr
    assert server.requests == []


def test_a_ca_file_that_is_none(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    words = ("system", "health", "--url", "https://127.0.0.1:1", "--ca-file", str(file))
    result = run(*words)
    assert result.exit_code == 5
    assert str(file) in result.stderr


def test_the_api_shows_no_token() -> None:
    assert "skt_secret" not in repr(Api("http://127.0.0.1:1", token="skt_secret"))
