"""The client itself: addresses, TLS, environment, tenants, the pin, raw calls, its end."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest

import scaivault_sdk
from scaivault_sdk import ScaiVaultClient, SyncScaiVaultClient, log_to_stderr
from scaivault_sdk._answers import log
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk._settings import checked_address, tls_context
from scaivault_sdk.errors import ConfigurationError, TenantAccessError
from tests.support.clients import URL, Clients, Script, refused
from tests.support.house import House
from tests.support.tenants import found_tenant


def ok(body: Any = None) -> httpx.Response:
    return httpx.Response(200, json=body or {})


# -- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["https://v.example", "https://v.example:8443/", "http://127.0.0.1:1", "http://[::1]:1",
     "http://localhost:8443", "https://proxy.example/vault", "unix:/run/scaivault.sock"],
)  # fmt: skip
def test_addresses_that_work(clients: Clients, url: str) -> None:
    clients.made(url, token="t").close()


@pytest.mark.parametrize(
    "url",
    ["http://v.example", "http://10.0.0.1:8443", "http://localhost.evil.example", "ftp://v.example",
     "v.example", "https://", "https://u:p@v.example", "https://v.example?x=1", "https://v#x", "",
     "http://127.0.0.1.evil.example", "https://v.example:port"],
)  # fmt: skip
def test_addresses_that_do_not(clients: Clients, url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        clients.made(url, token="t")


def test_plain_http_is_a_decision(clients: Clients) -> None:
    clients.made("http://v.example", token="t", allow_http=True).close()


def test_a_base_address_may_have_a_path(clients: Clients) -> None:
    server = Script(ok())
    clients.mocked(server, base_url="https://proxy.example/vault/").request("GET", "/v1/x")
    assert str(server.asked[0].url) == "https://proxy.example/vault/v1/x"


def test_certificates_are_verified_always(tmp_path: Path) -> None:
    context = tls_context(checked_address(URL, allow_http=False), None, None)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    (tmp_path / "broken.pem").write_text("no certificate")
    for ca_file in (tmp_path / "missing.pem", tmp_path / "broken.pem"):
        with pytest.raises(ConfigurationError, match="ca_file"):
            SyncScaiVaultClient(URL, ca_file=str(ca_file))
    with pytest.raises(ConfigurationError, match="client_cert"):
        SyncScaiVaultClient(URL, client_cert=str(tmp_path / "missing.pem"))


def test_headers(clients: Clients) -> None:
    server = Script(ok(), ok())
    clients.mocked(server, user_agent="shop/7", tenant_id="tnt_a").request("GET", "/v1/x")
    headers = server.asked[0].headers
    assert headers["user-agent"] == "shop/7"
    assert headers["authorization"] == "Bearer skt_test"
    assert headers["x-tenant-id"] == "tnt_a"
    clients.mocked(server).request("GET", "/v1/x")
    assert server.asked[1].headers["user-agent"].startswith("scaivault-sdk/")
    assert "x-tenant-id" not in server.asked[1].headers


# -- environment --------------------------------------------------------------------------------


def test_from_the_environment(clients: Clients, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    server = Script(ok(), ok(), ok())
    env = {"SCAIVAULT_URL": URL, "SCAIVAULT_TOKEN_FILE": str(token), "SCAIVAULT_TENANT_ID": "tnt_a"}
    transport = httpx.MockTransport(server)
    client = clients.seen(clients.cls.from_env(env, transport=transport))
    client.request("GET", "/v1/x")
    token.write_text("second\n")
    client.request("GET", "/v1/x")
    env["SCAIVAULT_TOKEN"] = "wins"
    clients.seen(clients.cls.from_env(env, transport=transport)).request("GET", "/v1/x")
    sent = [request.headers["authorization"] for request in server.asked]
    assert sent == ["Bearer first", "Bearer second", "Bearer wins"]
    assert server.asked[0].headers["x-tenant-id"] == "tnt_a"


def test_the_environment_may_hold_client_credentials(clients: Clients) -> None:
    env = {"SCAIVAULT_URL": URL, "SCAIVAULT_CLIENT_ID": "sa_1"}
    with pytest.raises(ConfigurationError, match="client_secret"):
        clients.cls.from_env(env)
    clients.seen(clients.cls.from_env({**env, "SCAIVAULT_CLIENT_SECRET": "s"})).close()


def test_the_environment_must_name_a_vault(clients: Clients) -> None:
    with pytest.raises(ConfigurationError, match="SCAIVAULT_URL"):
        clients.cls.from_env({"SCAIVAULT_TOKEN": "t"})


def test_the_constructor_reads_no_environment(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCAIVAULT_TOKEN", "theirs")
    monkeypatch.setenv("SCAIVAULT_TENANT_ID", "tnt_theirs")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example")
    server = Script(ok())
    clients.mocked(server, token=None).request("GET", "/v1/x")
    assert "authorization" not in server.asked[0].headers
    assert "x-tenant-id" not in server.asked[0].headers


def test_a_token_file_that_is_missing_is_told_when_it_is_needed(clients: Clients) -> None:
    env = {"SCAIVAULT_URL": URL, "SCAIVAULT_TOKEN_FILE": "/nowhere/token"}
    client = clients.seen(clients.cls.from_env(env, transport=httpx.MockTransport(Script())))
    with pytest.raises(ConfigurationError, match="/nowhere/token"):
        client.request("GET", "/v1/x")


def test_debug_shows_calls_and_no_values(
    clients: Clients, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        log_to_stderr()
        log_to_stderr()
        server = Script(ok({"path": "a/b", "version": 1, "created": True}), httpx.ReadTimeout("x"))
        client = clients.mocked(server)
        client.secrets.write("a/b", {"password": "topsecret"})
        with pytest.raises(Exception, match="no answer"):
            client.secrets.list("pre", tag="t")
    finally:
        log.handlers.clear()
    shown = capsys.readouterr().err
    assert shown.splitlines()[0] == "debug: PUT /v1/secrets/a/b 200 0 ms"
    assert len(shown.splitlines()) == 2
    for hidden in ("topsecret", "skt_test", "pre"):
        assert hidden not in shown


# -- tenants ------------------------------------------------------------------------------------


async def test_a_view_acts_in_another_tenant(house: House) -> None:
    tenant = await found_tenant(house, "other")
    transport = httpx.ASGITransport(house.app)
    async with ScaiVaultClient(
        "http://localhost", token=house.token, transport=transport
    ) as client:
        view = client.for_tenant(tenant.id)
        await view.secrets.write("app/db", {"of": "other"})
        assert not await client.secrets.exists("app/db")
        await view.close()
        assert (await view.secrets.read("app/db"))["of"] == "other"
    stranger = await house.client("stranger", ["secrets:read"])
    async with ScaiVaultClient(
        "http://localhost", token=stranger, tenant_id=tenant.id, transport=transport
    ) as client:
        with pytest.raises(TenantAccessError):
            await client.secrets.read("app/db")


class Directory:
    """Who is calling, and whose the tenants are."""

    def __init__(self, partner: str, roles: list[str], tenants: dict[str, str]) -> None:
        self.who = {"tenant_id": "tnt_own", "partner_id": partner, "roles": roles}
        self.tenants = tenants
        self.asked: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        if path == "/v1/auth/whoami":
            return ok(self.who)
        if path.startswith("/v1/identity/tenants/"):
            partner = self.tenants.get(path.rpartition("/")[2])
            return ok({"partner_id": partner}) if partner else refused(404, "tenant_not_found")
        return ok()


@pytest.mark.parametrize(
    ("partner", "roles", "tenant", "allowed"),
    [
        ("ptn_a", [], None, True),
        ("ptn_a", [], "tnt_own", True),
        ("ptn_a", ["partner_admin"], "tnt_b", True),
        ("ptn_b", [], None, False),
        ("ptn_b", ["super_admin"], "tnt_own", False),
        ("ptn_b", ["super_admin"], "tnt_a", True),
        ("ptn_a", ["super_admin"], "tnt_b", False),
        ("ptn_a", ["super_admin"], "tnt_unknown", False),
    ],
)
def test_the_pin_holds_the_partner(
    clients: Clients, partner: str, roles: list[str], tenant: str | None, allowed: bool
) -> None:
    server = Directory(partner, roles, {"tnt_a": "ptn_a", "tnt_b": "ptn_b"})
    client = clients.mocked(server, tenant_id=tenant, partner_id="ptn_a")
    if allowed:
        client.request("GET", "/v1/x")
        before = len(server.asked)
        client.request("GET", "/v1/x")
        assert len(server.asked) == before + 1
    else:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="ptn_a"):
                client.request("GET", "/v1/x")
        assert "/v1/x" not in server.asked


def test_a_view_is_held_by_the_pin_too(clients: Clients) -> None:
    server = Directory("ptn_a", ["super_admin"], {"tnt_b": "ptn_b"})
    client = clients.mocked(server, partner_id="ptn_a")
    client.request("GET", "/v1/x")
    with pytest.raises(ConfigurationError):
        client.for_tenant("tnt_b").request("GET", "/v1/x")


# -- raw calls, limits, end ---------------------------------------------------------------------


def test_a_raw_call_gives_the_answer_as_it_came(client: Any) -> None:
    answer = client.request("GET", "/v1/secrets", query={"limit": 1, "include_expired": True})
    assert answer.status == 200
    assert answer.text.startswith('{"secrets":[')
    assert answer.headers["x-request-id"].startswith("req_")
    for path in ("v1/secrets", "//evil.example/v1", "https://evil.example/"):
        with pytest.raises(ConfigurationError):
            client.request("GET", path)


def test_the_rate_limit_is_told(clients: Clients) -> None:
    lines = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "7", "X-RateLimit-Reset": "99"}
    server = Script(httpx.Response(200, json={}, headers=lines), ok())
    client = clients.mocked(server)
    assert client.last_rate_limit is None
    client.request("GET", "/v1/x")
    client.request("GET", "/v1/x")
    limit: Any = client.last_rate_limit
    assert (limit.limit, limit.remaining, limit.reset) == (100, 7, 99)


def test_no_credential_is_in_a_repr(clients: Clients) -> None:
    client = clients.mocked(Script(), token="skt_topsecret", tenant_id="tnt_a")
    assert "topsecret" not in repr(client)
    assert "vault.example.net" in repr(client)


def test_both_have_the_same_members() -> None:
    blocking, other = SyncScaiVaultClient(URL), ScaiVaultClient(URL)
    assert set(dir(blocking)) - {"__enter__", "__exit__"} == set(dir(other)) - {
        "__aenter__",
        "__aexit__",
    }
    for name in ("secrets", "policies", "audit", "identity", "auth", "system"):
        assert dir(getattr(blocking, name)) == dir(getattr(other, name))


def test_every_name_that_is_promised_is_there() -> None:
    for name in scaivault_sdk.__all__:
        assert getattr(scaivault_sdk, name).__name__.strip("_")
    assert set(scaivault_sdk.__all__) <= set(dir(scaivault_sdk))
    with pytest.raises(AttributeError):
        scaivault_sdk.Nothing  # noqa: B018 - the access is the test


# -- a vault in this process --------------------------------------------------------------------


def test_a_local_vault_lives_as_long_as_its_client() -> None:
    with SyncScaiVaultClient.local() as client:
        vault = client._transport._http._transport.vault  # type: ignore[attr-defined]
        assert client.root_token is not None
        assert client.root_token.startswith("skt_")
        client.secrets.write("app/db", {"n": 1})
        assert vault.folder.exists()
        view = client.for_tenant(client.auth.whoami().tenant_id or "")
        assert view.secrets.read("app/db")["n"] == 1
    assert not vault.folder.exists()
    assert not vault._thread.is_alive()
    client.close()
    client.aclose()


async def test_a_local_vault_for_asyncio() -> None:
    from scaivault.clock import DAY, FakeClock

    clock = FakeClock()
    async with await ScaiVaultClient.local(clock=clock) as client:
        await client.secrets.write("app/db", {"n": 1}, expires_in="1d")
        assert [item.path async for item in client.secrets.iterate()] == ["app/db"]
        clock.advance(2 * DAY)
        with pytest.raises(Exception, match="secret_expired"):
            await client.secrets.read("app/db")


def test_clients_of_both_kinds_may_share_a_vault(vault: LocalVault, clients: Clients) -> None:
    many = [
        clients.made(BASE_URL, token=vault.root_token, transport=LocalTransport(vault))
        for _ in range(3)
    ]
    assert {client.auth.whoami().identity_id for client in many} == {"sa:root"}
