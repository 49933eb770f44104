"""Values that are kept for a while, and when they are not."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from scaivault_sdk import CacheConfig
from scaivault_sdk.errors import APIError, ConnectError, ServiceUnavailableError
from tests.support.clients import Clients, refused


class Versions:
    """A vault whose secrets get a further version with every read."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.fault: httpx.Response | Exception | None = None

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is not None:
            return self.fault
        path = request.url.path.split("secrets/", 1)[1]
        if request.method == "GET":
            tenant = request.headers.get("x-tenant-id", "")
            self.reads.append(f"{tenant}:{request.url.path}")
        body = {"path": path, "version": len(self.reads), "data": {"n": [1]}, "created": False}
        return httpx.Response(200, json={**body, "deleted": True, "permanent": False})


@pytest.fixture
def server() -> Versions:
    return Versions()


def cached(clients: Clients, server: Versions, **config: Any) -> Any:
    return clients.mocked(server, cache=CacheConfig(**config), max_retries=0)


def test_a_value_is_served_for_its_time(clients: Clients, server: Versions) -> None:
    client = cached(clients, server, ttl=60)
    assert [client.secrets.read("a").version for _ in range(3)] == [1, 1, 1]
    clients.pass_time(59)
    assert client.secrets.read("a").version == 1
    clients.pass_time(1)
    assert client.secrets.read("a").version == 2


def test_without_a_cache_each_read_asks(clients: Clients, server: Versions) -> None:
    client = clients.mocked(server)
    assert [client.secrets.read("a").version for _ in range(2)] == [1, 2]


def test_versions_are_not_kept(clients: Clients, server: Versions) -> None:
    client = cached(clients, server)
    client.secrets.read("a")
    client.secrets.read("a", version=1)
    client.secrets.read("a", version=1)
    assert len(server.reads) == 3


def test_what_a_caller_changes_stays_his(clients: Clients, server: Versions) -> None:
    client = cached(clients, server)
    client.secrets.read("a").data["n"].append("mine")
    client.secrets.read("a").data["m"] = "mine"
    assert client.secrets.read("a").data == {"n": [1]}


@pytest.mark.parametrize(
    "change",
    [
        lambda secrets: secrets.write("a", {}),
        lambda secrets: secrets.rotate("a", new_value={}),
        lambda secrets: secrets.delete("a"),
        lambda secrets: secrets.update("a", lambda data: data),
    ],
)
def test_a_change_through_this_client_drops_the_value(
    clients: Clients, server: Versions, change: Any
) -> None:
    client = cached(clients, server)
    client.secrets.read("a")
    change(client.secrets)
    before = len(server.reads)
    client.secrets.read("a")
    assert len(server.reads) == before + 1


def test_a_failed_change_drops_it_too(clients: Clients, server: Versions) -> None:
    client = cached(clients, server)
    client.secrets.read("a")
    server.fault = httpx.ReadTimeout("perhaps written")
    with pytest.raises(Exception, match="no answer"):
        client.secrets.write("a", {})
    server.fault = None
    assert client.secrets.read("a").version == 2


@pytest.mark.parametrize(
    "away", [refused(503, "service_unavailable"), refused(502, "upstream_error"),
             refused(429, "rate_limited"), httpx.ConnectError("x"), httpx.ReadTimeout("x")]
)  # fmt: skip
def test_an_older_value_stands_in_while_the_server_is_away(
    clients: Clients, server: Versions, away: Any
) -> None:
    client = cached(clients, server, ttl=60, stale_if_error=60)
    client.secrets.read("a")
    server.fault = away
    if isinstance(away, httpx.Response):
        server.fault = httpx.Response(away.status_code, content=away.content)
    clients.pass_time(119)
    assert client.secrets.read("a").version == 1


def test_but_not_for_ever(clients: Clients, server: Versions) -> None:
    client = cached(clients, server, ttl=60, stale_if_error=60)
    client.secrets.read("a")
    server.fault = httpx.ConnectError("x")
    clients.pass_time(120)
    with pytest.raises(ConnectError):
        client.secrets.read("a")


def test_by_default_no_older_value_is_shown(clients: Clients, server: Versions) -> None:
    client = cached(clients, server, ttl=60)
    client.secrets.read("a")
    server.fault = refused(503, "service_unavailable")
    clients.pass_time(60)
    with pytest.raises(ServiceUnavailableError):
        client.secrets.read("a")


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, "token_revoked"), (403, "access_denied"), (404, "secret_not_found"),
     (410, "secret_expired")],
)  # fmt: skip
def test_what_is_refused_is_forgotten(
    clients: Clients, server: Versions, status: int, code: str
) -> None:
    client = cached(clients, server, ttl=60, stale_if_error=3600)
    client.secrets.read("a")
    clients.pass_time(60)
    server.fault = refused(status, code)
    with pytest.raises(APIError):
        client.secrets.read("a")
    server.fault = httpx.ConnectError("x")
    with pytest.raises(ConnectError):
        client.secrets.read("a")


def test_the_least_recently_used_goes_first(clients: Clients, server: Versions) -> None:
    client = cached(clients, server, max_entries=2)
    for path in ("a", "b", "a", "c"):
        client.secrets.read(path)
    before = len(server.reads)
    client.secrets.read("a")
    assert len(server.reads) == before
    client.secrets.read("b")
    assert len(server.reads) == before + 1


def test_tenants_and_the_partner_are_kept_apart(clients: Clients, server: Versions) -> None:
    client = cached(clients, server)
    view = client.for_tenant("tnt_b")
    for secrets in (client.secrets, view.secrets, client.partner.secrets) * 2:
        secrets.read("a")
    assert server.reads == [":/v1/secrets/a", "tnt_b:/v1/secrets/a", ":/v1/partner/secrets/a"]
