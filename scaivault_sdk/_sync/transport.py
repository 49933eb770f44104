# Made by scripts/sdk from scaivault_sdk/_async/transport.py; change it there.
"""The way of a call: token, headers, one exchange, and again where that helps."""

from __future__ import annotations

import secrets
from typing import Protocol

import httpx

from scaivault_sdk._answers import judged, log, lost, rate_limit
from scaivault_sdk._calls import Call
from scaivault_sdk._pace import Pace, Retries, pace
from scaivault_sdk._settings import CONNECT_TIMEOUT, SLOW
from scaivault_sdk.errors import ScaiVaultError, TokenExpiredError, TokenRevokedError
from scaivault_sdk.models.common import Answer, RateLimit


class Tokens(Protocol):
    """Where tokens come from. ``renew`` says whether there may be a better one than ``token``,
    which expired or else was revoked."""

    def token(self, transport: Transport, retries: Retries) -> str | None:
        """The token to send; None: none."""

    def renew(self, transport: Transport, retries: Retries, token: str, *, expired: bool) -> bool:
        """Drop a token that is of no use any more."""


class Transport:
    """The connections of a client and of all its views."""

    def __init__(
        self,
        http: httpx.Client,
        base: str,
        tokens: Tokens,
        *,
        timeout: float,
        max_retries: int,
        retry_deadline: float,
    ) -> None:
        self._http = http
        self.base = base
        self._timeout = timeout
        self._max_retries = max_retries
        self._retry_deadline = retry_deadline
        self.tokens = tokens
        self.pace: Pace = pace()
        self.last_rate_limit: RateLimit | None = None

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def call(self, call: Call, headers: dict[str, str]) -> Answer:
        """The answer; ``APIError`` for a refusal, ``TransportError`` when there is none."""
        return self.attempt(call, headers, self.retries())

    def retries(self) -> Retries:
        """The patience for one call from now on."""
        return Retries(self._max_retries, self._retry_deadline, self.pace)

    def attempt(self, call: Call, headers: dict[str, str], retries: Retries) -> Answer:
        """As ``call``, within a patience that began earlier."""
        sent = dict(headers)
        if call.keyed:
            sent["Idempotency-Key"] = secrets.token_hex(16)
        renewed = False
        while True:
            token = None if call.open else self.tokens.token(self, retries)
            if token is not None:
                sent["Authorization"] = f"Bearer {token}"
            got = self._exchange(call, sent, retries)
            if isinstance(got, Answer):
                return got
            ended = isinstance(got, TokenExpiredError | TokenRevokedError)
            if ended and token is not None and not renewed:
                renewed = True
                expired = isinstance(got, TokenExpiredError)
                if self.tokens.renew(self, retries, token, expired=expired):
                    continue
            pause = retries.pause(got)
            if pause is None:
                raise got
            self.pace.sleep(pause)

    def _exchange(
        self, call: Call, headers: dict[str, str], retries: Retries
    ) -> Answer | ScaiVaultError:
        wanted = max(self._timeout, SLOW) if call.slow else self._timeout
        seconds = retries.timeout(call.timeout or wanted)
        started = self.pace.monotonic()
        request = self._request(call, headers, seconds)
        failure: httpx.HTTPError | ValueError | None = None
        try:
            response = self._http.send(request)
        except (httpx.HTTPError, ValueError) as error:
            failure = error
        if failure is not None:
            fault = lost(failure, seconds)
            log.debug("%s %s failed: %s", call.method, call.path, fault)
            return fault
        spent = (self.pace.monotonic() - started) * 1000
        log.debug("%s %s %d %.0f ms", call.method, call.path, response.status_code, spent)
        got = judged(call, response)
        self.last_rate_limit = rate_limit(response.headers) or self.last_rate_limit
        return got

    def _request(self, call: Call, headers: dict[str, str], seconds: float) -> httpx.Request:
        content = call.content()
        kind = {"Content-Type": "application/json"} if content is not None else {}
        return self._http.build_request(
            call.method,
            call.url or self.base + call.path,
            params=call.params() or None,
            content=content,
            data=call.form,
            headers={**headers, **kind},
            timeout=httpx.Timeout(seconds, connect=min(seconds, CONNECT_TIMEOUT)),
        )
