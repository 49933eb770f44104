"""From an HTTP response to an answer, or to the exception that it means."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from scaivault_sdk.errors import (
    ConnectError,
    RequestTimeout,
    ScaiVaultError,
    TransportError,
    refusal,
)
from scaivault_sdk.models.common import Answer, LongInteger, RateLimit, decoded

if TYPE_CHECKING:
    import httpx

    from scaivault_sdk._calls import Call

log = logging.getLogger("scaivault_sdk")


def log_to_stderr() -> None:
    """Method, target, status and time of every request on stderr; never a value."""
    if not any(isinstance(handler, _Stderr) for handler in log.handlers):
        log.addHandler(_Stderr())
        log.setLevel(logging.DEBUG)


class _Stderr(logging.Handler):
    """Whatever ``sys.stderr`` is by then."""

    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"debug: {record.getMessage()}\n")


def judged(call: Call, response: httpx.Response) -> Answer | ScaiVaultError:
    """The answer, or why there is none; nothing is raised here, so that no exception carries the
    request along."""
    status, content = response.status_code, response.content
    headers = {name.lower(): value for name, value in response.headers.items()}
    try:
        body = decoded(content)
    except LongInteger:
        return TransportError(
            "the answer holds an integer of more digits than Python converts;"
            " sys.set_int_max_str_digits() allows more"
        )
    except ValueError:
        return _foreign(status, headers)
    if status < 300 or status in call.also:
        return Answer(status, headers, content, body)
    return _refused(status, headers, body)


def _refused(status: int, headers: Mapping[str, str], body: Any) -> ScaiVaultError:
    error = body.get("error") if isinstance(body, dict) else None
    if isinstance(error, dict) and isinstance(error.get("code"), str):
        details = error.get("details")
        return refusal(
            status,
            error["code"],
            str(error.get("message", "")),
            details=details if isinstance(details, dict) else None,
            request_id=error.get("request_id") or headers.get("x-request-id"),
            retry_after=_seconds(headers.get("retry-after")),
        )
    if isinstance(error, str) and status >= 400:  # RFC 6749, section 5.2
        described = body.get("error_description")
        message = described if isinstance(described, str) else "the token request was refused"
        return refusal(status, error, message, request_id=headers.get("x-request-id"))
    return _foreign(status, headers)


def _foreign(status: int, headers: Mapping[str, str]) -> ScaiVaultError:
    """Not an answer of ScaiVault: a proxy's page, a redirect, another program."""
    if status >= 400:
        return refusal(
            status,
            "unexpected_answer",
            f"HTTP {status} without the error envelope of ScaiVault; check the address",
            retry_after=_seconds(headers.get("retry-after")),
        )
    redirect = " (redirects are not followed)" if 300 <= status < 400 else ""
    return TransportError(f"HTTP {status}{redirect} is no answer of ScaiVault; check the address")


def _seconds(value: str | None) -> float | None:
    """``Retry-After`` in seconds; its other form, a date, is not used by ScaiVault."""
    if value is None or not value.isascii() or not value.isdigit():
        return None
    return float(value)


def lost(error: httpx.HTTPError | ValueError, seconds: float) -> ScaiVaultError:
    """What a failed exchange means. The text of the cause is kept, the cause is not: it holds the
    request with its token."""
    import httpx

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return ConnectError(f"the server{_place(error)} does not answer")
    if isinstance(error, httpx.TimeoutException):
        return RequestTimeout(f"no answer within {seconds:.0f} s; the call may still have worked")
    if isinstance(error, httpx.ProxyError | httpx.NetworkError | httpx.RemoteProtocolError):
        return ConnectError(f"no connection{_place(error, 'to')}: {_reason(error)}")
    # Not its text: h11 quotes the header that it refuses.
    return TransportError(f"the call could not be made ({type(error).__name__})")


def _place(error: httpx.HTTPError, word: str = "at") -> str:
    """Where the call went: host and port, and nothing else of the address. Nothing for a socket
    or a vault in this process, whose host is a stand-in."""
    try:
        place = error.request.url.netloc.decode("ascii")
    except RuntimeError:  # the transport did not say
        return ""
    return "" if place == "localhost" else f" {word} {place}"


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def rate_limit(headers: Mapping[str, str]) -> RateLimit | None:
    """The ``X-RateLimit-*`` headers; None where a call counts against nothing."""
    try:
        return RateLimit(
            int(headers["x-ratelimit-limit"]),
            int(headers["x-ratelimit-remaining"]),
            int(headers["x-ratelimit-reset"]),
        )
    except (KeyError, ValueError):
        return None
