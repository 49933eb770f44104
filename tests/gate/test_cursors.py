"""Cursors: bound to endpoint, tenant and filters, good for a day, forged by nobody."""

from __future__ import annotations

import pytest

from scaivault.clock import DAY
from scaivault.errors import Refusal
from scaivault.gate.cursors import Cursors, Place
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
