"""Connections and token sources, by the client's keywords."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import httpx

from scaivault_sdk._async.tokens import IssuedToken, ProvidedToken, Secret, StaticToken
from scaivault_sdk._async.transport import Tokens
from scaivault_sdk._settings import Address, tls_context
from scaivault_sdk._version import USER_AGENT
from scaivault_sdk.errors import ConfigurationError


def connected(
    address: Address,
    *,
    ca_file: str | None,
    client_cert: str | tuple[str, str] | None,
    proxy: str | None,
    user_agent: str | None,
    max_connections: int,
    transport: httpx.AsyncBaseTransport | None,
) -> httpx.AsyncClient:
    """An httpx client that follows no redirect and reads no proxy, ``.netrc`` or CA from the
    environment: a token must reach the named server or nobody."""
    if transport is None:
        transport = httpx.AsyncHTTPTransport(
            verify=tls_context(address, ca_file, client_cert),
            limits=httpx.Limits(
                max_connections=max_connections, max_keepalive_connections=max_connections
            ),
            proxy=proxy,
            uds=address.socket,
            trust_env=False,
        )
    return httpx.AsyncClient(
        transport=transport,
        headers={"User-Agent": user_agent or USER_AGENT},
        follow_redirects=False,
        trust_env=False,
    )


def token_source(
    token: str | None,
    provider: Callable[[], Any] | None,
    client_id: str | None,
    client_secret: Secret | None,
    scope: Sequence[str] | None,
    address: Address,
    endpoint: Address | None,
) -> Tokens:
    """The one that was asked for; ``ConfigurationError`` when that is more than one."""
    if sum(given is not None for given in (token, provider, client_id)) > 1:
        raise ConfigurationError("give one of token, token_provider and client_id, not several")
    if provider is not None:
        return ProvidedToken(provider)
    if client_id is None:
        if client_secret is not None:
            raise ConfigurationError("client_secret needs client_id")
        return StaticToken(token)
    if not client_secret:
        raise ConfigurationError("client_id needs client_secret")
    form = {"grant_type": "client_credentials", "client_id": client_id}
    if scope:
        form["scope"] = scope if isinstance(scope, str) else " ".join(scope)
    return IssuedToken(form, client_secret, address, endpoint)
