"""Answers: status, headers and bytes; the error envelope; what an idempotency key keeps."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from scaivault.errors import Refusal
from scaivault.gate.limits import Allowance

Header = tuple[bytes, bytes]

_JSON: Final = (b"content-type", b"application/json")
COMMON: Final[tuple[Header, ...]] = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
PUBLIC: Final[tuple[Header, ...]] = (
    (b"cache-control", b"max-age=300"),
    (b"x-content-type-options", b"nosniff"),
)
encode: Final = msgspec.json.Encoder().encode


class Answer(NamedTuple):
    """``headers`` are those of this answer only; the endpoint adds the common ones."""

    status: int
    body: bytes
    headers: tuple[Header, ...] = (_JSON,)


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
        error["details"] = refusal.details
    error["request_id"] = request_id
    return Answer(refusal.status, encode({"error": error}), (_JSON, *_extra(refusal)))


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
