"""Cursors: bound to endpoint, tenant and filters, good for a day, forged by nobody."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from scaivault.clock import DAY
from scaivault.errors import Refusal
from scaivault.gate.caller import Caller
from scaivault.gate.cursors import Cursors, Page, Pages, Place
from tests.support.house import House

PLACE = Place({"prefix": "a/"}, 50, ["a/b", 3])


def made(house: House) -> tuple[Cursors, str, int]:
    now = house.clock.now()
    return house.vault.cursors, house.vault.cursors.issue("list", "tnt_a", PLACE, now), now


async def test_the_place_comes_back(house: House) -> None:
    cursors, text, now = made(house)
    for filters in ({}, {"prefix": "a/"}):
        assert cursors.read(text, "list", "tnt_a", filters, now + DAY - 1) == PLACE
    await house.restart()
    await house.unseal()
    assert house.vault.cursors.read(text, "list", "tnt_a", {}, now) == PLACE


async def test_everything_else_is_refused(house: House) -> None:
    cursors, text, now = made(house)
    for endpoint, tenant, filters, at in (
        ("other", "tnt_a", {}, now),
        ("list", "tnt_b", {}, now),
        ("list", "tnt_a", {"prefix": "b/"}, now),
        ("list", "tnt_a", {"q": "x"}, now),
        ("list", "tnt_a", {}, now + DAY),
    ):
        with pytest.raises(Refusal, match="cursor"):
            cursors.read(text, endpoint, tenant, filters, at)


async def test_no_changed_text_passes(house: House) -> None:
    cursors, text, now = made(house)
    for at in range(len(text)):
        for other in set("Az9-=é") - {text[at]}:
            with pytest.raises(Refusal, match="cursor"):
                cursors.read(text[:at] + other + text[at + 1 :], "list", "tnt_a", {}, now)


class Request(NamedTuple):
    limit: int | None = None
    cursor: str | None = None


def pages(house: House) -> tuple[Pages, Caller]:
    caller = house.vault.internal("test")
    caller.tenant_id = "tnt_a"
    return Pages(house.vault.cursors, "numbers", 3, {"odd": False}), caller


def counted(place: Place) -> list[int]:
    """What a room would find: an item too many where others follow."""
    return list(range(place.position + 1, 8))[: place.limit + 1]


async def test_pages_follow_each_other(house: House) -> None:
    numbers, caller = pages(house)
    found: list[int] = []
    page: Page[int] = Page([], None, True)
    while page.has_more:
        place = numbers.place(caller, Request(cursor=page.cursor), 0)
        page = numbers.cut(caller, place, counted(place), lambda number: number)
        found += page.items
    assert (found, page.cursor) == (list(range(1, 8)), None)


async def test_the_size_and_the_filters_of_a_cursor(house: House) -> None:
    numbers, caller = pages(house)
    first = numbers.place(caller, Request(2), 0, tag=["a"], prefix=None)
    assert first == Place({"odd": False, "tag": ["a"]}, 2, 0)
    cursor = numbers.cut(caller, first, [1, 2, 3], lambda number: number).cursor
    same: list[dict[str, Any]] = [{}, {"tag": ["a"]}, {"odd": False}, {"tag": None}]
    for filters in same:
        assert numbers.place(caller, Request(cursor=cursor), 0, **filters)[1:] == (2, 2)
    assert numbers.place(caller, Request(9, cursor), 0).limit == 9
    others: list[dict[str, Any]] = [{"tag": ["b"]}, {"odd": True}, {"prefix": "a"}]
    for filters in others:
        with pytest.raises(Refusal, match="cursor"):
            numbers.place(caller, Request(cursor=cursor), 0, **filters)
    caller.tenant_id = "tnt_b"
    with pytest.raises(Refusal, match="cursor"):
        numbers.place(caller, Request(cursor=cursor), 0)
