"""What every call may return or tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class RateLimit:
    """The caller's bucket after the last answer; ``reset``: Unix seconds when it is full."""

    limit: int
    remaining: int
    reset: int


@dataclass(frozen=True)
class Answer:
    """An answer as it came: what ``client.request`` gives. ``headers`` in lower case."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    content: bytes = field(repr=False)
    body: Any = field(repr=False)

    @property
    def text(self) -> str:
        """The document as sent."""
        return self.content.decode()


class LongInteger(ValueError):
    """JSON with an integer of more digits than this Python converts."""


def decoded(content: bytes) -> Any:
    """JSON, ``None`` for an empty body; ``ValueError`` when it is neither."""
    if not content:
        return None
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except ValueError:
        raise LongInteger from None
