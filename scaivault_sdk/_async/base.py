"""What all namespaces share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from scaivault_sdk._async.pages import Page
from scaivault_sdk._calls import Call
from scaivault_sdk.errors import TransportError
from scaivault_sdk.models.common import Answer

T = TypeVar("T")

_PAGE_SIZE = 50  # the server's, where none is asked for


class Caller(Protocol):
    """What a namespace needs of its client: for whom it acts, and calls."""

    tenant_id: str | None
    partner_id: str | None

    async def send(self, call: Call) -> Answer:
        """The answer, in the client's tenant."""


class Namespace:
    """A group of calls."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def _get(self, path: str, /, **query: Any) -> Any:
        return (await self._caller.send(Call("GET", path, query))).body

    async def _post(self, path: str, body: Any = None, **more: Any) -> Any:
        return (await self._caller.send(Call("POST", path, body=body, **more))).body

    async def _put(self, path: str, body: Any) -> Any:
        return (await self._caller.send(Call("PUT", path, body=body))).body

    async def _patch(self, path: str, body: Any) -> Any:
        return (await self._caller.send(Call("PATCH", path, body=body))).body

    async def _delete(self, path: str, /, **query: Any) -> Any:
        return (await self._caller.send(Call("DELETE", path, query))).body

    async def _page(
        self, path: str, name: str, item: Callable[[Any], T], query: Mapping[str, Any]
    ) -> Page[T]:
        """A page whose items stand under ``name``; the next is asked for with the same filters."""
        body = await self._get(path, **query)
        rows = _rows(body, name)
        cursor = body.get("cursor")
        known = (name, "cursor", "has_more", "total_count", "total")

        async def fetch() -> Page[T]:
            return await self._page(path, name, item, {**query, "cursor": cursor})

        return Page(
            data=[item(row) for row in rows],
            cursor=cursor,
            has_more=bool(body.get("has_more")),
            total=body.get("total_count", body.get("total")),
            extra={key: body[key] for key in body if key not in known},
            fetch=fetch if cursor else None,
        )

    async def _numbered(
        self, path: str, name: str, item: Callable[[Any], T], query: Mapping[str, Any]
    ) -> Page[T]:
        """As ``_page``, for lists whose pages have numbers, from 1, and a ``total``."""
        body = await self._get(path, **query)
        rows = _rows(body, name)
        number, size = query.get("page") or 1, query.get("page_size") or _PAGE_SIZE
        total = body.get("total", len(rows))

        async def fetch() -> Page[T]:
            return await self._numbered(path, name, item, {**query, "page": number + 1})

        more = bool(rows) and number * size < total
        return Page(
            data=[item(row) for row in rows],
            has_more=more,
            total=total,
            extra={key: body[key] for key in body if key not in (name, "total")},
            fetch=fetch if more else None,
        )


def _rows(body: Any, name: str) -> list[Any]:
    rows = body.get(name) if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise TransportError(f"the answer holds no {name}; is this ScaiVault?")
    return rows
