"""How a client reaches its server: address, TLS, credentials, checked before anything is sent."""

from __future__ import annotations

import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from scaivault_sdk.errors import ConfigurationError

_TOKEN_LIMIT = 65536  # bytes of a token file
CONNECT_TIMEOUT = 5.0
SLOW = 60.0  # seconds for calls in which the server waits for another system, or works long
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Address:
    """``base``: scheme and host, perhaps a path, without a trailing slash. ``socket``: a Unix
    socket that is connected to instead of the host."""

    base: str
    socket: str | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return origin_of(self.base)


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host in lower case, port; ``ValueError`` when it is no HTTP address."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("no HTTP address")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def is_loopback(host: str) -> bool:
    """Whether what is sent there stays on this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_address(url: str, *, allow_http: bool, name: str = "base_url") -> Address:
    """The address; ``ConfigurationError`` for another scheme, for one that carries credentials, a
    query or a fragment, and for plain HTTP to another machine, where a token would cross the
    network in clear."""
    if url.startswith("unix:/"):
        return Address("http://localhost", url.removeprefix("unix:"))
    try:
        parts = urlsplit(url)
        scheme, host, _ = origin_of(url)
    except ValueError:
        raise ConfigurationError(
            f"{name} must be https://host:port, http://127.0.0.1:port or unix:/path"
        ) from None
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigurationError(f"{name} must hold no user, password, query or fragment")
    if scheme == "http" and not (allow_http or is_loopback(host)):
        raise ConfigurationError(
            f"{name} is plain http to another machine; use https, or allow_http=True"
        )
    return Address(url.rstrip("/"))


def checked_header(value: str, name: str) -> str:
    """A value that fits a header line. The message never repeats it."""
    if not value or not value.isascii() or not value.isprintable() or " " in value:
        raise ConfigurationError(f"{name} is empty or holds characters that it cannot have")
    return value


def tls_context(
    address: Address, ca_file: str | None, client_cert: str | tuple[str, str] | None
) -> ssl.SSLContext:
    """Verifies always; ``ca_file`` (PEM) is trusted instead of the host's CAs."""
    if not address.base.startswith("https:"):
        # Trusts nobody, and spares the 20 ms of loading the host's CAs.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context = ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"ca_file {ca_file} is not a readable PEM file") from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if client_cert is not None:
        files = (client_cert,) if isinstance(client_cert, str) else client_cert
        try:
            context.load_cert_chain(*files)
        except (OSError, ssl.SSLError):
            raise ConfigurationError(
                "client_cert is no readable certificate with its key"
            ) from None
    return context


def token_file(path: str) -> Callable[[], str]:
    """A provider that reads the file each time: whoever renews it needs no word with us."""

    def read() -> str:
        try:
            with open(path, encoding="ascii") as file:
                return file.read(_TOKEN_LIMIT).strip()
        except (OSError, UnicodeDecodeError):
            raise ConfigurationError(f"the token file {path} cannot be read") from None

    return read


def from_environment(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Constructor keywords by the ``SCAIVAULT_*`` variables; empty ones count as not set.

    A token comes before a token file, both before client credentials.
    """
    env = os.environ if environ is None else environ
    names = {
        "base_url": "SCAIVAULT_URL",
        "tenant_id": "SCAIVAULT_TENANT_ID",
        "partner_id": "SCAIVAULT_PARTNER_ID",
        "ca_file": "SCAIVAULT_CACERT",
    }
    found: dict[str, Any] = {keyword: env[name] for keyword, name in names.items() if env.get(name)}
    if env.get("SCAIVAULT_TOKEN"):
        found["token"] = env["SCAIVAULT_TOKEN"]
    elif env.get("SCAIVAULT_TOKEN_FILE"):
        found["token_provider"] = token_file(env["SCAIVAULT_TOKEN_FILE"])
    elif env.get("SCAIVAULT_CLIENT_ID"):
        found["client_id"] = env["SCAIVAULT_CLIENT_ID"]
        found["client_secret"] = env.get("SCAIVAULT_CLIENT_SECRET")
    return found


def debugging(environ: Mapping[str, str] | None = None) -> bool:
    """Whether ``SCAIVAULT_DEBUG`` asks for it."""
    return (os.environ if environ is None else environ).get("SCAIVAULT_DEBUG") == "1"
