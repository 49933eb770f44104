"""List cursors: opaque, authenticated, bound to endpoint, tenant and filters, good for a day.

cursor = base64url(tag 16 | JSON [endpoint, tenant, filters, limit, position, ends at])
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import Any, Final, NamedTuple

import msgspec

from scaivault.clock import DAY
from scaivault.errors import Refusal
from scaivault.seal.keyring import Keyring

_TAG: Final = 16
_LONGEST: Final = 8192


class Place(NamedTuple):
    """Where a list goes on: filters as first sent, page size, and the key of the last item."""

    filters: dict[str, Any]
    limit: int
    position: Any


class Cursors:
    """Makes and checks them with the vault's cursor key: they survive restarts."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring: Final = keyring

    def issue(self, endpoint: str, tenant: str, place: Place, now: int) -> str:
        """A bookmark behind ``place.position``."""
        body = msgspec.json.encode([endpoint, tenant, *place, now + DAY])
        return base64.urlsafe_b64encode(self._tag(body) + body).rstrip(b"=").decode()

    def read(
        self, cursor: str, endpoint: str, tenant: str, filters: dict[str, Any], now: int
    ) -> Place:
        """The place of ``cursor``. Filters that are sent again must be the same ones."""
        made_for, of_tenant, known, limit, position, ends = self._opened(cursor)
        same = all(known.get(name) == value for name, value in filters.items())
        if made_for != endpoint or of_tenant != tenant or now >= ends or not same:
            raise _bad()
        return Place(known, limit, position)

    def _opened(self, cursor: str) -> list[Any]:
        if len(cursor) > _LONGEST or not cursor.isascii():
            raise _bad()
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            raise _bad() from None
        # The same bytes have one spelling only, else a changed last character would pass.
        if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != cursor:
            raise _bad()
        tag, body = raw[:_TAG], raw[_TAG:]
        if not hmac.compare_digest(tag, self._tag(body)):
            raise _bad()
        fields: list[Any] = msgspec.json.decode(body)
        return fields

    def _tag(self, body: bytes) -> bytes:
        return self._keyring.cursor_tag(body)[:_TAG]


def _bad() -> Refusal:
    return Refusal(
        "invalid_cursor",
        "this cursor is changed, over a day old or of another list; start again without one",
    )
