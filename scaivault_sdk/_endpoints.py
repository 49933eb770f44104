"""To whom a client secret may be sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from scaivault_sdk._calls import Call
from scaivault_sdk._settings import Address, origin_of
from scaivault_sdk.errors import ConfigurationError, TransportError


def token_call(address: Address, config: Any = None) -> Call:
    """The token request, without its form.

    Without ``config``, ``address`` is the endpoint that the caller named. With it, ``address`` is
    the client's own and ``config`` the answer of ``GET /v1/auth/config``, which is not trusted
    with a secret:

    1. An endpoint of the vault's own origin, or of the one under which the vault knows itself (its
       ``exchange_endpoint`` has the same), is called by its path at the client's own address: the
       vault may stand behind a forwarded port, a Unix socket or another name.
    2. Any other belongs to somebody else: ``ConfigurationError``, whoever trusts it names it as
       ``token_endpoint``.
    """
    if config is None:
        return Call("POST", "(token endpoint)", open=True, changes=False, url=address.base)
    endpoint = config.get("token_endpoint") if isinstance(config, Mapping) else None
    if not isinstance(endpoint, str):
        raise TransportError("GET /v1/auth/config names no token_endpoint; is this ScaiVault?")
    try:
        origin, path = origin_of(endpoint), urlsplit(endpoint).path
    except ValueError:
        raise ConfigurationError("the vault names a token_endpoint that is no address") from None
    if origin not in (address.origin, _own_origin(config)):
        raise ConfigurationError(
            f"the vault names a token endpoint on another host, {endpoint}; "
            "pass it as token_endpoint if your client secret may go there"
        )
    return Call("POST", _known(path), open=True, changes=False)


def _own_origin(config: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """Where the vault says that it stands itself."""
    own = config.get("exchange_endpoint")
    try:
        return origin_of(own) if isinstance(own, str) else None
    except ValueError:
        return None


def _known(path: str) -> str:
    """Both spellings of the vault's own token endpoint; a base address with a path in front of it
    is cut off, the client has its own."""
    for known in ("/oauth/token", "/v1/auth/token"):
        if path.endswith(known):
            return known
    raise ConfigurationError(f"the vault names a token endpoint that it does not have: {path}")
