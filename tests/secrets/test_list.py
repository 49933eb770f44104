"""The list: what is in it, what is counted, and its cursors."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR
from scaivault.gate.cursors import Place
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant
from tests.support.tenants import found_tenant

PATHS = ["a", "a-b", "a/b", "a/c/d", "ab", "b", "b_c", "c/versions/x"]


async def fill(house: House) -> None:
    for path in reversed(PATHS):
        assert (await house.put(path)).status == 201


async def listed(house: House, **query: Any) -> Answer:
    token = query.pop("token", "")
    return await house.call("GET", "/v1/secrets", token=token, query=query)


def paths(answer: Answer) -> list[str]:
    return [item["path"] for item in answer.json["secrets"]]


async def test_an_empty_vault(house: House) -> None:
    assert (await listed(house)).json == {
        "secrets": [], "cursor": None, "has_more": False, "total_count": 0,
    }  # fmt: skip


async def test_one_item(house: House) -> None:
    await house.put("a", {}, secret_type="json", metadata={"tags": ["x"], "owner": "o"})
    await house.put("a", {}, options={"expires_in": "1h"})
    assert (await listed(house)).json["secrets"] == [
        {
            "path": "a",
            "secret_type": "json",
            "version": 2,
            "updated_at": "2031-05-09T06:30:00.000000Z",
            "expires_at": "2031-05-09T07:30:00.000000Z",
            "tags": ["x"],
        }
    ]


async def test_order_is_that_of_the_bytes(house: House) -> None:
    await fill(house)
    answer = await listed(house)
    assert paths(answer) == sorted(PATHS)
    assert answer.json["total_count"] == len(PATHS)


@pytest.mark.parametrize("prefix", ["", "a", "a/", "a/b", "b_", "zz", "c/versions", "a-"])
async def test_a_prefix_is_plain_text(house: House, prefix: str) -> None:
    await fill(house)
    answer = await listed(house, prefix=prefix)
    wanted = sorted(path for path in PATHS if path.startswith(prefix))
    assert (paths(answer), answer.json["total_count"]) == (wanted, len(wanted))


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        ("/a", "leading_slash"), ("a//b", "empty_segment"), ("A", "case"), ("a*", "character"),
        ("a%", "encoding"), ("../a", "dot_segment"), ("a" * 513, "too_long"),
        ("\N{SNOWMAN}", "character"), ("a\x00", "character"),
    ],
)  # fmt: skip
async def test_a_prefix_outside_the_grammar(house: House, prefix: str, reason: str) -> None:
    answer = await listed(house, prefix=prefix)
    assert (answer.status, answer.code) == (400, "invalid_path")
    assert answer.details == {"path": prefix[:512], "reason": reason}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=201", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
        ("limit=1&limit=1", "limit"), ("prefix=a&prefix=a", "prefix"), ("unknown=1", "unknown"),
        ("cursor=a&cursor=a", "cursor"), ("tenant_id=x", "tenant_id"),
    ],
)  # fmt: skip
async def test_queries_at_fault(house: House, query: str, field: str) -> None:
    answer = await house.get(f"/v1/secrets?{query}")
    assert (answer.status, list(answer.details["fields"])) == (422, [field])


async def test_pages(house: House) -> None:
    await fill(house)
    found: list[str] = []
    answer = await listed(house, limit=3)
    while True:
        found += paths(answer)
        assert answer.json["total_count"] == len(PATHS)
        if not answer.json["has_more"]:
            break
        assert len(paths(answer)) == 3
        answer = await listed(house, cursor=answer.json["cursor"])
    assert found == sorted(PATHS)
    assert answer.json["cursor"] is None


async def test_a_last_page_that_is_just_full_says_so(house: House) -> None:
    await fill(house)
    answer = await listed(house, limit=len(PATHS))
    assert (answer.json["has_more"], answer.json["cursor"]) == (False, None)


async def test_a_cursor_keeps_size_and_filter_and_takes_another_size(house: House) -> None:
    await fill(house)
    cursor = (await listed(house, prefix="a", limit=2)).json["cursor"]
    assert paths(await listed(house, cursor=cursor)) == ["a/b", "a/c/d"]
    assert paths(await listed(house, cursor=cursor, prefix="a", limit=1)) == ["a/b"]
    assert paths(await listed(house, cursor=cursor, limit=200)) == ["a/b", "a/c/d", "ab"]


async def test_cursors_that_are_refused(house: House) -> None:
    await fill(house)
    cursor = (await listed(house, prefix="a", limit=2)).json["cursor"]
    plain = (await listed(house, limit=2)).json["cursor"]
    other = (await found_tenant(house, "other")).id
    flipped = cursor[:-1] + ("A" if cursor[-1] != "A" else "B")
    for text in ("", "x", "=", "\N{SNOWMAN}", cursor + "A", cursor + "=", cursor[:-1], flipped):
        assert (await listed(house, cursor=text)).code == "invalid_cursor", text
    assert (await listed(house, cursor=cursor, prefix="b")).code == "invalid_cursor"
    assert (await listed(house, cursor=cursor, prefix="")).code == "invalid_cursor"
    assert (await listed(house, cursor=plain, prefix="a")).code == "invalid_cursor"
    elsewhere = await house.call("GET", f"/v1/t/{other}/secrets", query={"cursor": cursor})
    assert elsewhere.code == "invalid_cursor"
    assert (await listed(house, cursor="A" * 9000)).code == "invalid_cursor"


async def test_every_changed_character_is_noticed(house: House) -> None:
    await fill(house)
    cursor = (await listed(house, limit=2)).json["cursor"]
    for place, sign in enumerate(cursor):
        changed = cursor[:place] + ("B" if sign == "A" else "A") + cursor[place + 1 :]
        assert (await listed(house, cursor=changed)).code == "invalid_cursor"


@pytest.mark.parametrize(("late", "status"), [(-1, 200), (0, 400)])
async def test_a_cursor_lives_a_day_and_survives_a_restart(
    house: House, late: int, status: int
) -> None:
    await fill(house)
    cursor = (await listed(house, limit=2)).json["cursor"]
    await house.restart()
    await house.unseal()
    house.clock.advance(DAY + late)
    assert (await listed(house, cursor=cursor)).status == status


async def test_expired_and_deleted_secrets_are_neither_listed_nor_counted(house: House) -> None:
    await fill(house)
    await house.put("a", options={"expires_in": "1h"})
    await house.delete("b")
    house.clock.advance(HOUR)
    answer = await listed(house)
    assert paths(answer) == [path for path in sorted(PATHS) if path not in ("a", "b")]
    assert answer.json["total_count"] == len(PATHS) - 2


async def test_only_what_may_be_listed_is_there_and_counted(house: House) -> None:
    await fill(house)
    token = await house.client("app", SCOPES)
    answer = await listed(house, token=token)
    assert (answer.status, answer.json["total_count"], paths(answer)) == (200, 0, [])
    grant(house, ("a/**", {"list"}), ("b*", {"read"}), ("b_c", {"admin"}))
    answer = await listed(house, token=token, limit=1)
    assert (paths(answer), answer.json["total_count"]) == (["a/b"], 3)
    answer = await listed(house, token=token, cursor=answer.json["cursor"], limit=5)
    assert (paths(answer), answer.json["has_more"]) == (["a/c/d", "b_c"], False)
    for path in ("a/b", "b_c"):
        assert (await house.get(f"/v1/secrets/metadata/{path}", token=token)).status == 200
    for path in ("a", "b"):
        assert (await house.get(f"/v1/secrets/{path}/versions", token=token)).status == 403


async def test_rights_are_asked_again_on_each_page(house: House) -> None:
    await fill(house)
    token = await house.client("app", SCOPES)
    grant(house, ("**", {"list"}))
    cursor = (await listed(house, token=token, limit=1)).json["cursor"]
    grant(house, ("b", {"list"}))
    answer = await listed(house, token=token, cursor=cursor)
    assert (paths(answer), answer.json["total_count"]) == (["b"], 1)


async def test_a_cursor_that_knows_fewer_filters_goes_on(house: House) -> None:
    await fill(house)
    place = Place({}, 2, "a")
    cursor = house.vault.cursors.issue("secrets", house.made["tenant_id"], place, house.clock.now())
    assert paths(await listed(house, cursor=cursor)) == ["a-b", "a/b"]
