"""Where tokens come from, how long they serve, and where the client secret goes."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest

from scaivault.clock import SECOND, FakeClock
from scaivault_sdk._local import BASE_URL, LocalTransport, LocalVault
from scaivault_sdk.errors import (
    AuthenticationError,
    ConfigurationError,
    ServiceUnavailableError,
    TokenExpiredError,
    TokenRevokedError,
)
from tests.support.clients import URL, Clients, refused

SECRET = "sks_secret"


class Issuer:
    """A vault that hands out numbered tokens, and answers every other call with its path."""

    def __init__(self, endpoint: str = f"{URL}/oauth/token", own: str = URL) -> None:
        self.config = {"token_endpoint": endpoint, "exchange_endpoint": f"{own}/v1/auth/exchange"}
        self.issued = 0
        self.life: int | None = 1000
        self.forms: list[tuple[str, dict[str, list[str]]]] = []
        self.bearers: list[str | None] = []
        self.expired: set[str] = set()
        self.revoked: set[str] = set()
        self.away = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        url = str(request.url)
        if url == f"{URL}/v1/auth/config":
            assert "authorization" not in request.headers
            return httpx.Response(200, json=self.config)
        if b"client_secret" in request.content:
            return self._issue(url, request)
        bearer = request.headers.get("authorization", "").removeprefix("Bearer ") or None
        self.bearers.append(bearer)
        if bearer in self.expired:
            return refused(401, "token_expired")
        if bearer in self.revoked:
            return refused(401, "token_revoked")
        return httpx.Response(200, json={})

    def _issue(self, url: str, request: httpx.Request) -> httpx.Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        assert "authorization" not in request.headers
        assert "idempotency-key" not in request.headers
        if self.away:
            return refused(503, "service_unavailable")
        self.forms.append((url, parse_qs(request.content.decode())))
        self.issued += 1
        body: dict[str, Any] = {"access_token": f"token-{self.issued}", "token_type": "Bearer"}
        if self.life is not None:
            body["expires_in"] = self.life
        return httpx.Response(200, json=body)


def exchanging(clients: Clients, issuer: Issuer, **settings: Any) -> Any:
    return clients.mocked(issuer, token=None, client_id="sa_1", client_secret=SECRET, **settings)


def test_credentials_are_exchanged_once_for_many_calls(clients: Clients) -> None:
    issuer = Issuer()
    client = exchanging(clients, issuer, scope=["secrets:read", "secrets:list"])
    for _ in range(3):
        client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1"] * 3
    assert issuer.forms == [
        (
            f"{URL}/oauth/token",
            {
                "grant_type": ["client_credentials"],
                "client_id": ["sa_1"],
                "client_secret": [SECRET],
                "scope": ["secrets:read secrets:list"],
            },
        )
    ]


def test_renewed_at_four_fifths_of_its_life(clients: Clients) -> None:
    issuer = Issuer()
    client = exchanging(clients, issuer)
    client.request("GET", "/v1/x")
    clients.pass_time(799)
    client.request("GET", "/v1/x")
    clients.pass_time(1)
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1", "token-1", "token-2"]


def test_an_issuer_that_is_away_matters_only_when_the_token_ends(clients: Clients) -> None:
    issuer = Issuer()
    client = exchanging(clients, issuer, max_retries=0)
    client.request("GET", "/v1/x")
    issuer.away = True
    clients.pass_time(850)
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1", "token-1"]
    clients.pass_time(150)
    with pytest.raises(ServiceUnavailableError):
        client.request("GET", "/v1/x")
    issuer.away = False
    client.request("GET", "/v1/x")
    assert issuer.bearers[-1] == "token-2"


def test_an_answer_without_a_life_means_an_hour(clients: Clients) -> None:
    issuer = Issuer()
    issuer.life = None
    client = exchanging(clients, issuer)
    client.request("GET", "/v1/x")
    clients.pass_time(2879)
    client.request("GET", "/v1/x")
    clients.pass_time(1)
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1", "token-1", "token-2"]


def test_an_expired_token_is_replaced_once(clients: Clients) -> None:
    issuer = Issuer()
    issuer.expired = {"token-1"}
    client = exchanging(clients, issuer)
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1", "token-2"]
    issuer.expired = {"token-2", "token-3"}
    with pytest.raises(TokenExpiredError):
        client.request("GET", "/v1/x")
    assert issuer.bearers[2:] == ["token-2", "token-3"]


def test_a_secret_that_is_replaced_is_asked_for_again(clients: Clients) -> None:
    issuer, kept = Issuer(), ["sks_old"]

    def secret() -> str:
        return kept[0]

    client = clients.mocked(issuer, token=None, client_id="sa_1", client_secret=secret)
    client.request("GET", "/v1/x")
    kept[0] = "sks_new"
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["token-1"] * 2
    issuer.revoked = {"token-1"}
    client.request("GET", "/v1/x")
    assert issuer.bearers[2:] == ["token-1", "token-2"]
    assert [form["client_secret"] for _, form in issuer.forms] == [["sks_old"], ["sks_new"]]


@pytest.mark.parametrize("secret", [SECRET, lambda: SECRET])
def test_a_revoked_token_of_the_same_secret_is_not_replaced(clients: Clients, secret: Any) -> None:
    issuer = Issuer()
    issuer.revoked = {"token-1"}
    client = clients.mocked(issuer, token=None, client_id="sa_1", client_secret=secret)
    with pytest.raises(TokenRevokedError):
        client.request("GET", "/v1/x")
    assert (issuer.bearers, issuer.issued) == (["token-1"], 1)


@pytest.mark.parametrize("bad", [None, "", 7])
def test_a_function_for_the_secret_must_give_one(clients: Clients, bad: Any) -> None:
    client = clients.mocked(Issuer(), token=None, client_id="sa_1", client_secret=lambda: bad)
    with pytest.raises(ConfigurationError, match="client_secret"):
        client.request("GET", "/v1/x")


def test_the_idempotency_key_outlives_the_token(clients: Clients) -> None:
    issuer, keys = Issuer(), []
    issuer.expired = {"token-1"}

    def server(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            keys.append(request.headers["idempotency-key"])
        return issuer(request)

    client = clients.mocked(server, token=None, client_id="sa_1", client_secret=SECRET)
    client.request("PUT", "/v1/x", body={})
    assert len(keys) == 2
    assert len(set(keys)) == 1


def test_a_token_that_is_given_is_not_replaced(clients: Clients) -> None:
    issuer = Issuer()
    issuer.expired = {"skt_test"}
    with pytest.raises(TokenExpiredError):
        clients.mocked(issuer).request("GET", "/v1/x")
    assert issuer.bearers == ["skt_test"]


def test_a_provider_is_asked_for_each_call(clients: Clients) -> None:
    issuer, tokens = Issuer(), iter(["a", "b", "c", "d"])
    issuer.expired = {"b"}
    client = clients.mocked(issuer, token=None, token_provider=lambda: next(tokens))
    client.request("GET", "/v1/x")
    client.request("GET", "/v1/x")
    assert issuer.bearers == ["a", "b", "d"]


def test_a_provider_may_be_a_coroutine_for_the_asynchronous_client(clients: Clients) -> None:
    async def provider() -> str:
        return "later"

    if clients.kind == "async":
        issuer = Issuer()
        clients.mocked(issuer, token=None, token_provider=provider).request("GET", "/v1/x")
        assert issuer.bearers == ["later"]


@pytest.mark.parametrize("bad", [None, 7, "", "two words", "line\nbreak"])
def test_a_provider_must_give_a_token(clients: Clients, bad: Any) -> None:
    client = clients.mocked(Issuer(), token=None, token_provider=lambda: bad)
    with pytest.raises(ConfigurationError):
        client.request("GET", "/v1/x")


def test_open_calls_carry_no_token(clients: Clients) -> None:
    issuer = Issuer()
    client = exchanging(clients, issuer)
    with pytest.raises(Exception, match="lacks"):
        client.system.health()
    assert (issuer.bearers, issuer.issued) == ([None], 0)


# -- where the secret goes ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "endpoint",
    ["https://vault.internal:8443/oauth/token", "https://vault.internal:8443/v1/auth/token"],
)
def test_a_vault_under_another_name_is_asked_at_the_address_we_know(
    clients: Clients, endpoint: str
) -> None:
    issuer = Issuer(endpoint, own="https://vault.internal:8443")
    exchanging(clients, issuer).request("GET", "/v1/x")
    assert [url for url, _ in issuer.forms] == [
        URL + endpoint.removeprefix("https://vault.internal:8443")
    ]


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evil.example/oauth/token",
        "http://vault.example.net/oauth/token",
        "https://vault.example.net:444/oauth/token",
        "https://vault.example.net@evil.example/oauth/token",
        "//evil.example/oauth/token",
        "javascript:alert(1)",
        f"{URL}/v1/secrets/log",
    ],
)
def test_the_secret_never_goes_where_a_config_answer_says(clients: Clients, endpoint: str) -> None:
    issuer = Issuer(endpoint)
    with pytest.raises(ConfigurationError) as caught:
        exchanging(clients, issuer).request("GET", "/v1/x")
    assert SECRET not in str(caught.value)
    assert issuer.forms == []


def test_an_endpoint_that_the_caller_names_is_trusted(clients: Clients) -> None:
    issuer = Issuer("https://evil.example/oauth/token")
    endpoint = "https://login.example.net/realm/token"
    exchanging(clients, issuer, token_endpoint=endpoint).request("GET", "/v1/x")
    assert [url for url, _ in issuer.forms] == [endpoint]


def test_but_not_in_clear(clients: Clients) -> None:
    with pytest.raises(ConfigurationError, match="token_endpoint is plain http"):
        exchanging(clients, Issuer(), token_endpoint="http://login.example.net/token")


def test_a_refused_exchange_is_an_authentication_error(clients: Clients) -> None:
    def server(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/auth/config":
            return httpx.Response(200, json=Issuer().config)
        return httpx.Response(401, json={"error": "invalid_client", "error_description": "no"})

    client = clients.mocked(server, token=None, client_id="sa_1", client_secret=SECRET)
    with pytest.raises(AuthenticationError) as caught:
        client.request("GET", "/v1/x")
    assert caught.value.code == "invalid_client"
    assert SECRET not in repr(caught.value) + str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"token": "a", "client_id": "b", "client_secret": "c"},
        {"token": "a", "token_provider": lambda: "b"},
        {"token": None, "client_id": "b"},
        {"token": None, "client_secret": "c"},
        {"token": "two words"},
        {"token": ""},
        {"token": "schlüssel"},
    ],
)
def test_credentials_that_cannot_work_are_refused(
    clients: Clients, settings: dict[str, Any]
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        clients.mocked(Issuer(), **settings)
    assert "two words" not in str(caught.value)


def test_against_the_real_issuer(
    clients: Clients, client: Any, vault: LocalVault, fresh: str
) -> None:
    account = client.identity.create_service_account(fresh, ["secrets:read", "secrets:list"])
    made = client.identity.create_credentials(account.id)
    assert made.client_secret not in repr(made)
    program = clients.made(
        BASE_URL,
        client_id=made.client_id,
        client_secret=made.client_secret,
        scope=["secrets:read"],
        transport=LocalTransport(vault),
    )
    who = program.auth.whoami()
    assert (who.identity_id, who.scopes) == (f"sa:{fresh}", ["secrets:read"])
    assert program.auth.get_token().id == who.token_id
    program.auth.revoke_token("self")
    with pytest.raises(AuthenticationError):
        program.auth.whoami()


def test_renewed_by_the_real_issuer_in_time_and_when_it_says_so(clients: Clients) -> None:
    clock = FakeClock()
    vault = LocalVault(clock)
    try:
        root = clients.made(BASE_URL, token=vault.root_token, transport=LocalTransport(vault))
        account = root.identity.create_service_account("job", ["secrets:read"])
        made = root.identity.create_credentials(account.id)
        program = clients.made(
            BASE_URL,
            client_id=made.client_id,
            client_secret=made.client_secret,
            transport=LocalTransport(vault),
        )
        first = program.auth.whoami().token_id
        clients.pass_time(2879)
        assert program.auth.whoami().token_id == first
        clients.pass_time(1)
        second = program.auth.whoami().token_id
        # The server's clock alone goes on: only its refusal tells that the token is over.
        clock.advance(2 * 3600 * SECOND)
        third = program.auth.whoami().token_id
        assert len({first, second, third}) == 3
    finally:
        vault.close()
