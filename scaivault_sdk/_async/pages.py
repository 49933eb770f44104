"""Pages of lists."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """A part of a list. ``total``: how many there are altogether, where the server tells.

    Iterating gives the items of this page; ``next_page`` fetches the page behind it.
    """

    data: list[T]
    cursor: str | None = None
    has_more: bool = False
    total: int | None = None
    extra: dict[str, Any] = field(default_factory=dict, repr=False)
    fetch: Callable[[], Any] | None = field(default=None, repr=False, compare=False)

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    async def next_page(self) -> Page[T] | None:
        """The page behind this one; None behind the last."""
        if not self.has_more or self.fetch is None:
            return None
        page: Page[T] = await self.fetch()
        return page

    async def items(self) -> AsyncIterator[T]:
        """The items of this page and of all behind it."""
        page: Page[T] | None = self
        while page is not None:
            for item in page.data:
                yield item
            page = await page.next_page()
