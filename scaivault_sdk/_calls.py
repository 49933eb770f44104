"""One call of the API, before it is sent: its target, query, body and how it may be repeated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from typing import Any
from urllib.parse import quote

from scaivault_sdk.errors import ConfigurationError, ValidationError

Query = dict[str, Any]

# Where a secret's path would address another endpoint than the one that was called.
_RESERVED_FIRST = ("metadata", "batch", "expiring")
_RESERVED_LAST = ("versions", "restore", "rotate")


@dataclass(frozen=True)
class Call:
    """``changes`` False: a POST that only reads. ``also``: error statuses that are answers here.
    ``form``: sent as a form. ``open``: without a token. ``slow``: the server waits for another
    system, or works long. ``timeout`` in seconds, overrules both. ``url``: another address than
    the client's own ``path``."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    changes: bool = True
    timeout: float | None = None
    slow: bool = False
    also: tuple[int, ...] = ()
    open: bool = False
    url: str | None = None

    @property
    def keyed(self) -> bool:
        """Whether it carries an ``Idempotency-Key``: every PUT, and a POST that changes. Keys
        belong to an identity, so calls without a token have none."""
        return self.method in ("POST", "PUT") and self.changes and not self.open

    def params(self) -> tuple[tuple[str, str], ...]:
        """The query: without what is None, lists as repeated keys."""
        pairs: list[tuple[str, str]] = []
        for name, value in self.query.items():
            values = value if isinstance(value, (list, tuple)) else [value]
            pairs += [(name, text(each)) for each in values if each is not None]
        return tuple(pairs)

    def content(self) -> bytes | None:
        """The JSON body; ``ConfigurationError`` when it cannot be one."""
        if self.body is None:
            return None
        try:
            return json.dumps(
                self.body, allow_nan=False, separators=(",", ":"), default=_plain
            ).encode()
        except (TypeError, ValueError, RecursionError) as error:
            kind = type(error).__name__
        raise ConfigurationError(f"the body cannot be written as JSON ({kind})")


def text(value: Any) -> str:
    """A query value."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Enum):
        return str(value.value)
    return str(value)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"no JSON for {type(value).__name__}")


def instant(value: datetime) -> str:
    """RFC 3339, UTC; ``ConfigurationError`` without a time zone, which would be a guess."""
    if value.tzinfo is None:
        raise ConfigurationError("a datetime needs a time zone; use datetime.now(timezone.utc)")
    moment = value.astimezone(timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def given(**values: Any) -> dict[str, Any]:
    """A body of what is not None."""
    return {name: value for name, value in values.items() if value is not None}


def segment(value: str, name: str) -> str:
    """One segment of a target, encoded; nothing in it can lead to another endpoint. ``name``: of
    the argument, for the error."""
    if not value or value in (".", ".."):
        raise ConfigurationError(f"{name} must not be empty or dots")
    return quote(value, safe=":@")


def secret_target(path: str) -> str:
    """A secret's path for a target.

    The server judges the grammar. Refused here, with its code, is only what would reach another
    endpoint: dot segments (resolved on the way), empty segments and reserved names.
    """
    segments = path.split("/")
    if any(part in (".", "..") for part in segments):
        raise _invalid(path, "dot_segment")
    if not all(segments):
        raise _invalid(path, "empty_segment" if path else "empty")
    if segments[0] in _RESERVED_FIRST or segments[-1] in _RESERVED_LAST:
        raise _invalid(path, "reserved")
    return quote(path, safe="/")


def _invalid(path: str, reason: str) -> ValidationError:
    return ValidationError(
        "this is no path of a secret",
        code="invalid_path",
        status=400,
        details={"path": path, "reason": reason},
    )
