"""Answers: status, headers and bytes; the error envelope; what an idempotency key keeps."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, NamedTuple

import msgspec

from scaivault.errors import Refusal, without_tokens
from scaivault.gate.limits import Allowance
from scaivault.http.request import Request

Header = tuple[bytes, bytes]

_JSON: Final = (b"content-type", b"application/json")
_NO_CACHE: Final = (b"pragma", b"no-cache")
COMMON: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
PUBLIC: Final[tuple[Header, ...]] = (
    (b"cache-control", b"max-age=300"),
    (b"x-content-type-options", b"nosniff"),
)
# A year (RFC 6797); sent where TLS ends in this process.
HTTPS_ONLY: Final[Header] = (b"strict-transport-security", b"max-age=31536000")
encode: Final = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """``headers`` are those of this answer only; the endpoint adds the common ones."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (_JSON,)


class Reply(NamedTuple):
    """What leaves for a request, but for what the connection itself has to say. ``head``: header
    lines, each with its end; ``length`` of the body, also where none is sent (HEAD)."""

    status: int
    head: bytes
    body: bytes
    length: int

    @property
    def lines(self) -> list[Header]:
        """The header lines in pairs."""
        pairs = [line.split(b": ", 1) for line in self.head.split(b"\r\n") if line]
        return [(name, value) for name, value in pairs]


Responder = Callable[[Request], Awaitable[Reply | None]]
"""Answers a request; None: nobody is there any more."""


def rendered(lines: Iterable[Header]) -> bytes:
    """Header lines as they leave."""
    return b"".join([b"%b: %b\r\n" % line for line in lines])


COMMON_HEAD: Final = rendered(COMMON)
PUBLIC_HEAD: Final = rendered(PUBLIC)
HTTPS_ONLY_HEAD: Final = rendered((HTTPS_ONLY,))


class _Kept(msgspec.Struct):
    """An answer as an idempotency key keeps it; a refusal without its request id."""

    status: int
    body: bytes
    headers: list[Header]
    refused: dict[str, Any] | None = None


def ok(status: int, result: Any, *, etag: bool = False) -> Answer:
    """The answer that tells a verb's result; nothing at all for None."""
    if result is None:
        return Answer(status, b"", ())
    headers: tuple[Header, ...] = (_JSON,)
    if etag:
        headers = (_JSON, (b"etag", b'"%d"' % result.version))
    return Answer(status, encode(result), headers)


def refused(refusal: Refusal, request_id: str) -> Answer:
    """The error envelope, and the headers that go with its code."""
    error: dict[str, Any] = {"code": refusal.code, "message": refusal.message}
    if refusal.details:
        error["details"] = {name: _told(name, told) for name, told in refusal.details.items()}
    error["request_id"] = request_id
    return Answer(refusal.status, encode({"error": error}), (_JSON, *_extra(refusal)))


def _told(name: str, detail: Any) -> Any:
    """A detail: some repeat what was asked for, which may be a token in the place of its id. Paths
    are names, and stay as they are."""
    return without_tokens(detail) if isinstance(detail, str) and name != "path" else detail


_GRANT_ERRORS: Final = {
    "token_invalid": (401, "invalid_client"),
    "insufficient_scope": (400, "invalid_scope"),
    "rate_limited": (429, "temporarily_unavailable"),
    "internal_error": (500, "server_error"),
    "service_unavailable": (503, "temporarily_unavailable"),
    "upstream_error": (503, "temporarily_unavailable"),
    "sealed": (503, "temporarily_unavailable"),
}


def refused_grant(refusal: Refusal, request_id: str) -> Answer:
    """A refusal as RFC 6749 section 5.2 says; what it has no word for as section 4.1.2.1 does."""
    status, error = _GRANT_ERRORS.get(refusal.code, (400, "invalid_request"))
    if refusal.details.get("reason") == "unsupported_grant_type":
        error = "unsupported_grant_type"
    if refusal.grant_error is not None:
        status, error = 400, refusal.grant_error
    told = {"error": error, "error_description": refusal.message, "request_id": request_id}
    headers = [_JSON, _NO_CACHE]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="scaivault"'))
    elif status >= 429:
        headers += _extra(refusal)
    return Answer(status, encode(told), tuple(headers))


def granted(answer: Answer) -> Answer:
    """RFC 6749 section 5.1."""
    return answer._replace(headers=(*answer.headers, _NO_CACHE))


def _extra(refusal: Refusal) -> list[Header]:
    headers: list[Header] = []
    if refusal.status == 401 and refusal.code != "unseal_failed":
        challenge = f'Bearer realm="scaivault", error="{refusal.code}"'
        headers.append((b"www-authenticate", challenge.encode()))
    if refusal.code == "method_not_allowed":
        headers.append((b"allow", ", ".join(refusal.details["allowed"]).encode()))
    if refusal.code == "rate_limited":
        headers.append((b"retry-after", str(refusal.details["retry_after"]).encode()))
    elif refusal.status == 503:
        headers.append((b"retry-after", b"1"))
    return headers


def limited(allowance: Allowance) -> tuple[Header, ...]:
    """How much of its rate a caller has left."""
    return (
        (b"x-ratelimit-limit", b"%d" % allowance.limit),
        (b"x-ratelimit-remaining", b"%d" % allowance.remaining),
        (b"x-ratelimit-reset", b"%d" % allowance.reset),
    )


def keep(outcome: Any, answer: Answer | None) -> bytes:
    """What an idempotency key keeps of an outcome."""
    if isinstance(outcome, Refusal):
        told = {"code": outcome.code, "message": outcome.message, "details": outcome.details}
        return encode(_Kept(outcome.status, b"", [], told))
    if answer is None:
        raise ValueError("a result is kept as its answer")
    return encode(_Kept(answer.status, answer.body, list(answer.headers)))


def again(kept: bytes, request_id: str) -> Answer:
    """The kept answer, given once more."""
    told = msgspec.json.decode(kept, type=_Kept)
    replayed = (b"idempotency-replayed", b"true")
    if told.refused is not None:
        refusal = Refusal(told.refused["code"], told.refused["message"], **told.refused["details"])
        answer = refused(refusal, request_id)
        return answer._replace(headers=(*answer.headers, replayed))
    return Answer(told.status, told.body, (*map(tuple, told.headers), replayed))  # type: ignore[arg-type]
