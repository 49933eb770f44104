"""What is sent again, when, and what is not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scaivault_sdk import SyncScaiVaultClient
from scaivault_sdk._answers import lost
from scaivault_sdk._pace import Pace, Retries
from scaivault_sdk.errors import (
    APIError,
    ConnectError,
    InternalServerError,
    RateLimitError,
    RequestTimeout,
    ScaiVaultError,
    SealedError,
    ServiceUnavailableError,
    TransportError,
    refusal,
)
from tests.support.clients import Clients, Script, refused

WRITTEN = {"path": "a/b", "version": 1, "created": True}


def ok(body: Any = None) -> httpx.Response:
    return httpx.Response(200, json=WRITTEN if body is None else body)


def away() -> httpx.Response:
    return refused(503, "service_unavailable")


def test_unavailable_is_asked_again_with_growing_pauses(clients: Clients) -> None:
    server = Script(*(away() for _ in range(4)), ok())
    clients.mocked(server).secrets.write("a/b", {})
    assert clients.slept == [0.5, 1.0, 2.0, 4.0]


def test_after_four_repetitions_the_error_surfaces(clients: Clients) -> None:
    server = Script(*(away() for _ in range(5)))
    with pytest.raises(ServiceUnavailableError):
        clients.mocked(server).secrets.write("a/b", {})
    assert len(server.asked) == 5


def test_no_repetition_when_none_is_wanted(clients: Clients) -> None:
    server = Script(away())
    with pytest.raises(ServiceUnavailableError):
        clients.mocked(server, max_retries=0).secrets.read("a/b")


def test_the_key_is_equal_over_repetitions_and_new_for_each_call(clients: Clients) -> None:
    server = Script(away(), httpx.ConnectError("broken"), ok(), ok())
    client = clients.mocked(server)
    client.secrets.write("a/b", {})
    client.secrets.write("a/b", {})
    keys = [request.headers["idempotency-key"] for request in server.asked]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]
    assert [request.content for request in server.asked] == [b'{"data":{}}'] * 4


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.secrets.batch_read(["a/b"]),
        lambda client: client.secrets.batch_metadata(["a/b"]),
        lambda client: client.policies.test("sa:x", "a/b", "read"),
        lambda client: client.secrets.delete("a/b"),
        lambda client: client.secrets.update_metadata("a/b", {}),
        lambda client: client.secrets.read("a/b"),
        lambda client: client.request("POST", "/v1/x", changes=False),
    ],
)
def test_reads_by_post_and_other_methods_carry_no_key(clients: Clients, call: Any) -> None:
    server = Script(refused(404, "not_found"))
    with pytest.raises(APIError):
        call(clients.mocked(server))
    assert "idempotency-key" not in server.asked[0].headers


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.secrets.rotate("a/b"),
        lambda client: client.secrets.restore("a/b"),
        lambda client: client.policies.create("x", []),
        lambda client: client.policies.replace("pol_1", "x", []),
        lambda client: client.audit.export("2031-01-01", "2031-02-01", {"type": "file"}),
        lambda client: client.identity.create_credentials("sa:x"),
    ],
)
def test_whatever_makes_something_carries_a_key(clients: Clients, call: Any) -> None:
    server = Script(refused(404, "not_found"))
    with pytest.raises(APIError):
        call(clients.mocked(server))
    assert len(server.asked[0].headers["idempotency-key"]) == 32


def test_the_server_says_how_long(clients: Clients) -> None:
    server = Script(refused(429, "rate_limited", retry_after="7"), ok())
    clients.mocked(server).secrets.write("a/b", {})
    assert clients.slept == [7.0]


def test_a_longer_wait_than_there_is_time_is_told_at_once(clients: Clients) -> None:
    server = Script(refused(429, "rate_limited", retry_after="61"))
    with pytest.raises(RateLimitError) as caught:
        clients.mocked(server).secrets.read("a/b")
    assert caught.value.retry_after == 61.0
    assert clients.slept == []


def test_a_call_ends_within_its_deadline(clients: Clients) -> None:
    server = Script(*(refused(429, "rate_limited", retry_after="25") for _ in range(3)))
    with pytest.raises(RateLimitError):
        clients.mocked(server).secrets.read("a/b")
    assert clients.slept == [25.0, 25.0]


def test_an_internal_error_is_asked_again_once(clients: Clients) -> None:
    server = Script(refused(500, "internal_error"), refused(500, "internal_error"))
    with pytest.raises(InternalServerError):
        clients.mocked(server).secrets.read("a/b")
    assert clients.slept == [0.5]


@pytest.mark.parametrize(
    "broken",
    [
        httpx.ConnectError("refused"),
        httpx.ConnectTimeout("slow"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("closed"),
    ],
)
def test_a_broken_connection_is_tried_again(clients: Clients, broken: Exception) -> None:
    clients.mocked(Script(broken, ok())).secrets.write("a/b", {})
    assert clients.slept == [0.5]


def test_without_any_connection_that_is_said(clients: Clients) -> None:
    server = Script(*(httpx.ConnectError("nobody there") for _ in range(5)))
    with pytest.raises(ConnectError, match="nobody there"):
        clients.mocked(server).secrets.read("a/b")


def test_where_nobody_answered_is_said_without_what_was_asked() -> None:
    client = SyncScaiVaultClient("http://127.0.0.1:1", token="skt_canary", max_retries=0)
    with client, pytest.raises(ConnectError, match=r"^no connection to 127\.0\.0\.1:1: ") as caught:
        client.secrets.read("a/b")
    assert "a/b" not in str(caught.value)
    at_a_socket = httpx.ConnectError("gone", request=httpx.Request("GET", "http://localhost/v1/x"))
    assert str(lost(at_a_socket, 1.0)) == "no connection: gone"


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (httpx.ReadTimeout("slow"), RequestTimeout),
        (refused(503, "sealed"), SealedError),
        (refused(503, "something_new"), ServiceUnavailableError),
        (refused(502, "upstream_error"), APIError),
        (refused(409, "version_conflict"), APIError),
        (refused(404, "secret_not_found"), APIError),
        (httpx.Response(503, text="<h1>proxy</h1>"), ServiceUnavailableError),
        (httpx.Response(500, text="<h1>proxy</h1>"), InternalServerError),
        (httpx.Response(302, headers={"location": "https://evil.example"}), TransportError),
        (httpx.Response(200, text="<h1>hello</h1>"), TransportError),
        (httpx.Response(200, json=[1]), TransportError),
    ],
)
def test_anything_else_is_final(
    clients: Clients, line: httpx.Response | Exception, error: type[Exception]
) -> None:
    server = Script(line)
    with pytest.raises(error):
        clients.mocked(server).secrets.read("a/b")
    assert (len(server.asked), clients.slept) == (1, [])


def test_a_repetition_gets_no_more_time_than_is_left(clients: Clients) -> None:
    server = Script(refused(429, "rate_limited", retry_after="55"), ok())
    clients.mocked(server).secrets.write("a/b", {})
    timeouts = [request.extensions["timeout"] for request in server.asked]
    assert [each["read"] for each in timeouts] == [10.0, 5.0]
    assert [each["connect"] for each in timeouts] == [5.0, 5.0]


def test_slow_calls_get_a_minute_and_any_call_what_it_asks_for(clients: Clients) -> None:
    server = Script(ok({"valid": True}), ok(), ok())
    client = clients.mocked(server)
    client.audit.verify()
    client.request("GET", "/v1/x", timeout=3)
    client.request("GET", "/v1/x")
    assert [each.extensions["timeout"]["read"] for each in server.asked] == [60.0, 3, 10.0]


def test_a_fault_carries_no_request_along(clients: Clients) -> None:
    for line in (httpx.ReadTimeout("slow"), refused(403, "access_denied")):
        with pytest.raises(ScaiVaultError) as caught:
            clients.mocked(Script(line)).secrets.write("a/b", {"password": "topsecret"})
        assert caught.value.__cause__ is None
        assert caught.value.__context__ is None
        assert "topsecret" not in str(caught.value.__dict__)


@given(
    st.lists(st.sampled_from(["service_unavailable", "rate_limited", "internal_error"])),
    st.floats(0, 1),
    st.integers(0, 6),
    st.floats(0, 100),
)
def test_patience_is_bounded(codes: list[str], share: float, limit: int, deadline: float) -> None:
    """No more pauses than allowed, none above 8 s, none past the deadline."""
    now = 0.0
    retries = Retries(limit, deadline, Pace(lambda: now, lambda _: None, lambda top: top * share))
    pauses = []
    for code in codes:
        pause = retries.pause(refusal(503, code, "no", retry_after=None))
        if pause is None:
            break
        pauses.append(pause)
        now += pause
    assert len(pauses) <= limit
    assert all(0 <= pause <= 8 for pause in pauses)
    assert now <= deadline
