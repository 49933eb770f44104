# Made by scripts/sdk from scaivault_sdk/_async/tokens.py; change it there.
"""Where tokens come from: given, asked for each time, or issued for client credentials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from scaivault_sdk._calls import Call
from scaivault_sdk._endpoints import token_call
from scaivault_sdk._pace import Retries, lock, resolved
from scaivault_sdk._settings import Address, checked_header
from scaivault_sdk._sync.transport import Transport
from scaivault_sdk.errors import (
    ConfigurationError,
    RateLimitError,
    ServiceUnavailableError,
    TransportError,
)

_RENEW_AT = 0.8  # of a token's life


Secret = str | Callable[[], Any]


class StaticToken:
    """One token, or none, for the client's whole life."""

    def __init__(self, token: str | None) -> None:
        self._token = token if token is None else checked_header(token, "token")

    def token(self, transport: Transport, retries: Retries) -> str | None:
        return self._token

    def renew(self, transport: Transport, retries: Retries, token: str, *, expired: bool) -> bool:
        return False


class ProvidedToken:
    """Asks the caller's function for each call; it keeps a token as long as it likes."""

    def __init__(self, provider: Callable[[], Any]) -> None:
        self._provider = provider

    def token(self, transport: Transport, retries: Retries) -> str | None:
        token = resolved(self._provider())
        if not isinstance(token, str):
            raise ConfigurationError("token_provider must give a token as text")
        return checked_header(token, "the token of token_provider")

    def renew(self, transport: Transport, retries: Retries, token: str, *, expired: bool) -> bool:
        return self.token(transport, retries) != token


class IssuedToken:
    """Client credentials (RFC 6749, section 4.4), sent again at 80 % of a token's life.

    ``endpoint`` None: learned from ``GET /v1/auth/config``, once. The secret goes to the client's
    own address, or to an endpoint that the caller named, and nowhere else: see ``token_call``.
    ``secret`` may be a function, asked for each time: when the secret was replaced and the old
    one deleted, the tokens of the old one are revoked, and the new one gives others.
    """

    def __init__(
        self,
        form: Mapping[str, str],
        secret: Secret,
        address: Address,
        endpoint: Address | None,
    ) -> None:
        self._form = form
        self._secret = secret
        self._address = address
        self._call = token_call(endpoint) if endpoint is not None else None
        self._lock = lock()
        self._token: str | None = None
        self._used = ""  # the secret behind the token
        self._renew_at = 0.0
        self._ends_at = 0.0

    def token(self, transport: Transport, retries: Retries) -> str | None:
        with self._lock:
            now = transport.pace.monotonic()
            if self._token is None or now >= self._ends_at:
                self._obtain(transport, retries)
            elif now >= self._renew_at:
                self._refresh(transport, retries)
            return self._token

    def renew(self, transport: Transport, retries: Retries, token: str, *, expired: bool) -> bool:
        with self._lock:
            if self._token != token:  # somebody else was faster
                return True
            if not expired and self._present() == self._used:
                return False
            self._token = None
        return True

    def _present(self) -> str:
        if isinstance(self._secret, str):
            return self._secret
        secret = resolved(self._secret())
        if not isinstance(secret, str) or not secret:
            raise ConfigurationError("the function for client_secret must give it as text")
        return secret

    def _refresh(self, transport: Transport, retries: Retries) -> None:
        """A fresh token while the old one still works: an issuer that is away is no failure yet."""
        try:
            self._obtain(transport, retries)
        except (TransportError, ServiceUnavailableError, RateLimitError):
            left = self._ends_at - transport.pace.monotonic()
            self._renew_at = transport.pace.monotonic() + left / 2
            if left <= 0:
                raise

    def _obtain(self, transport: Transport, retries: Retries) -> None:
        if self._call is None:
            config = Call("GET", "/v1/auth/config", open=True)
            learned = transport.attempt(config, {}, retries)
            self._call = token_call(self._address, learned.body)
        secret = self._present()
        form = {**self._form, "client_secret": secret}
        asked = transport.pace.monotonic()
        answer = transport.attempt(dataclasses.replace(self._call, form=form), {}, retries)
        token, seconds = _issued(answer.body)
        self._token = checked_header(token, "the issued token")
        self._used = secret
        self._renew_at = asked + seconds * _RENEW_AT
        self._ends_at = asked + seconds


def _issued(body: Any) -> tuple[str, float]:
    """Token and life in seconds."""
    token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(token, str):
        raise TransportError("the token endpoint's answer holds no access_token")
    seconds = body.get("expires_in")
    # RFC 6749 leaves it out where it is known otherwise; then the vault's own hour.
    return token, float(seconds) if isinstance(seconds, int | float) else 3600.0
