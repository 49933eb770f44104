"""What ends soon: which, in which order, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant


async def expiring(house: House, token: str = "", **query: Any) -> Answer:
    return await house.call("GET", "/v1/secrets/expiring", query=query, token=token)


def paths(answer: Answer) -> list[str]:
    return [item["path"] for item in answer.json["secrets"]]


async def fill(house: House, **ends: str) -> None:
    for name, end in ends.items():
        await house.put(name.replace("__", "/"), options={"expires_in": end})


async def test_soonest_first_and_nothing_else(house: House) -> None:
    await fill(house, c="30d", b="1h", d="31d", a__x="2d", a__y="2d")
    await house.put("never")
    answer = await expiring(house)
    assert answer.json == {
        "secrets": [
            {"path": "b", "expires_at": "2031-05-09T07:30:00.000000Z", "days_remaining": 1},
            {"path": "a/x", "expires_at": "2031-05-11T06:30:00.000000Z", "days_remaining": 2},
            {"path": "a/y", "expires_at": "2031-05-11T06:30:00.000000Z", "days_remaining": 2},
            {"path": "c", "expires_at": "2031-06-08T06:30:00.000000Z", "days_remaining": 30},
        ],
        "cursor": None,
        "has_more": False,
    }
    assert paths(await expiring(house, days=31))[-1] == "d"
    assert paths(await expiring(house, days=1, prefix="b")) == ["b"]
    assert paths(await expiring(house, prefix="a/")) == ["a/x", "a/y"]


async def test_days_are_rounded_up(house: House) -> None:
    await fill(house, a="3d")
    for passed, days in ((1, 3), (DAY - 1, 2), (DAY, 1), (DAY - 1, 1)):
        house.clock.advance(passed)
        (item,) = (await expiring(house)).json["secrets"]
        assert item["days_remaining"] == days
    house.clock.advance(1)
    assert paths(await expiring(house)) == []


async def test_deleted_and_expired_ones_are_left_out(house: House) -> None:
    await fill(house, a="1h", b="2h", c="3h")
    await house.delete("b")
    house.clock.advance(HOUR)
    assert paths(await expiring(house)) == ["c"]


async def test_pages(house: House) -> None:
    await fill(house, e="1d", d="1d", c="2d", b="3d", a="3d", f="9d")
    answer = await expiring(house, limit=2, days=5)
    found = paths(answer)
    while answer.json["has_more"]:
        answer = await expiring(house, cursor=answer.json["cursor"])
        found += paths(answer)
    assert found == ["d", "e", "c", "a", "b"]
    assert answer.json["cursor"] is None


async def test_what_ended_between_two_pages_is_left_out(house: House) -> None:
    await fill(house, a="1h", b="2h", c="3h", d="4h")
    cursor = (await expiring(house, limit=1)).json["cursor"]
    house.clock.advance(3 * HOUR)
    assert paths(await expiring(house, cursor=cursor)) == ["d"]


@pytest.mark.parametrize(
    ("sent", "again"),
    [({"days": 5}, {"days": 6}), ({}, {"prefix": "a"}), ({"prefix": "a"}, {"prefix": ""})],
)
async def test_other_filters_beside_a_cursor(
    house: House, sent: dict[str, Any], again: dict[str, Any]
) -> None:
    await fill(house, a="1h", ab="2h")
    cursor = (await expiring(house, limit=1, **sent)).json["cursor"]
    assert (await expiring(house, cursor=cursor, **sent)).status == 200
    assert (await expiring(house, cursor=cursor, **again)).code == "invalid_cursor"
    other = await house.call("GET", "/v1/secrets", query={"cursor": cursor})
    assert other.code == "invalid_cursor"


@pytest.mark.parametrize(
    ("query", "field"),
    [("days=0", "days"), ("days=3651", "days"), ("days=x", "days"), ("limit=201", "limit"),
     ("limit=0", "limit"), ("tag=x", "tag")],
)  # fmt: skip
async def test_queries_at_fault(house: House, query: str, field: str) -> None:
    answer = await house.get(f"/v1/secrets/expiring?{query}")
    assert (answer.status, list(answer.details["fields"])) == (422, [field])


async def test_a_prefix_at_fault(house: House) -> None:
    assert (await expiring(house, prefix="/a")).code == "invalid_path"


async def test_rights_of_each_and_on_each_page(house: House) -> None:
    await fill(house, a__1="1h", b__1="2h", a__2="3h", b__2="4h")
    token = await house.client("app", SCOPES)
    assert (await expiring(house, token)).json["secrets"] == []
    grant(house, ("a/**", {"list"}), ("b/2", {"read"}))
    answer = await expiring(house, token, limit=1)
    assert (paths(answer), answer.json["has_more"]) == (["a/1"], True)
    grant(house, ("b/2", {"list"}))
    assert paths(await expiring(house, token, cursor=answer.json["cursor"])) == ["b/2"]


async def test_more_that_may_not_be_told_than_one_look_takes(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scaivault.secrets.listing._STEP", 2)
    await fill(house, b__1="1h", b__2="1h", b__3="1h", a__1="1h", b__4="2h", a__2="2h")
    token = await house.client("app", SCOPES)
    grant(house, ("a/**", {"list"}))
    assert paths(await expiring(house, token)) == ["a/1", "a/2"]


async def test_the_audit_row(house: House) -> None:
    await fill(house, a__1="1h", b="2h")
    await expiring(house)
    await expiring(house, prefix="a/")
    rows = await house.rows(action="list")
    assert [(row["secret_path"], row["extra_data"]) for row in rows] == [
        (None, {"count": 2}),
        ("a/", {"count": 1}),
    ]
