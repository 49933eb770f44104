"""Metadata: what is kept of it, and the call that never tells a value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import House

PATH = "app/db"
LONG = b"9" * 5000  # more digits than Python converts


async def info(house: House) -> dict[str, Any]:
    found: dict[str, Any] = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    return found


async def put_raw(house: House, metadata: bytes) -> Any:
    body = b'{"data":{},"metadata":' + metadata + b"}"
    return await house.call("PUT", f"/v1/secrets/{PATH}", raw=body)


async def test_the_whole_object(house: House) -> None:
    metadata = {"description": "d", "tags": ["b", "a"], "owner": "team:x", "ticket": {"n": [1]}}
    await house.put(PATH, {"n": 1}, metadata=metadata)
    house.clock.advance(DAY)
    await house.put(PATH, {"n": 2})
    answer = await house.get(f"/v1/secrets/metadata/{PATH}")
    assert "etag" not in answer.headers
    assert answer.json == {
        "path": PATH,
        "secret_type": "kv",
        "current_version": 2,
        "version_count": 2,
        "metadata": metadata,
        "created_at": "2031-05-09T06:30:00.000000Z",
        "updated_at": "2031-05-10T06:30:00.000000Z",
        "expires_at": None,
        "last_accessed_at": None,
        "access_count_30d": 0,
        "rotation_policy": None,
        "secret_policy_id": None,
        "options": {"max_versions": 10, "notify_before": ["30d", "7d", "1d"]},
        "source": None,
    }


async def test_an_update_replaces_the_whole_and_absence_keeps_it(house: House) -> None:
    await house.put(PATH, {}, metadata={"a": 1, "b": 2})
    await house.put(PATH, {})
    assert (await info(house))["metadata"] == {"a": 1, "b": 2}
    await house.put(PATH, {}, metadata={"c": 3})
    assert (await info(house))["metadata"] == {"c": 3}
    await house.put(PATH, {}, metadata={})
    assert (await info(house))["metadata"] == {}


async def test_repeated_tags_are_dropped_in_order(house: House) -> None:
    await house.put(PATH, {}, metadata={"z": 1.50, "tags": ["b", "a", "b"], "y": None})
    assert (await info(house))["metadata"] == {"z": 1.50, "tags": ["b", "a"], "y": None}
    listed = (await house.get("/v1/secrets")).json["secrets"]
    assert listed[0]["tags"] == ["b", "a"]


async def test_numbers_too_long_for_conversion_pass_through(house: House) -> None:
    assert (await put_raw(house, b'{"n":' + LONG + b',"tags":["a","a"]}')).status == 201
    answer = await house.get(f"/v1/secrets/metadata/{PATH}")
    assert b'"metadata":{"n":' + LONG + b',"tags":["a"]}' in answer.body
    assert (await house.get("/v1/secrets")).json["secrets"][0]["tags"] == ["a"]
    assert LONG in (await house.read(PATH)).body


GOOD: list[dict[str, Any]] = [
    {"tags": [str(n) for n in range(64)]},
    {"tags": ["x"] * 500},
    {"tags": ["t" * 128]},
    {"tags": None, "description": None, "owner": None},
    {"description": "d" * 4096, "owner": "o" * 256},
    {"k" * 128: 1, "\N{SNOWMAN}": "\x00"},
]


@pytest.mark.parametrize("metadata", GOOD)
async def test_at_the_limits(house: House, metadata: dict[str, Any]) -> None:
    assert (await house.put(PATH, {}, metadata=metadata)).status == 201
    assert (await house.get("/v1/secrets")).status == 200


BAD: list[tuple[dict[str, Any], str]] = [
    ({"tags": [str(n) for n in range(65)]}, "metadata.tags"),
    ({"tags": ["t" * 129]}, "metadata.tags"),
    ({"tags": [""]}, "metadata.tags"),
    ({"tags": "a"}, "metadata.tags"),
    ({"tags": [1]}, "metadata.tags"),
    ({"tags": {}}, "metadata.tags"),
    ({"description": "d" * 4097}, "metadata.description"),
    ({"description": 1}, "metadata.description"),
    ({"owner": "o" * 257}, "metadata.owner"),
    ({"owner": []}, "metadata.owner"),
    ({"": 1}, "metadata"),
    ({"k" * 129: 1}, "metadata"),
]


@pytest.mark.parametrize(("metadata", "field"), BAD)
async def test_beyond_the_limits(house: House, metadata: dict[str, Any], field: str) -> None:
    answer = await house.put(PATH, {}, metadata=metadata)
    assert (answer.status, list(answer.details["fields"])) == (422, [field])


async def test_all_faults_of_metadata_at_once(house: House) -> None:
    answer = await house.put(PATH, {}, metadata={"": 1, "tags": 1, "owner": 1, "description": 1})
    assert len(answer.details["fields"]) == 4


@pytest.mark.parametrize(("extra", "status"), [(0, 201), (1, 413)])
async def test_the_size_is_that_of_compact_json(house: House, extra: int, status: int) -> None:
    filling = b'{ "a" : "' + b"x" * (64 * 1024 - len('{"a":""}') + extra) + b'" }'
    answer = await put_raw(house, filling)
    assert answer.status == status
    if status == 413:
        assert answer.code == "payload_too_large"
        assert answer.details == {"limit_bytes": 65536, "field": "metadata"}


@pytest.mark.parametrize(("extra", "status"), [("", 201), ("x", 413)])
async def test_escapes_do_not_count(house: House, extra: str, status: int) -> None:
    """``json.dumps`` spells what is not ASCII with escapes; the value is as long as before."""
    filling = "\N{EURO SIGN}" * ((64 * 1024 - 8) // 3) + "xx" + extra
    answer = await put_raw(house, json.dumps({"a": filling}).encode())
    assert answer.status == status, answer.body
    if status == 413:
        assert answer.details == {"limit_bytes": 65536, "field": "metadata"}
    else:
        told = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
        assert told["metadata"] == {"a": filling}


async def test_metadata_never_tells_the_value(house: House) -> None:
    await house.put(PATH, {"password": "canary-5d1f"})
    for target in (f"metadata/{PATH}", f"{PATH}/versions", ""):
        answer = await house.get(f"/v1/secrets/{target}".rstrip("/"))
        assert (answer.status, b"canary" in answer.body) == (200, False)


async def test_paths_below_reserved_words_are_asked_by_metadata_too(house: House) -> None:
    await house.put("versions/a", {})
    assert (await house.get("/v1/secrets/metadata/versions/a")).status == 200
    assert (await house.get("/v1/secrets/versions/a/versions")).status == 200
