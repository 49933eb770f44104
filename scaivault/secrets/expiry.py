"""When a secret ends, and what is to be told of it before.

``notify_before`` holds durations; each is a threshold that lies that long before ``expires_at``.
``Secret.notice_at`` is the next threshold that was not told, or the end itself; None: all was told,
or there is no end. A threshold that was past when the expiry was set is not told. After a pause
(a stopped server, a soft delete) only the nearest one that was missed is, and once the secret has
ended only that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from msgspec import UNSET

from scaivault.clock import DAY, SECOND, instant, parse_instant
from scaivault.errors import faults
from scaivault.secrets.model import Secret
from scaivault.wire.secrets import WriteOptions
from scaivault.wire.values import duration_field, parse_duration

_LAST_INSTANT: Final = parse_instant("9999-12-31T00:00:00Z")


def sent(options: WriteOptions) -> bool:
    """Whether a writer says something of the end."""
    return options.expires_in is not None or options.expires_at is not UNSET


def end(options: WriteOptions, now: int, before: int | None) -> int | None:
    """The end after a change of a secret that had the end ``before``."""
    if options.expires_in is not None:
        if isinstance(options.expires_at, str):
            raise faults({"options.expires_at": "send expires_in or expires_at, not both"})
        return now + duration_field("options.expires_in", options.expires_in) * SECOND
    if options.expires_at is None:
        return None
    return _absolute(options.expires_at, now) if isinstance(options.expires_at, str) else before


def _absolute(text: str, now: int) -> int:
    try:
        at = parse_instant(text)
    except (ValueError, OverflowError):
        raise faults({"options.expires_at": "must be an RFC 3339 timestamp or a date"}) from None
    if not now < at < _LAST_INSTANT:
        raise faults({"options.expires_at": "must lie ahead, and before 9999-12-31"})
    return at


def warnings(sent: list[str] | str) -> tuple[str, ...]:
    """``notify_before`` as kept: durations, longest first, each once."""
    field = "options.notify_before"
    parts = sent if isinstance(sent, list) else [part.strip(" ") for part in sent.split(",")]
    if sent == "":
        parts = []
    if len(parts) > 10:
        raise faults({field: "must have at most 10 durations"})
    seconds = {part: duration_field(field, part) for part in parts}
    return tuple(sorted(seconds, key=lambda part: -parse_duration(part)))


def rearmed(secret: Secret, now: int) -> Secret:
    """With everything that lies ahead, and nothing else, to be told."""
    return secret._replace(notice_at=_next(secret, now + 1))


def retimed(secret: Secret, now: int) -> Secret:
    """After a change of ``notify_before``: what was told is not told again, and what is due but
    not told yet still will be."""
    if secret.notice_at is None:
        return rearmed(secret, now)
    return secret._replace(notice_at=_next(secret, min(secret.notice_at, now + 1)))


def due(secret: Secret, now: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """(event type, its data) of what is to be told now."""
    ends, since = secret.expires_at, secret.notice_at
    if ends is None or since is None or since > now:
        return
    if ends <= now:
        yield "secret.expired", {"expires_at": instant(ends), "version": secret.current_version}
        return
    missed = {text: at for text, at in _thresholds(secret, ends) if since <= at <= now}
    for text, at in missed.items():
        if at == max(missed.values()):
            yield (
                "secret.expiring",
                {
                    "expires_at": instant(ends),
                    "days_remaining": -((now - ends) // DAY),
                    "threshold": text,
                },
            )


def _thresholds(secret: Secret, ends: int) -> Iterator[tuple[str, int]]:
    for text in secret.notify_before.split(",") if secret.notify_before else ():
        yield text, ends - parse_duration(text) * SECOND


def _next(secret: Secret, first: int) -> int | None:
    """The first instant from ``first`` on at which something is to be told."""
    ends = secret.expires_at
    if ends is None or ends < first:
        return None
    return min((at for _, at in _thresholds(secret, ends) if at >= first), default=ends)
