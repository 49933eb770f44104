"""A small synchronous caller of the API, for the commands that set a vault up and keep it.

It sends one request and gives one answer: no retry, no redirect, no proxy and no ``.netrc``
from the environment (a token must reach the named server or nobody). TLS is always verified;
plain HTTP goes to this machine only, unless asked for.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from scaivault.cli.failure import Failure, exit_of, usage

if TYPE_CHECKING:
    import ssl

    import httpx

# Importing httpx costs about 190 ms and ssl 12 ms, so only a call does.

# What a caller without a token is to do. Commands that know profiles say it otherwise.
NO_TOKEN: Final = "no token arrived: set SCAIVAULT_TOKEN, or give --token-file"
DEFAULT_URL: Final = "http://127.0.0.1:8443"
_URL: Final = "--url (or SCAIVAULT_URL)"
_CONNECT_TIMEOUT: Final = 5.0
_CALL_TIMEOUT: Final = 10.0
# Calls in which the server derives a key from a passphrase or waits for a key service.
SLOW: Final = 60.0


@dataclass(frozen=True)
class Answer:
    """``text`` as received (what ``--json`` prints); ``body`` decoded, ``{}`` when empty."""

    status: int
    text: str
    body: dict[str, Any]


def rows(body: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects listed under ``name``; none when it is missing. ``Failure`` when it holds
    something else: whoever answers here is not ScaiVault."""
    value = body.get(name) or []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise Failure("unexpected_answer", f"the answer's {name} is no list; check --url")
    return value


def _is_loopback(host: str) -> bool:
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def checked_url(url: str, *, allow_http: bool) -> str:
    """The base address without a trailing slash.

    Refused: other schemes, an address that carries credentials, a query or a fragment, and
    plain HTTP to another machine, where the token would cross the network in clear.
    """
    if url.startswith("unix:/"):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        raise usage(f"{_URL} is not an address; expected https://host:port or unix:/path") from None
    if parts.scheme not in ("http", "https") or not host:
        raise usage(f"{_URL} must be https://host:port, http://127.0.0.1:port or unix:/path")
    if parts.username is not None or parts.query or parts.fragment:
        raise usage(f"{_URL} must hold no user, password, query or fragment")
    if parts.scheme == "http" and not (allow_http or _is_loopback(host)):
        raise usage(f"{_URL} is plain http to another machine; use https, or --allow-http")
    return url.rstrip("/")


def checked_token(token: str) -> str:
    """A token that fits a header line. The message never repeats it."""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise usage("the token holds characters that no token has; check its file or variable")
    return token


class Api:
    """The server at one address. ``timeout``, in seconds, overrules what the calls ask for."""

    def __init__(
        self,
        url: str,
        *,
        token: str | None = None,
        ca_file: str | None = None,
        timeout: float | None = None,
        allow_http: bool = False,
        debug: bool = False,
    ) -> None:
        self._url: Final = checked_url(url, allow_http=allow_http)
        self._token: Final = checked_token(token) if token else None
        self._ca_file: Final = ca_file
        self._timeout: Final = timeout
        self._debug: Final = debug
        self._client: httpx.Client | None = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def get(self, path: str, **query: Any) -> Answer:
        return self.call("GET", path, query=query)

    def post(
        self, path: str, body: Mapping[str, Any] | None = None, *, timeout: float = _CALL_TIMEOUT
    ) -> Answer:
        return self.call("POST", path, body=body, timeout=timeout)

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, Any] | None = None,
        timeout: float = _CALL_TIMEOUT,
        also: tuple[int, ...] = (),
    ) -> Answer:
        """One request. ``also``: statuses that are answers here although they refuse elsewhere.

        ``Failure`` for every refusal, with its exit code, and for a server that cannot be
        reached (``connection_failed``), is too slow (``timeout``) or sends something else
        (``unexpected_answer``).
        """
        started = time.monotonic()
        response = self._send(method, path, body, query or {}, self._timeout or timeout)
        if self._debug:
            spent = (time.monotonic() - started) * 1000
            sys.stderr.write(f"debug: {method} {path} {response.status_code} {spent:.0f} ms\n")
        if response.status_code >= 300 and response.status_code not in also:
            raise self._refused(response)
        return self._answer(response)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None,
        query: Mapping[str, Any],
        timeout: float,
    ) -> httpx.Response:
        import httpx

        if self._client is None:
            self._client = self._connect()
        wanted = {name: value for name, value in query.items() if value is not None}
        limits = httpx.Timeout(timeout, connect=min(timeout, _CONNECT_TIMEOUT))
        try:
            return self._client.request(method, path, json=body, params=wanted, timeout=limits)
        except httpx.ConnectTimeout:
            raise Failure("connection_failed", f"{self._url} does not answer") from None
        except httpx.TimeoutException:
            raise Failure(
                "timeout", f"no answer within {timeout:.0f} s; the call may still have worked"
            ) from None
        except httpx.TransportError as error:
            reason = str(error) or type(error).__name__
            raise Failure(
                "connection_failed", f"cannot reach {self._url}: {reason}; {remedy(reason)}"
            ) from None

    def _connect(self) -> httpx.Client:
        import httpx

        headers = {"Accept": "application/json", "User-Agent": "scaivault-cli"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        if self._url.startswith("unix:"):
            base, socket = "http://localhost", self._url.removeprefix("unix:")
        else:
            base, socket = self._url, None
        transport = httpx.HTTPTransport(uds=socket, verify=self._tls(), trust_env=False)
        return httpx.Client(base_url=base, transport=transport, headers=headers, trust_env=False)

    def _tls(self) -> ssl.SSLContext:
        import ssl

        if not self._url.startswith("https:"):
            # Trusts nobody, and spares the 20 ms of loading the host's CAs.
            return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context = ssl.create_default_context(cafile=self._ca_file)
        except (OSError, ssl.SSLError):
            raise usage(f"--ca-file {self._ca_file} is not a readable PEM file") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def _answer(self, response: httpx.Response) -> Answer:
        if not response.content:
            return Answer(response.status_code, "", {})
        body = _decoded(response)
        if body is None:
            raise self._foreign(response)
        return Answer(response.status_code, response.content.decode(), body)

    def _refused(self, response: httpx.Response) -> Failure:
        error = (_decoded(response) or {}).get("error")
        if not isinstance(error, dict) or not isinstance(error.get("code"), str):
            return self._foreign(response)
        return Failure(
            error["code"],
            told(error, NO_TOKEN),
            exit_of(response.status_code),
            request_id=error.get("request_id"),
            envelope=response.content.decode(),
        )

    def _foreign(self, response: httpx.Response) -> Failure:
        redirect = " (redirects are not followed)" if response.is_redirect else ""
        return Failure(
            "unexpected_answer",
            f"{self._url} sent HTTP {response.status_code}{redirect}, which is no answer of "
            "ScaiVault; check --url",
            exit_of(response.status_code),
        )


def _decoded(response: httpx.Response) -> dict[str, Any] | None:
    try:
        body = json.loads(response.content.decode())
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None


def told(error: Mapping[str, Any], no_token: str) -> str:
    """The message, in words of the command line where the server speaks of headers, with what was
    not found; or all fields at fault where it names them."""
    if error.get("code") == "authentication_required":
        return no_token
    details = error.get("details")
    details = details if isinstance(details, dict) else {}
    fields = details.get("fields")
    if isinstance(fields, dict) and fields:
        return "; ".join(f"{name}: {fault}" for name, fault in fields.items())
    return str(error.get("message", "")) + _missing(error, details)


def _missing(error: Mapping[str, Any], details: Mapping[str, Any]) -> str:
    """The one name that was not found: a command may have sent several."""
    named = [value for value in details.values() if isinstance(value, str)]
    missing = str(error.get("code", "")).endswith("_not_found") and len(named) == len(details) == 1
    return f": {named[0]}" if missing else ""


def remedy(reason: str) -> str:
    """What helps when there was no connection."""
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        return "name its CA with --ca-file, and call it by the name in its certificate"
    return "does it speak TLS?" if "SSL" in reason else "is the server running there?"
