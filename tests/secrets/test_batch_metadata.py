"""What is known of many paths, or of all that patterns fit, without a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaivault.clock import HOUR
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant

TARGET = "/v1/secrets/batch/metadata"
PATHS = ["retail", "retail/live", "retail/live/card", "retail/live/fx", "lab/live/card", "card"]


async def facts(house: House, *paths: Any, token: str = "", **more: Any) -> Answer:
    return await house.call("POST", TARGET, {"paths": list(paths), **more}, token=token)


async def expanded(house: House, *paths: str, token: str = "") -> list[str]:
    answer = await facts(house, *paths, token=token, expand_wildcards=True)
    assert answer.status == 200, answer.body
    assert answer.json["errors"] == {}
    return sorted(answer.json["metadata"])


async def fill(house: House) -> None:
    for path in PATHS:
        await house.put(path)


async def test_literal_paths(house: House) -> None:
    await house.put("a", metadata={"tags": ["x"]})
    await house.put("a", {"key": "wink-wink"})
    await house.put("b", metadata={"owner": "o"})
    answer = await facts(house, "b", "a", "ghost", "A", "a/*", "a")
    assert answer.status == 200
    assert answer.json["metadata"] == {
        "b": {"version": 1, "updated_at": "2031-05-09T06:30:00.000000Z"},
        "a": {"version": 2, "updated_at": "2031-05-09T06:30:00.000000Z", "tags": ["x"]},
    }
    assert {path: fault["code"] for path, fault in answer.json["errors"].items()} == {
        "ghost": "secret_not_found", "A": "invalid_path", "a/*": "invalid_path",
    }  # fmt: skip
    assert answer.json["truncated"] is False
    assert b"wink" not in answer.body


@pytest.mark.parametrize(
    ("patterns", "fitting"),
    [
        (["**"], PATHS),
        (["retail/*"], ["retail/live"]),
        (["retail/**"], ["retail/live", "retail/live/card", "retail/live/fx"]),
        (["*/live/*"], ["lab/live/card", "retail/live/card", "retail/live/fx"]),
        (["**/card"], ["lab/live/card", "retail/live/card"]),
        (["retail/**/card", "lab/**", "retail/live/f?"],
         ["lab/live/card", "retail/live/card", "retail/live/fx"]),
        (["*", "retail"], ["card", "retail"]),
        (["zz/**"], []),
        (["a.b/*"], []),
    ],
)  # fmt: skip
async def test_patterns(house: House, patterns: list[str], fitting: list[str]) -> None:
    await fill(house)
    assert await expanded(house, *patterns) == sorted(fitting)


async def test_literals_beside_patterns_are_what_they_are_alone(house: House) -> None:
    await fill(house)
    answer = await facts(house, "lab/*", "card", "ghost", "B", expand_wildcards=True)
    assert list(answer.json["metadata"]) == ["card"]
    assert {path: fault["code"] for path, fault in answer.json["errors"].items()} == {
        "ghost": "secret_not_found", "B": "invalid_path",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("/a/**", "leading_slash"), ("A/*", "character"), ("a**", "double_star"),
        ("a/**/**", "double_star"), ("a//*", "empty_segment"), ("*/" * 10 + "a", "too_deep"),
        ("../*", "dot_segment"), ("a" * 512 + "*", "too_long"),
    ],
)  # fmt: skip
async def test_bad_patterns(house: House, pattern: str, reason: str) -> None:
    await fill(house)
    answer = await facts(house, "card", pattern, expand_wildcards=True)
    assert (answer.status, answer.code) == (400, "invalid_glob")
    assert answer.details == {"field": "paths", "pattern": pattern[:512], "reason": reason}
    row = (await house.rows(action="list"))[-1]
    assert row["extra_data"] == {"error_code": "invalid_glob"}


async def test_expansion_leaves_out_what_is_not_live(house: House) -> None:
    await house.put("a/live")
    await house.put("a/late", options={"expires_in": "1h"})
    await house.put("a/gone")
    await house.delete("a/gone")
    house.clock.advance(HOUR)
    assert await expanded(house, "a/*") == ["a/live"]
    answer = await facts(house, "a/late", "a/gone")
    assert list(answer.json["metadata"]) == ["a/late"]
    assert answer.json["errors"]["a/gone"]["code"] == "secret_not_found"


async def test_rights(house: House) -> None:
    await fill(house)
    token = await house.client("app", ["secrets:list"])
    assert await expanded(house, "**", token=token) == []
    grant(house, ("*/live/card", {"list"}), ("retail", {"admin"}), ("retail/**", {"read"}))
    assert await expanded(house, "**", token=token) == [
        "lab/live/card", "retail", "retail/live/card",
    ]  # fmt: skip
    assert await expanded(house, "retail/*/*", token=token) == ["retail/live/card"]
    answer = await facts(house, "retail", "retail/live", "ghost", token=token)
    assert list(answer.json["metadata"]) == ["retail"]
    codes = {path: fault["code"] for path, fault in answer.json["errors"].items()}
    # What may not be listed tells nothing of whether it is there.
    assert codes == {"retail/live": "access_denied", "ghost": "access_denied"}


async def test_one_row_and_an_event_for_each_refusal(house: House) -> None:
    await fill(house)
    token = await house.client("app", SCOPES)
    grant(house, ("retail/**", {"list"}))
    before = len(await house.rows())
    await facts(house, "retail/live", "card", "A", "retail/*", token=token, expand_wildcards=True)
    (row,) = (await house.rows())[before:]
    assert (row["action"], row["secret_path"], row["success"]) == ("list", None, True)
    assert row["extra_data"] == {"paths": ["retail/live", "card", "retail/*"], "count": 1}
    events = [event for event in await house.events() if event["event_type"] == "policy.violation"]
    assert [(event["path"], event["data"]["permission"]) for event in events] == [("card", "list")]


async def test_long_names_hide_none(house: House) -> None:
    """A row holds 8 KiB: then there are several, of one request."""
    await house.put("card")
    paths = [f"{number:03}" + "a" * 500 for number in range(99)] + ["card"]
    answer = await facts(house, *paths)
    assert list(answer.json["metadata"]) == ["card"]
    rows = await house.rows(action="list")
    assert [path for row in rows for path in row["extra_data"]["paths"]] == paths
    assert {row["request_id"] for row in rows} == {answer.headers["x-request-id"]}
    assert [row["extra_data"].get("count") for row in rows] == [1] + [None] * (len(rows) - 1)
    assert max(len(json.dumps(row["extra_data"])) for row in rows) < 8 * 1024


async def test_no_more_than_a_thousand(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaivault.secrets.batch._RESULTS", 3)
    for number in range(3):
        await house.put(f"a/{number}")
    answer = await facts(house, "a/2", "a/*", expand_wildcards=True)
    assert (len(answer.json["metadata"]), answer.json["truncated"]) == (3, False)
    await house.put("b")
    answer = await facts(house, "b", "a/*", expand_wildcards=True)
    assert list(answer.json["metadata"]) == ["b", "a/0", "a/1"]
    assert answer.json["truncated"] is True
    (row,) = (await house.rows(action="list"))[-1:]
    assert row["extra_data"]["count"] == 3


async def test_it_counts_as_no_access(house: House) -> None:
    await house.put("a")
    await facts(house, "a")
    info = (await house.get("/v1/secrets/metadata/a")).json
    assert (info["access_count_30d"], info["last_accessed_at"]) == (0, None)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "paths"), ({"paths": []}, "paths"), ({"paths": ["a"] * 101}, "paths"),
        ({"paths": ["a"], "options": {}}, "options"),
        ({"paths": ["a"], "expand_wildcards": "yes"}, "expand_wildcards"),
    ],
)  # fmt: skip
async def test_bodies_at_fault(house: House, body: dict[str, Any], field: str) -> None:
    answer = await house.call("POST", TARGET, body)
    assert (answer.status, list(answer.details["fields"])) == (422, [field])


async def test_rates_and_scopes(house: House) -> None:
    house.vault.limits.configure({"batch_metadata": 2})
    assert (await facts(house, "a")).headers["x-ratelimit-remaining"] == "1"
    token = await house.client("app", ["secrets:read"])
    answer = await facts(house, "a", token=token)
    assert answer.details["required_scope"] == "secrets:list"
