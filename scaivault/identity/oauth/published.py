"""What anybody may know of the local issuer."""

from __future__ import annotations

from typing import Any, Final

from scaivault.identity.issuer import Issuer
from scaivault.identity.model import SCOPES
from scaivault.wire import identity as wire
from scaivault.wire.grants import GRANT

_GRANTS: Final = ("client_credentials", GRANT)


class Published:
    """``base_url``: where clients reach this vault."""

    def __init__(self, issuer: Issuer, base_url: str) -> None:
        self._issuer: Final = issuer
        self._base: Final = base_url.rstrip("/")

    def _grants(self) -> list[str]:
        return list(_GRANTS) if self._issuer.enabled else []

    async def config(self, _caller: Any, _request: wire.Nothing) -> wire.IssuerConfig:
        """Where a client gets a token: the local issuer and its endpoints."""
        return wire.IssuerConfig(
            issuer=self._issuer.name,
            token_endpoint=f"{self._base}/oauth/token",
            jwks_uri=f"{self._base}/.well-known/jwks.json",
            exchange_endpoint=f"{self._base}/v1/auth/exchange",
            grant_types_supported=self._grants(),
        )

    async def key_set(self, _caller: Any, _request: wire.Nothing) -> wire.KeySet:
        """RFC 7517: the keys that sign access tokens."""
        return wire.KeySet(self._issuer.published())

    async def discovery(self, _caller: Any, _request: wire.Nothing) -> wire.OpenIdConfiguration:
        """OpenID Connect Discovery 1.0."""
        return wire.OpenIdConfiguration(
            issuer=self._issuer.name,
            token_endpoint=f"{self._base}/oauth/token",
            jwks_uri=f"{self._base}/.well-known/jwks.json",
            grant_types_supported=self._grants(),
            token_endpoint_auth_methods_supported=["client_secret_post", "client_secret_basic"],
            scopes_supported=list(SCOPES),
            id_token_signing_alg_values_supported=["ES256"],
            response_types_supported=[],
            subject_types_supported=["public"],
        )
