"""Rotation by hand: a new version, and an end for those before it."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR, SECOND
from tests.support.house import Answer, House
from tests.support.rights import grant

PATH = "app/db"
TARGET = f"/v1/secrets/{PATH}"


async def rotate(
    house: House, n: int = 9, *, headers: Any = None, token: str = "", **body: Any
) -> Answer:
    sent = {"new_value": {"n": n}, **body}
    return await house.call("POST", f"{TARGET}/rotate", sent, headers=headers, token=token)


async def versions(house: House) -> dict[int, str | None]:
    listed = (await house.get(f"{TARGET}/versions")).json["versions"]
    return {item["version"]: item["readable_until"] for item in listed}


async def test_the_answer(house: House) -> None:
    await house.put(PATH, {"n": 1}, secret_type="json", metadata={"a": 1})
    house.clock.advance(SECOND)
    answer = await rotate(house, 2, grace_period="12h", reason="drill")
    assert answer.status == 200
    assert answer.json == {
        "path": PATH,
        "version": 2,
        "created": False,
        "previous_version": 1,
        "updated_at": "2031-05-09T06:30:01.000000Z",
        "grace_period_ends": "2031-05-09T18:30:01.000000Z",
        "auto_generated": False,
        "rotation_policy_id": None,
    }
    assert answer.headers["etag"] == '"2"'
    read = (await house.read(PATH)).json
    assert (read["data"], read["version"], read["secret_type"]) == ({"n": 2}, 2, "json")
    assert (read["metadata"], read["readable_until"]) == ({"a": 1}, None)


async def test_older_versions_end_with_the_grace(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    await rotate(house, 3, grace_period="1h")
    first = "2031-05-09T07:30:00.000000Z"
    assert await versions(house) == {3: None, 2: first, 1: first}
    house.clock.advance(HOUR // 2)
    await rotate(house, 4)
    second = "2031-05-11T07:00:00.000000Z"  # 48h unless said otherwise
    assert await versions(house) == {4: None, 3: second, 2: first, 1: first}
    house.clock.advance(HOUR // 2 - 1)
    old = await house.read(PATH, query={"version": 1})
    assert (old.json["data"], old.json["readable_until"]) == ({"n": 1}, first)
    house.clock.advance(1)
    for number in (1, 2):
        answer = await house.read(PATH, query={"version": number})
        assert (answer.status, answer.code) == (404, "version_not_found")
    assert (await house.read(PATH, query={"version": 3})).json["data"] == {"n": 3}
    assert set(await versions(house)) == {1, 2, 3, 4}
    house.clock.advance(3 * DAY)
    assert (await house.read(PATH)).json["data"] == {"n": 4}


async def test_versions_inside_their_grace_outlive_max_versions(house: House) -> None:
    await house.put(PATH, {"n": 1}, options={"max_versions": 1})
    await rotate(house, 2, grace_period="2h")
    await rotate(house, 3, grace_period="1h")
    assert set(await versions(house)) == {1, 2, 3}
    house.clock.advance(HOUR)
    await house.put(PATH, {"n": 4})
    assert set(await versions(house)) == {1, 4}  # 2 was past its grace, 3 had none any more
    house.clock.advance(HOUR)
    await house.call("PATCH", TARGET, {"options": {"max_versions": 1}})
    assert set(await versions(house)) == {1, 4}  # the same limit: nothing to prune by
    await house.put(PATH, {"n": 5})
    assert set(await versions(house)) == {5}


async def test_the_audit_row(house: House) -> None:
    await house.put(PATH)
    answer = await rotate(house, reason="Suspected compromise", grace_period="1h30m")
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [(row["action"], row["secret_path"], row["extra_data"]) for row in rows] == [
        (
            "rotate",
            PATH,
            {
                "version": 2,
                "old_version": 1,
                "rotation_policy_id": None,
                "rotation_id": None,
                "trigger": "manual",
                "reason": "Suspected compromise",
                "auto_generated": False,
                "grace_period": "1h30m",
            },
        )
    ]


async def test_the_longest_reason_fits_the_row(house: House) -> None:
    await house.put(PATH)
    answer = await rotate(house, reason="\U0001f511" * 1024)
    assert answer.status == 200
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert row["extra_data"]["reason"] == "\U0001f511" * 1024
    assert (await rotate(house, reason="x" * 1025)).status == 422


async def test_the_events_in_their_order(house: House) -> None:
    await house.put(PATH)
    before = len(await house.events())
    await rotate(house, grace_period="1h")
    told = (await house.events())[before:]
    assert [event["event_type"] for event in told] == [
        "secret.updated", "secret.rotated", "rotation.completed",
    ]  # fmt: skip
    assert [event["path"] for event in told] == [PATH] * 3
    rotated = {
        "old_version": 1,
        "new_version": 2,
        "rotation_policy_id": None,
        "rotation_policy_name": None,
        "grace_period_ends": "2031-05-09T07:30:00.000000Z",
        "auto_generated": False,
    }
    assert told[0]["data"] == {
        "old_version": 1, "new_version": 2, "updated_by": told[0]["identity_id"],
        "is_rotation": True,
    }  # fmt: skip
    assert told[1]["data"] == rotated
    assert told[2]["data"] == {
        **rotated, "rotation_id": None, "trigger": "manual", "next_rotation_at": None,
    }  # fmt: skip


async def test_no_value_is_ever_told(house: House) -> None:
    await house.put(PATH)
    answer = await house.call(
        "POST", f"{TARGET}/rotate", {"new_value": {"password": "hunter-2"}, "reason": "r"}
    )
    told = repr([answer.body, await house.events(), await house.rows()])
    assert "hunter-2" not in told
    assert answer.status == 200


@pytest.mark.parametrize("body", [None, {}, {"new_value": None}, {"grace_period": "1h"}])
async def test_without_a_value(house: House, body: Any) -> None:
    await house.put(PATH)
    answer = await house.call("POST", f"{TARGET}/rotate", body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == ["new_value"]
    assert set(await versions(house)) == {1}


async def test_values_at_fault(house: House) -> None:
    await house.put(PATH)
    listed = await house.call("POST", f"{TARGET}/rotate", {"new_value": []})
    assert listed.details == {"fields": {"new_value": "must be an object"}}
    large = await house.call("POST", f"{TARGET}/rotate", {"new_value": {"a": "x" * 524288}})
    assert (large.status, large.details) == (413, {"limit_bytes": 524288, "field": "new_value"})
    for text in ("", "0s", "1.5h", "-1h", "1H", "36501d", "5"):
        answer = await rotate(house, grace_period=text)
        assert (answer.code, answer.details) == ("invalid_duration", {"field": "grace_period"})
    assert (await rotate(house, grace_period=5)).status == 422
    assert (await rotate(house, other=1)).status == 422
    assert set(await versions(house)) == {1}


async def test_states(house: House) -> None:
    assert (await rotate(house)).code == "secret_not_found"
    await house.put(PATH, options={"expires_in": "1h"})
    house.clock.advance(HOUR)
    expired = await rotate(house)
    assert (expired.status, expired.code) == (410, "secret_expired")
    assert expired.details == {"path": PATH, "expires_at": "2031-05-09T07:30:00.000000Z"}
    await house.delete(PATH)
    assert (await rotate(house)).code == "secret_not_found"


async def test_if_match(house: House) -> None:
    await house.put(PATH)
    refused = await rotate(house, headers={"If-Match": '"2"'})
    assert (refused.status, refused.details) == (409, {"current_version": 1})
    assert (await rotate(house, headers={"If-Match": '"1"'})).status == 200
    assert (await rotate(house, headers={"If-Match": "*"})).status == 200
    assert (await rotate(house, headers={"If-Match": "1"})).status == 422


async def test_it_takes_rotate_on_the_path(house: House) -> None:
    await house.put(PATH)
    token = await house.client("app", ["secrets:rotate"])
    grant(house, ("**", {"read", "write", "list", "delete"}))
    answer = await rotate(house, token=token)
    assert (answer.code, answer.details["permission"]) == ("access_denied", "rotate")
    grant(house, (PATH, {"rotate"}))
    assert (await rotate(house, token=token)).status == 200
    writer = await house.client("writer", ["secrets:write"])
    answer = await rotate(house, token=writer)
    assert answer.details == {"required_scope": "secrets:rotate"}


async def test_the_same_key_rotates_once(house: House) -> None:
    await house.put(PATH)
    first = await rotate(house, headers={"Idempotency-Key": "k"})
    again = await rotate(house, headers={"Idempotency-Key": "k"})
    assert first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"
    assert set(await versions(house)) == {1, 2}
    assert house.vault.secrets.rotations == {"success": 1, "failed": 0}


async def test_a_version_that_becomes_current_again_has_no_end(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await rotate(house, 2, grace_period="1h")
    await house.call("DELETE", f"{TARGET}?version=2")
    assert await versions(house) == {1: None}
    house.clock.advance(2 * HOUR)
    assert (await house.read(PATH)).json["data"] == {"n": 1}
    await rotate(house, 3, grace_period="1h")
    assert set(await versions(house)) == {1, 3}
    house.clock.advance(HOUR)
    only = await house.call("DELETE", f"{TARGET}?version=3")
    assert (only.code, only.details["reason"]) == ("invalid_state", "last_version")


async def test_rotations_and_written_versions_are_counted(house: House) -> None:
    await house.put(PATH)
    await house.put(PATH)
    await rotate(house)
    await house.call("PATCH", TARGET, {"metadata": {"a": 1}})
    await house.delete(PATH)
    await house.call("POST", f"{TARGET}/restore")
    assert house.vault.secrets.writes == {house.made["tenant_id"]: 3}
    text = (await house.app.meter.fresh()).decode()
    assert 'scaivault_secret_rotations_total{status="success"} 1.0' in text
    assert 'scaivault_secret_rotations_total{status="failed"} 0.0' in text
