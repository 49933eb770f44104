"""PATCH: what stands beside the value changes, the value does not."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR
from tests.support.house import Answer, House
from tests.support.rights import grant

PATH = "app/db"
TARGET = f"/v1/secrets/{PATH}"


async def patch(house: House, body: Any = None, **more: Any) -> Answer:
    return await house.call("PATCH", TARGET, body, **more)


async def test_metadata_is_merged_at_its_top_level(house: House) -> None:
    before = {"description": "login", "tags": ["a", "b"], "owner": "team:x", "deep": {"a": 1}}
    await house.put(PATH, {"n": 1}, metadata=before)
    house.clock.advance(HOUR)
    sent = {"tags": ["c", "c"], "owner": None, "deep": {"b": 2}, "ticket": "OPS-1", "none": None}
    answer = await patch(house, {"metadata": sent})
    assert answer.status == 200
    after = {"description": "login", "tags": ["c"], "deep": {"b": 2}, "ticket": "OPS-1"}
    assert answer.json["metadata"] == after
    assert list(answer.json["metadata"]) == list(after)
    assert answer.json == (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    assert answer.json["updated_at"] == "2031-05-09T07:30:00.000000Z"
    assert answer.json["created_at"] == "2031-05-09T06:30:00.000000Z"


async def test_no_version_no_event_and_no_stale_row(house: House) -> None:
    await house.put(PATH, {"n": 1}, metadata={"a": 1})
    assert (await house.read(PATH)).json["metadata"] == {"a": 1}
    told = await house.events()
    answer = await patch(house, {"metadata": {"a": 2}})
    assert (answer.json["current_version"], answer.json["version_count"]) == (1, 1)
    assert "etag" not in answer.headers
    assert await house.events() == told
    read = (await house.read(PATH)).json
    assert (read["metadata"], read["version"], read["data"]) == ({"a": 2}, 1, {"n": 1})


async def test_the_audit_row(house: House) -> None:
    await house.put(PATH)
    answer = await patch(house, {"metadata": {"a": 1}})
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [(row["action"], row["secret_path"], row["extra_data"]) for row in rows] == [
        ("write", PATH, {"operation": "metadata"})
    ]


async def test_numbers_and_spellings_stay_byte_for_byte(house: House) -> None:
    stored = b'{"big":%s,"f":1.10,"s":"\\u0041\\/","o":{"z":1,"a":-0.0}}' % (b"9" * 5000)
    await house.call("PUT", TARGET, raw=b'{"data":{},"metadata":' + stored + b"}")
    added = b'{"more": 12345678901234567890123.50 , "e":1E+2}'
    answer = await house.call("PATCH", TARGET, raw=b'{"metadata":' + added + b"}")
    assert stored[:-1] + b',"more":12345678901234567890123.50,"e":1E+2}' in answer.body
    assert stored[:-1] + b',"more":' in (await house.read(PATH)).body


async def test_null_removes_all_metadata(house: House) -> None:
    await house.put(PATH, metadata={"a": 1, "tags": ["x"]})
    assert (await patch(house, {"metadata": None})).json["metadata"] == {}


async def test_what_is_not_sent_stays(house: House) -> None:
    options = {"max_versions": 3, "notify_before": ["2d"], "expires_in": "30d"}
    await house.put(PATH, options=options, metadata={"a": 1})
    before = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    house.clock.advance(HOUR)
    unchanged: list[Any] = [{"options": {}}, {"metadata": {}}, {"options": {"cas": 1}}]
    for body in unchanged:
        assert (await patch(house, body)).json == before
    after = (await patch(house, {"options": {"max_versions": 4}})).json
    assert after["options"] == {"max_versions": 4, "notify_before": ["2d"]}
    assert (after["expires_at"], after["metadata"]) == (before["expires_at"], {"a": 1})
    assert after["updated_at"] > before["updated_at"]


async def test_null_means_default_or_none(house: House) -> None:
    options = {"max_versions": 3, "notify_before": "2d", "expires_in": "30d"}
    for cleared in ({"expires_at": None}, {"expires_in": None}):
        await house.put(PATH, options=options)
        sent = {
            "max_versions": None, "notify_before": None, "rotation_policy_id": None,
            "secret_policy_id": None, **cleared,
        }  # fmt: skip
        answer = (await patch(house, {"options": sent})).json
        assert answer["options"] == {"max_versions": 10, "notify_before": ["30d", "7d", "1d"]}
        assert (answer["expires_at"], answer["rotation_policy"]) == (None, None)


@pytest.mark.parametrize(
    ("options", "until"),
    [
        ({"expires_in": "2h"}, "2031-05-09T09:30:00.000000Z"),
        ({"expires_at": "2031-06-01"}, "2031-06-01T00:00:00.000000Z"),
        ({"expires_at": None}, None),
        ({"expires_in": None}, None),
    ],
)
async def test_an_expired_secret_lives_again(
    house: House, options: dict[str, Any], until: str | None
) -> None:
    await house.put(PATH, {"n": 1}, options={"expires_in": "1h"})
    house.clock.advance(HOUR)
    assert (await house.read(PATH)).code == "secret_expired"
    assert (await patch(house, {"metadata": {"a": 1}})).status == 200
    assert (await house.read(PATH)).code == "secret_expired"
    assert (await patch(house, {"options": options})).json["expires_at"] == until
    assert (await house.read(PATH)).json["expires_at"] == until


async def test_fewer_versions_prune_at_once(house: House) -> None:
    for n in range(5):
        await house.put(PATH, {"n": n})
    answer = await patch(house, {"options": {"max_versions": 2}})
    assert answer.json["version_count"] == 2
    listed = (await house.get(f"{TARGET}/versions")).json["versions"]
    assert [item["version"] for item in listed] == [5, 4]
    assert (await house.read(PATH, query={"version": 3})).code == "version_not_found"
    assert (await house.read(PATH)).json["data"] == {"n": 4}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "body"),
        ({"data": {}}, "data"),
        ({"metadata": {}, "generate_from": "sp_1"}, "generate_from"),
        ({"metadata": {}, "secret_type": "kv"}, "secret_type"),
        ({"metadata": []}, "metadata"),
        ({"metadata": "x"}, "metadata"),
        ({"metadata": {"": 1}}, "metadata"),
        ({"metadata": {"tags": "x"}}, "metadata.tags"),
        ({"metadata": {"description": 1}}, "metadata.description"),
        ({"metadata": {"owner": "x" * 257}}, "metadata.owner"),
        ({"options": None}, "options"),
        ({"options": {"max_versions": 0}}, "options.max_versions"),
        ({"options": {"max_versions": 101}}, "options.max_versions"),
        ({"options": {"expires_at": "2031-05-09T06:30:00Z"}}, "options.expires_at"),
        ({"options": {"expires_at": "soon"}}, "options.expires_at"),
        ({"options": {"expires_in": "1h", "expires_at": "2032-01-01"}}, "options.expires_at"),
        ({"options": {"expires_in": None, "expires_at": "2032-01-01"}}, "options.expires_at"),
        ({"options": {"notify_before": ["1d"] * 11}}, "options.notify_before"),
        ({"options": {"cas": None}}, "options.cas"),
        ({"options": {"other": 1}}, "options.other"),
    ],
)
async def test_fields_at_fault(house: House, body: Any, field: str) -> None:
    await house.put(PATH, {"n": 1}, metadata={"a": 1})
    before = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    answer = await patch(house, body)
    assert (answer.status, answer.code) == (422, "validation_error"), answer.body
    assert list(answer.details["fields"]) == [field]
    assert (await house.get(f"/v1/secrets/metadata/{PATH}")).json == before


async def test_all_faults_at_once(house: House) -> None:
    body = {
        "metadata": {"owner": 1},
        "options": {"expires_at": "x", "notify_before": ["1d"] * 11},
    }
    answer = await patch(house, body, headers={"If-Match": "1"})
    assert set(answer.details["fields"]) == {
        "metadata.owner", "options.expires_at", "options.notify_before", "if_match",
    }  # fmt: skip


async def test_other_refusals(house: House) -> None:
    assert (await patch(house, {"metadata": {}})).code == "secret_not_found"
    await house.put(PATH, metadata={"a": "x" * 40_000})
    larger = await patch(house, {"metadata": {"b": "x" * 40_000}})
    assert (larger.code, larger.details) == (
        "payload_too_large", {"limit_bytes": 65536, "field": "metadata"},
    )  # fmt: skip
    assert (await patch(house, {"metadata": {"a": None, "b": "x" * 40_000}})).status == 200
    bad = await patch(house, {"options": {"expires_in": "1x"}})
    assert (bad.code, bad.details) == ("invalid_duration", {"field": "options.expires_in"})
    for field, code in (
        ("rotation_policy_id", "rotation_policy_not_found"),
        ("secret_policy_id", "secret_policy_not_found"),
    ):
        answer = await patch(house, {"options": {field: "x_1"}})
        assert (answer.status, answer.code, answer.details) == (404, code, {"id": "x_1"})
    await house.delete(PATH)
    assert (await patch(house, {"metadata": {}})).code == "secret_not_found"


async def test_version_checks(house: House) -> None:
    await house.put(PATH)
    await house.put(PATH)
    for options, headers in (
        ({"cas": 1}, {}), ({"cas": 0}, {}), ({}, {"If-Match": '"1"'}),
    ):  # fmt: skip
        answer = await patch(house, {"metadata": {"a": 1}, "options": options}, headers=headers)
        assert (answer.status, answer.details) == (409, {"current_version": 2})
    both = await patch(house, {"options": {"cas": 1}}, headers={"If-Match": '"2"'})
    assert both.status == 422
    for options, headers in (
        ({"cas": 2}, {}), ({}, {"If-Match": '"2"'}), ({}, {"If-Match": "*"}),
        ({"cas": 2}, {"If-Match": '"2"'}),
    ):  # fmt: skip
        answer = await patch(house, {"metadata": {"a": 1}, "options": options}, headers=headers)
        assert answer.status == 200


async def test_it_takes_write_on_the_path(house: House) -> None:
    await house.put(PATH)
    token = await house.client("app", ["secrets:write"])
    grant(house, ("**", {"read", "list", "delete", "rotate"}))
    answer = await patch(house, {"metadata": {"a": 1}}, token=token)
    assert (answer.code, answer.details["permission"]) == ("access_denied", "write")
    grant(house, (PATH, {"write"}))
    assert (await patch(house, {"metadata": {"a": 1}}, token=token)).status == 200
    narrow = await house.client("narrow", ["secrets:read"])
    assert (await patch(house, {"metadata": {}}, token=narrow)).code == "insufficient_scope"


async def test_tags_are_looked_up_by_their_present_value(house: House) -> None:
    await house.put(PATH, metadata={"tags": ["a", "b"]})
    await patch(house, {"metadata": {"tags": ["b", "c"]}})
    assert await tags(house) == [("b", PATH), ("c", PATH)]
    await house.put(PATH, metadata={})
    assert await tags(house) == []
    await patch(house, {"metadata": {"tags": ["d"]}})
    await house.delete(PATH)
    assert await tags(house) == [("d", PATH)]
    await house.delete(PATH, permanent="true")
    assert await tags(house) == []


async def tags(house: House) -> list[Any]:
    return await house.vault.gate.ask(
        lambda db: db.execute("SELECT tag, path FROM secret_tag ORDER BY tag").fetchall()
    )


async def test_counts_of_reads_are_told(house: House) -> None:
    await house.put(PATH)
    await house.read(PATH)
    house.clock.advance(DAY)
    answer = (await patch(house, {"metadata": {"a": 1}})).json
    assert (answer["access_count_30d"], answer["last_accessed_at"]) == (
        1, "2031-05-09T06:30:00.000000Z",
    )  # fmt: skip
