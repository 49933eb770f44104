"""List cursors: opaque, authenticated, bound to endpoint, tenant and filters, good for a day.

cursor = base64url(tag 16 | JSON [endpoint, tenant, filters, limit, position, ends at])
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

import msgspec

from scaivault.clock import DAY
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.seal.keyring import Keyring

T = TypeVar("T")

DEFAULT: Final = 50
_TAG: Final = 16
_LONGEST: Final = 24 * 1024  # a request line and its headers take 32 KiB


class Place(NamedTuple):
    """Where a list goes on: filters as first sent, page size, and the key of the last item."""

    filters: dict[str, Any]
    limit: int
    position: Any


class Paged(Protocol):
    """A request for a page."""

    @property
    def limit(self) -> int | None: ...

    @property
    def cursor(self) -> str | None: ...


class Page(NamedTuple, Generic[T]):
    """``cursor``: where the next page begins, or None."""

    items: list[T]
    cursor: str | None
    has_more: bool


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


class Pages:
    """The pages of one list endpoint. ``unsent``: the filters that mean something where nobody
    sends them, such as flags that are false."""

    def __init__(
        self,
        cursors: Cursors,
        endpoint: str,
        default: int = DEFAULT,
        unsent: Mapping[str, Any] = {},
    ) -> None:
        self._cursors: Final = cursors
        self._endpoint: Final = endpoint
        self._default: Final = default
        self._unsent: Final = unsent

    def place(self, caller: Caller, request: Paged, first: Any, **filters: Any) -> Place:
        """Where the page begins: at ``first``, or where ``request.cursor`` says.

        ``filters``: JSON values, None for what was not sent. Those left out are taken from the
        cursor, different ones are ``invalid_cursor``; a limit that is sent replaces the size."""
        sent = {name: value for name, value in filters.items() if value is not None}
        if request.cursor is None:
            return Place({**self._unsent, **sent}, request.limit or self._default, first)
        place = self._cursors.read(
            request.cursor, self._endpoint, _bound_to(caller), sent, caller.now
        )
        # A cursor of an earlier release may not know them all.
        known = {**self._unsent, **place.filters}
        return place._replace(filters=known, limit=request.limit or place.limit)

    def cut(
        self,
        caller: Caller,
        place: Place,
        found: list[T],
        key: Callable[[T], Any],
        broken_off: Any = None,
    ) -> Page[T]:
        """The page out of ``found``, which has an item too many where others follow; ``key``: the
        position (a JSON value) behind an item. ``broken_off``: the position that was looked up to,
        if others may follow behind that."""
        items = found[: place.limit]
        more = len(found) > place.limit
        if not more and broken_off is None:
            return Page(items, None, False)
        behind = place._replace(position=key(items[-1]) if more else broken_off)
        cursor = self._cursors.issue(self._endpoint, _bound_to(caller), behind, caller.now)
        return Page(items, cursor, True)


def _bound_to(caller: Caller) -> str:
    return caller.tenant_id or caller.partner_id or ""


def _bad() -> Refusal:
    return Refusal(
        "invalid_cursor",
        "this cursor is changed, over a day old or of another list; start again without one",
    )
