"""The filters of the list: each alone, together, and on the pages behind the first."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, MINUTE
from scaivault.gate.sight import Sight, below
from scaivault.secrets import selection
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant

EXTRA = [
    "current_version", "version_count", "metadata", "created_at", "last_accessed_at",
    "access_count_30d", "rotation_policy", "secret_policy_id", "options", "source",
]  # fmt: skip


async def listed(house: House, token: str = "", **query: Any) -> Answer:
    answer = await house.call("GET", "/v1/secrets", query=query, token=token)
    assert answer.status == 200, answer.body
    assert answer.json["has_more"] or answer.json["total_count"] >= len(answer.json["secrets"])
    return answer


async def found(house: House, **query: Any) -> list[str]:
    """The paths of a list that fits one page; its count must be theirs."""
    answer = await listed(house, **query)
    paths = [item["path"] for item in answer.json["secrets"]]
    assert answer.json["total_count"] == len(paths)
    return paths


async def refused(house: House, **query: Any) -> Answer:
    return await house.call("GET", "/v1/secrets", query=query)


async def test_all_tags_must_be_there(house: House) -> None:
    for path, tags in {"a": ["x"], "b": ["x", "y"], "c": ["y"], "d": []}.items():
        await house.put(path, metadata={"tags": tags})
    assert await found(house, tag="x") == ["a", "b"]
    assert await found(house, tag=["x", "y"]) == ["b"]
    assert await found(house, tag=["y", "x", "y"]) == ["b"]
    assert await found(house, tag="z") == []
    assert await found(house, tag="y", prefix="c") == ["c"]


async def test_tags_follow_every_change(house: House) -> None:
    await house.put("a", metadata={"tags": ["x", "y"]})
    await house.put("a", metadata={"tags": ["y", "z\N{SNOWMAN}"]})
    assert await found(house, tag="x") == []
    assert await found(house, tag="z\N{SNOWMAN}") == ["a"]
    await house.call("PATCH", "/v1/secrets/a", {"metadata": {"tags": None}})
    assert await found(house, tag="y") == []


@pytest.mark.parametrize("secret_type", ["kv", "json", "certificate", "ssh_key", "api_key"])
async def test_the_type_is_that_of_the_current_version(house: House, secret_type: str) -> None:
    await house.put("a", secret_type="json" if secret_type == "kv" else "kv")
    await house.put("a", secret_type=secret_type)
    await house.put("a")
    await house.put("b", secret_type="json" if secret_type == "kv" else "kv")
    assert await found(house, secret_type=secret_type) == ["a"]


async def test_times_are_compared_strictly(house: House) -> None:
    start = "2031-05-09T06:30:00"
    await house.put("none")
    await house.put("early", options={"expires_at": f"{start[:-5]}31:00Z"})
    house.clock.advance(MINUTE // 2)
    await house.put("late", options={"expires_at": "2031-05-10"})
    assert await found(house, expires_before=f"{start[:-5]}31:00Z") == []
    assert await found(house, expires_before=f"{start[:-5]}31:00.000001Z") == ["early"]
    assert await found(house, expires_before="2031-05-10T00:00:00.000001+00:00") == [
        "early", "late",
    ]  # fmt: skip
    assert await found(house, updated_after=f"{start}Z") == ["late"]
    assert await found(house, updated_after=f"{start}.999999+00:00") == ["late"]
    assert await found(house, updated_after="2031-05-09") == ["early", "late", "none"]
    assert await found(house, updated_after=f"{start[:-2]}30Z") == []


async def test_expired_ones_on_request(house: House) -> None:
    await house.put("a", options={"expires_in": "1h"})
    await house.put("b")
    house.clock.advance(HOUR - 1)
    assert await found(house) == ["a", "b"]
    house.clock.advance(1)
    assert await found(house) == ["b"]
    assert await found(house, include_expired="false") == ["b"]
    assert await found(house, include_expired="true") == ["a", "b"]
    assert await found(house, include_expired="1", expires_before="2040-01-01") == ["a"]


async def test_soft_deleted_ones_on_request(house: House) -> None:
    for path in ("a", "b"):
        await house.put(path, options={"expires_in": "2h"}, metadata={"tags": ["x"]})
    until = (await house.delete("a")).json["recoverable_until"]
    assert await found(house) == ["b"]
    first, second = (await listed(house, include_deleted="true")).json["secrets"]
    assert (first["path"], first["recoverable_until"]) == ("a", until)
    assert first["deleted_at"] == "2031-05-09T06:30:00.000000Z"
    assert not {"deleted_at", "recoverable_until"} & set(second)
    assert await found(house, include_deleted="true", tag="x") == ["a", "b"]
    house.clock.advance(3 * HOUR)
    assert await found(house, include_deleted="true") == ["a"]
    house.clock.advance(30 * DAY - 3 * HOUR - 1)
    assert await found(house, include_deleted="true") == ["a"]
    house.clock.advance(1)
    assert await found(house, include_deleted="true") == []


async def test_full_items_say_what_metadata_says(house: House) -> None:
    for number, path in enumerate(("a", "b/c")):
        await house.put(path, {"n": number}, metadata={"owner": "team:x", "tags": ["t"]})
        await house.put(path, {"n": 2}, options={"max_versions": 3 + number})
    for _ in range(2):
        await house.read("a")
    minimal = (await listed(house)).json["secrets"]
    full = (await listed(house, include_metadata="true")).json["secrets"]
    for short, item in zip(minimal, full, strict=True):
        info = (await house.get(f"/v1/secrets/metadata/{item['path']}")).json
        assert list(item) == [*short, *EXTRA]
        assert {name: item[name] for name in EXTRA} == {name: info[name] for name in EXTRA}
        assert {name: item[name] for name in short} == short
    assert [item["access_count_30d"] for item in full] == [2, 0]


async def test_a_value_is_in_no_list(house: House) -> None:
    await house.put("a", {"key": "wink-wink"})
    answer = await listed(house, include_metadata="true", include_deleted="true")
    assert b"wink-wink" not in answer.body


async def test_every_filter_stays_on_the_next_pages(house: House) -> None:
    for number in range(5):
        await house.put(f"a/{number}", metadata={"tags": ["x", "y"]}, secret_type="json")
    await house.put("a/x", secret_type="json")
    await house.put("b", metadata={"tags": ["x", "y"]}, secret_type="json")
    query: dict[str, Any] = {
        "prefix": "a/", "tag": ["y", "x"], "secret_type": "json", "updated_after": "2031-01-01",
        "include_metadata": "true", "limit": 2,
    }  # fmt: skip
    answer = await listed(house, **query)
    paths = [item["path"] for item in answer.json["secrets"]]
    while answer.json["has_more"]:
        assert answer.json["total_count"] == 5
        answer = await listed(house, cursor=answer.json["cursor"])
        assert all("metadata" in item for item in answer.json["secrets"])
        paths += [item["path"] for item in answer.json["secrets"]]
    assert paths == [f"a/{number}" for number in range(5)]


@pytest.mark.parametrize(
    ("sent", "again", "same"),
    [
        ({"tag": ["x", "y"]}, {"tag": ["y", "x"]}, True),
        ({"tag": ["x", "y"]}, {"tag": ["x"]}, False),
        ({}, {"tag": ["x"]}, False),
        ({"updated_after": "2031-01-01"}, {"updated_after": "2031-01-01T01:00:00+01:00"}, True),
        ({"updated_after": "2031-01-01"}, {"updated_after": "2031-01-02"}, False),
        ({"include_expired": "true"}, {"include_expired": "1"}, True),
        ({"include_expired": "true"}, {"include_expired": "false"}, False),
        ({}, {"include_expired": "false", "include_metadata": "0"}, True),
        ({}, {"include_metadata": "true"}, False),
        ({}, {"include_deleted": "true"}, False),
        ({"secret_type": "kv"}, {"secret_type": "kv", "limit": 1}, True),
        ({"secret_type": "kv"}, {"secret_type": "json"}, False),
        ({}, {"prefix": ""}, True),
        ({"prefix": ""}, {"prefix": ""}, True),
    ],
)
async def test_filters_beside_a_cursor(
    house: House, sent: dict[str, Any], again: dict[str, Any], *, same: bool
) -> None:
    for path in ("a", "b", "c"):
        await house.put(path, metadata={"tags": ["x", "y"]})
    cursor = (await listed(house, limit=1, **sent)).json["cursor"]
    answer = await refused(house, cursor=cursor, **again)
    if same:
        assert [item["path"] for item in answer.json["secrets"]] == ["b"]
    else:
        assert (answer.status, answer.code) == (400, "invalid_cursor")


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ({"expires_before": "soon", "updated_after": "2031-13-01"},
         {"expires_before", "updated_after"}),
        ({"updated_after": ""}, {"updated_after"}), ({"tag": ""}, {"tag"}),
        ({"tag": "x" * 129}, {"tag"}), ({"tag": ["x"] * 65}, {"tag"}),
        ({"include_expired": "yes"}, {"include_expired"}), ({"limit": 201}, {"limit"}),
        ({"secret_type": ["kv", "kv"]}, {"secret_type"}),
    ],
)  # fmt: skip
async def test_filters_at_fault(house: House, query: dict[str, Any], fields: set[str]) -> None:
    answer = await refused(house, **query)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert set(answer.details["fields"]) == fields


async def test_an_unknown_type(house: House) -> None:
    answer = await refused(house, secret_type="JSON")
    assert (answer.status, answer.code) == (400, "invalid_secret_type")
    assert answer.details["allowed"] == ["kv", "json", "certificate", "ssh_key", "api_key"]


async def test_the_audit_row(house: House) -> None:
    for path in ("a/b", "a/c", "d"):
        await house.put(path)
    await listed(house, prefix="a/")
    cursor = (await listed(house, limit=1)).json["cursor"]
    await listed(house, cursor=cursor)
    await refused(house, prefix="A")
    rows = await house.rows(action="list")
    assert [(row["secret_path"], row["success"], row["extra_data"]) for row in rows] == [
        ("a/", True, {"count": 2}),
        (None, True, {"count": 1}),
        (None, True, {"count": 1}),
        (None, False, {"error_code": "invalid_path"}),
    ]


async def test_filters_know_no_more_than_the_rights(house: House) -> None:
    for path in ("a/1", "a/2", "b/1"):
        await house.put(path, metadata={"tags": ["x"]}, secret_type="json")
    await house.delete("b/1")
    token = await house.client("app", SCOPES)
    grant(house, ("*/1", {"list"}), ("**", {"read"}))
    for query in ({"tag": "x"}, {"secret_type": "json"}, {"updated_after": "2031-01-01"}, {}):
        assert await found(house, token=token, **query) == ["a/1"]
    assert await found(house, token=token, include_deleted="true") == ["a/1", "b/1"]
    grant(house, ("a/2", {"admin"}))
    assert await found(house, token=token, include_deleted="true") == ["a/2"]


async def test_a_count_is_never_an_old_one(house: House) -> None:
    """Whatever changes between two calls is in the second."""
    token = await house.client("app", SCOPES)
    grant(house, ("a/**", {"list"}), ("*/x", {"list"}))
    assert await found(house, token=token) == []
    await house.put("a/1")
    await house.put("b/x", options={"expires_in": "1h"})
    assert await found(house, token=token) == ["a/1", "b/x"]
    assert await found(house) == ["a/1", "b/x"]
    house.clock.advance(HOUR)
    assert await found(house, token=token) == ["a/1"]
    assert await found(house) == ["a/1"]
    await house.call("PATCH", "/v1/secrets/b/x", {"options": {"expires_at": None}})
    assert await found(house, token=token) == ["a/1", "b/x"]
    await house.delete("a/1")
    assert await found(house, token=token) == ["b/x"]
    await house.call("POST", "/v1/secrets/a/1/restore")
    assert await found(house, token=token) == ["a/1", "b/x"]
    grant(house, ("a/**", {"list"}))
    assert await found(house, token=token) == ["a/1"]
    await house.delete("a/1", permanent="true")
    assert await found(house, token=token) == []
    assert await found(house) == ["b/x"]
    house.clock.advance(-2 * HOUR)
    assert await found(house) == ["b/x"]


@pytest.mark.parametrize("few", [0, 1, 500])
async def test_pages_are_the_same_whether_the_count_kept_their_paths(
    house: House, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    monkeypatch.setattr(selection, "_FEW", few)
    for path in ("a/1", "a/2", "b/x", "b/y", "c/x", "c/z", "d/x"):
        await house.put(path, metadata={"tags": ["t"]})
    await house.delete("c/x")
    token = await house.client("app", SCOPES)
    grant(house, ("a/**", {"list"}), ("*/x", {"list"}))
    for query in ({}, {"tag": "t"}, {"include_deleted": "true"}):
        for _ in range(2):
            seen: list[str] = []
            page = (await listed(house, token, limit=2, **query)).json
            while page["has_more"]:
                seen += [item["path"] for item in page["secrets"]]
                page = (await listed(house, token, cursor=page["cursor"])).json
            seen += [item["path"] for item in page["secrets"]]
            deleted = ["c/x"] if "include_deleted" in query else []
            assert seen == ["a/1", "a/2", "b/x", *deleted, "d/x"]
            assert page["total_count"] == len(seen)


async def test_what_is_gone_since_the_count_leaves_its_place_to_the_next(house: House) -> None:
    for path in ("a", "b", "c", "d"):
        await house.put(path)
    await house.delete("b")
    wide = (below("", whole=False),)
    sight = Sight(wide, lambda _: True, lambda _: True, "")
    few = ("a", "b", "c", "d")
    rows = await house.vault.gate.ask(
        lambda db: selection.Selection().page(
            db, house.made["tenant_id"], wide, sight, few, house.clock.now(), 2
        )
    )
    assert [row[0] for row in rows] == ["a", "c"]


async def test_a_clock_that_went_back_counts_what_is_live_again(house: House) -> None:
    await house.put("a", options={"expires_in": "1h"})
    house.clock.advance(HOUR)
    assert await found(house) == []
    house.clock.advance(-MINUTE)
    assert await found(house) == ["a"]
