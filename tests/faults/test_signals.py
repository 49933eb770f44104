"""Signals and what systemd is told."""

from __future__ import annotations

import http.client
import signal
import socket
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.process import PATIENCE, Server, ask, request, until

SLOW = {"server.drain_delay": "20s", "server.shutdown_grace": "20s"}


@pytest.fixture
def told(tmp_path: Path) -> Iterator[socket.socket]:
    """Where systemd would listen."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(tmp_path / "notify"))
        channel.settimeout(PATIENCE)
        yield channel


def notified(channel: socket.socket, wanted: str) -> None:
    until(lambda: channel.recv(4096).decode() == wanted, wanted)


def test_systemd_is_told(server: Server, told: socket.socket) -> None:
    server.env = {"NOTIFY_SOCKET": told.getsockname(), "WATCHDOG_USEC": "200000"}
    server.start()
    notified(told, "READY=1")
    for _ in range(3):
        notified(told, "WATCHDOG=1")
    server.signal(signal.SIGTERM)
    notified(told, "STOPPING=1")
    assert server.wait() == 0


def test_ready_comes_after_the_socket_listens(server: Server, told: socket.socket) -> None:
    server.env = {"NOTIFY_SOCKET": told.getsockname()}
    server.launch()
    notified(told, "READY=1")
    answer = request(server.port, "GET", "/v1/health")
    assert answer.status == 200
    assert server.stop() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_signal_ends_it_well(founded: Server, number: int) -> None:
    assert founded.put("a/b", {"n": 1}).status == 201
    founded.signal(number)
    assert founded.wait() == 0
    assert not (founded.data / "vault.db-wal").exists(), "the log is folded in"
    founded.reopened()
    assert founded.read("a/b").json["data"] == {"n": 1}
    report = founded.call("GET", "/v1/audit/verify").json
    assert report["valid"]
    assert report["checkpoints_checked"] > 0


def test_draining(server: Server) -> None:
    """Not ready any more, but still answering; then a second signal ends it at once."""
    server.settings |= SLOW
    server.founded()
    assert server.call("GET", "/v1/health/ready", token=None).status == 200
    server.signal(signal.SIGTERM)
    until(
        lambda: server.call("GET", "/v1/health/ready", token=None).status == 503,
        "not ready",
    )
    ready = server.call("GET", "/v1/health/ready", token=None)
    assert "server" in ready.json["errors"]
    assert server.put("a/b", {"n": 1}).status == 201
    server.signal(signal.SIGTERM)
    assert server.wait(10) == 1
    server.reopened()
    assert server.read("a/b").json["data"] == {"n": 1}


def test_a_second_signal_waits_for_nobody(server: Server) -> None:
    """A client that never sends its body holds the first signal up, not the second."""
    server.settings |= SLOW | {"server.drain_delay": "0s"}
    server.founded()
    connection = half_sent(server)
    try:
        server.signal(signal.SIGTERM)
        until(lambda: refused(server), "no new connections")
        assert server.process is not None
        assert server.process.poll() is None
        server.signal(signal.SIGTERM)
        assert server.wait(10) == 1
    finally:
        connection.close()
    server.reopened()


def test_answers_on_their_way_are_finished(server: Server) -> None:
    server.settings |= SLOW | {"server.drain_delay": "0s"}
    server.founded()
    connection = half_sent(server)
    try:
        server.signal(signal.SIGTERM)
        until(lambda: refused(server), "no new connections")
        connection.send(b'"n": 1}}')
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        answer.read()
    finally:
        connection.close()
    assert server.wait() == 0
    server.reopened()
    assert server.read("half/sent").json["data"] == {"n": 1}


def half_sent(server: Server) -> http.client.HTTPConnection:
    """A write whose body is not all there yet; known to be at the server."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    connection.putrequest("PUT", "/v1/secrets/half/sent")
    connection.putheader("Authorization", f"Bearer {server.token}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "18")
    connection.endheaders(b'{"data": {')
    # A later request that was answered shows that the loop has read this one.
    assert server.call("GET", "/v1/health", token=None).status == 200
    return connection


def refused(server: Server) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", server.port)) != 0


def test_under_load_nothing_answered_is_lost(founded: Server) -> None:
    written: set[str] = set()
    threads = [
        threading.Thread(target=write_until_gone, args=(founded, name, written), daemon=True)
        for name in range(8)
    ]
    for thread in threads:
        thread.start()
    until(lambda: len(written) > 30, "some writes")
    assert founded.stop() == 0
    for thread in threads:
        thread.join(PATIENCE)
    founded.reopened()
    assert all(founded.read(path).status == 200 for path in written)
    assert founded.call("GET", "/v1/audit/verify").json["valid"]


def write_until_gone(server: Server, name: int, written: set[str]) -> None:
    try:
        for number in range(10_000):
            path = f"load/{name}-{number}"
            answer = server.put(path, {"n": number})
            if answer.status == 503:
                assert answer.code == "sealed"
                return
            assert answer.status == 201
            written.add(path)
    except (OSError, http.client.HTTPException):
        return


def test_hangup_takes_over_what_it_can(founded: Server) -> None:
    founded.put("a/b", {"n": 1})
    port = founded.port
    config = founded.folder / "config.yaml"
    config.write_text(
        config.read_text().replace("enabled: false", "enabled: true\n  secrets_write: 1")
    )
    founded.signal(signal.SIGHUP)
    until(lambda: "configuration reloaded" in founded.told, "the reload")
    assert founded.put("a/b", {"n": 2}).status == 200
    assert founded.put("a/b", {"n": 3}).status == 429
    config.write_text(
        config.read_text().replace(str(port), "1").replace("write: 1\n", "write: 99\n")
    )
    founded.signal(signal.SIGHUP)
    until(lambda: "need a restart" in founded.told, "the warning")
    assert "server.bind" in founded.told
    assert founded.put("a/b", {"n": 3}).status == 200


def test_hangup_reaches_connections_that_are_open(founded: Server) -> None:
    """Whom their lines stand for was found out under the old proxies."""
    founded.call("POST", "/v1/identity/users", {"email": "mira@harbor.example"})
    body = {
        "name": "laptop", "scopes": ["secrets:read"], "ip_ranges": ["192.0.2.0/24"],
        "identity_id": "user:mira@harbor.example",
    }  # fmt: skip
    token = founded.call("POST", "/v1/auth/tokens", body).json["token"]
    config = founded.folder / "config.yaml"
    plain = config.read_text()
    trusting = plain.replace("server:\n", "server:\n  trusted_proxies: [127.0.0.0/8]\n")
    forged = {"X-Forwarded-For": "192.0.2.7"}
    connection = http.client.HTTPConnection("127.0.0.1", founded.port, timeout=30)

    def reloads(count: int) -> bool:
        return founded.told.count("configuration reloaded") == count

    def asked() -> int:
        return ask(connection, "GET", "/v1/auth/whoami", token=token, headers=forged).status

    assert [asked() for _ in range(3)] == [403] * 3
    open_one = connection.sock
    for turn, (text, status) in enumerate(((trusting, 200), (plain, 403), (trusting, 200)), 1):
        config.write_text(text)
        founded.signal(signal.SIGHUP)
        until(partial(reloads, turn), "the reload")
        assert [asked() for _ in range(3)] == [status] * 3
    assert connection.sock is open_one
    connection.close()


def test_hangup_with_a_broken_configuration_changes_nothing(founded: Server) -> None:
    (founded.folder / "config.yaml").write_text("server: {nonsense: 1}\n")
    founded.signal(signal.SIGHUP)
    until(lambda: "was not reloaded" in founded.told, "the complaint")
    assert founded.put("a/b", {"n": 1}).status == 201
    assert founded.stop() == 0
