# Made by scripts/sdk from scaivault_sdk/_async/cached.py; change it there.
"""Reads that may be answered from memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scaivault_sdk._cache import Cache
from scaivault_sdk._pace import Pace
from scaivault_sdk.errors import (
    AuthenticationError,
    InternalServerError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ScaiVaultError,
    SecretExpiredError,
    ServiceUnavailableError,
    TransportError,
    UpstreamError,
)
from scaivault_sdk.models.secrets import Secret

# Not now: an older value may stand in.
_AWAY = (
    TransportError,
    RateLimitError,
    InternalServerError,
    UpstreamError,
    ServiceUnavailableError,
)
# Not any more: no older value may be shown.
_GONE = (AuthenticationError, PermissionDeniedError, NotFoundError, SecretExpiredError)


class CachedReads:
    """The cache as one tenant's client sees it."""

    def __init__(
        self, cache: Cache[Secret], tenant_id: str | None, pace: Callable[[], Pace]
    ) -> None:
        self._cache = cache
        self._tenant = tenant_id or ""
        self._pace = pace

    def drop(self, target: str) -> None:
        """Forget what was read from a target."""
        self._cache.drop((self._tenant, target))

    def read(self, target: str, ask: Callable[[], Any]) -> Secret:
        """What is kept, else what ``ask`` gives, else what is kept for longer."""
        key = (self._tenant, target)
        kept = self._cache.fresh(key, self._pace().monotonic())
        if kept is not None:
            return kept
        asked = self._pace().monotonic()
        fault: ScaiVaultError
        try:
            secret: Secret = ask()
        except _GONE:
            self._cache.drop(key)
            raise
        except _AWAY as error:
            fault = error
        else:
            self._cache.keep(key, secret, asked)
            return secret
        stale = self._cache.stale(key, self._pace().monotonic())
        if stale is None:
            raise fault
        return stale
