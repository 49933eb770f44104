"""What a write takes besides the value: type, expiry, warnings, links."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY, HOUR
from tests.support.house import House

PATH = "app/db"
TYPES = ["kv", "json", "certificate", "ssh_key", "api_key"]


async def info(house: House) -> dict[str, Any]:
    found: dict[str, Any] = (await house.get(f"/v1/secrets/metadata/{PATH}")).json
    return found


@pytest.mark.parametrize("secret_type", TYPES)
async def test_types(house: House, secret_type: str) -> None:
    answer = await house.put(PATH, {"n": 1}, secret_type=secret_type)
    assert answer.json["secret_type"] == secret_type
    assert (await house.read(PATH)).json["secret_type"] == secret_type


@pytest.mark.parametrize("secret_type", ["", "KV", " kv", "password"])
async def test_unknown_types(house: House, secret_type: str) -> None:
    answer = await house.put(PATH, {"n": 1}, secret_type=secret_type)
    assert (answer.status, answer.code) == (400, "invalid_secret_type")
    assert answer.details == {"allowed": TYPES}


@pytest.mark.parametrize(
    ("options", "expires_at"),
    [
        ({}, None),
        ({"expires_in": "1h30m"}, "2031-05-09T08:00:00.000000Z"),
        ({"expires_at": "2031-05-09T09:30:00+02:00"}, "2031-05-09T07:30:00.000000Z"),
        ({"expires_at": "2031-05-10"}, "2031-05-10T00:00:00.000000Z"),
        ({"expires_at": None}, None),
        ({"expires_in": None}, None),
    ],
)
async def test_expiry(house: House, options: dict[str, Any], expires_at: str | None) -> None:
    answer = await house.put(PATH, {"n": 1}, options=options)
    assert answer.json["expires_at"] == expires_at
    assert (await info(house))["expires_at"] == expires_at


FAULTS: list[tuple[dict[str, Any], int, str]] = [
    ({"expires_in": ""}, 400, "options.expires_in"),
    ({"expires_in": "0s"}, 400, "options.expires_in"),
    ({"expires_in": "36501d"}, 400, "options.expires_in"),
    ({"expires_in": "1H"}, 400, "options.expires_in"),
    ({"expires_in": 60}, 422, "options.expires_in"),
    ({"expires_in": "1h", "expires_at": "2031-06-01"}, 422, "options.expires_at"),
    ({"expires_at": "2031-05-09T06:30:00Z"}, 422, "options.expires_at"),
    ({"expires_at": "0001-01-01T00:00:00+14:00"}, 422, "options.expires_at"),
    ({"expires_at": "9999-12-31T23:59:59-14:00"}, 422, "options.expires_at"),
    ({"expires_at": "2031-06-01T00:00:00"}, 422, "options.expires_at"),
    ({"expires_at": ""}, 422, "options.expires_at"),
    ({"expires_at": "2031-W25-1T06:30:00Z"}, 422, "options.expires_at"),
    ({"expires_at": "2031-06- 1"}, 422, "options.expires_at"),
    ({"expires_at": "２０３１-06-01"}, 422, "options.expires_at"),  # noqa: RUF001
    ({"expires_at": "2031-02-30"}, 422, "options.expires_at"),
    ({"expires_at": 1}, 422, "options.expires_at"),
    ({"max_versions": 0}, 422, "options.max_versions"),
    ({"max_versions": 101}, 422, "options.max_versions"),
    ({"max_versions": 1.5}, 422, "options.max_versions"),
    ({"max_versions": True}, 422, "options.max_versions"),
    ({"cas": -1}, 422, "options.cas"),
    ({"cas": "1"}, 422, "options.cas"),
    ({"notify_before": ["x"]}, 400, "options.notify_before"),
    ({"notify_before": "1d,,2d"}, 400, "options.notify_before"),
    ({"notify_before": [1]}, 422, "options.notify_before[0]"),
    ({"notify_before": [f"{n}d" for n in range(1, 12)]}, 422, "options.notify_before"),
    ({"notify_before": ",".join(f"{n}d" for n in range(1, 12))}, 422, "options.notify_before"),
    ({"unknown": 1}, 422, "options.unknown"),
]


@pytest.mark.parametrize(("options", "status", "field"), FAULTS)
async def test_faults(house: House, options: dict[str, Any], status: int, field: str) -> None:
    answer = await house.put(PATH, {"n": 1}, options=options)
    assert answer.status == status, answer.body
    if status == 400:
        assert (answer.code, answer.details) == ("invalid_duration", {"field": field})
    else:
        assert list(answer.details["fields"]) == [field]
    assert (await house.read(PATH)).code == "secret_not_found"


async def test_all_faults_at_once(house: House) -> None:
    answer = await house.call(
        "PUT",
        f"/v1/secrets/{PATH}",
        {
            "metadata": {"tags": "x"},
            "options": {"expires_in": "1h", "expires_at": "2031-06-01", "cas": 1},
        },
        headers={"If-Match": '"2"'},
    )
    assert sorted(answer.details["fields"]) == [
        "data", "metadata.tags", "options.cas", "options.expires_at",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (None, ["30d", "7d", "1d"]),
        ("1d,30d, 7d", ["30d", "7d", "1d"]),
        (["1h", "2w", "1h"], ["2w", "1h"]),
        ([], []),
        ("", []),
    ],
)
async def test_warnings_are_kept_longest_first(house: House, sent: Any, kept: list[str]) -> None:
    await house.put(PATH, {"n": 1}, options={"notify_before": sent})
    assert (await info(house))["options"] == {"max_versions": 10, "notify_before": kept}


async def test_what_is_left_out_or_null_stays(house: House) -> None:
    options = {"max_versions": 3, "notify_before": ["2d"], "expires_in": "1d"}
    await house.put(PATH, {"n": 1}, secret_type="json", metadata={"a": 1}, options=options)
    before = await info(house)
    nothing = {"max_versions": None, "notify_before": None, "expires_in": None, "cas": None}
    bodies: list[dict[str, Any]] = [
        {}, {"options": {}}, {"options": None}, {"options": nothing}, {"metadata": None},
    ]  # fmt: skip
    for body in bodies:
        await house.put(PATH, {"n": 2}, **body)
        after = await info(house)
        for field in ("secret_type", "metadata", "options", "expires_at"):
            assert after[field] == before[field]


async def test_null_clears_the_expiry(house: House) -> None:
    await house.put(PATH, {"n": 1}, options={"expires_in": "1h"})
    await house.put(PATH, {"n": 2}, options={"expires_at": None})
    assert (await info(house))["expires_at"] is None


async def test_an_expiry_that_has_passed_is_not_kept_but_one_ahead_is(house: House) -> None:
    await house.put(PATH, {"n": 1}, options={"expires_in": "2h"})
    house.clock.advance(HOUR)
    await house.put(PATH, {"n": 2})
    assert (await info(house))["expires_at"] == "2031-05-09T08:30:00.000000Z"
    house.clock.advance(DAY)
    await house.put(PATH, {"n": 3})
    assert (await info(house))["expires_at"] is None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"data": {}, "options": {"rotation_policy_id": "rot_x"}}, "rotation_policy_not_found"),
        ({"data": {}, "options": {"secret_policy_id": "sp_x"}}, "secret_policy_not_found"),
        ({"generate_from": "sp_x"}, "secret_policy_not_found"),
        ({"generate_from": "", "data": None}, "secret_policy_not_found"),
    ],
)
async def test_links_to_nothing(house: House, body: dict[str, Any], code: str) -> None:
    answer = await house.call("PUT", f"/v1/secrets/{PATH}", body)
    assert (answer.status, answer.code) == (404, code)
    assert list(answer.details) == ["id"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "data"),
        ({"data": None}, "data"),
        ({"data": []}, "data"),
        ({"data": "text"}, "data"),
        ({"data": {}, "generate_from": "sp_x"}, "generate_from"),
        ({"data": {}, "generate_from": 1}, "generate_from"),
        ({"data": {}, "secret_type": 1}, "secret_type"),
        ({"data": {}, "version": 1}, "version"),
        ({"data": {}, "metadata": []}, "metadata"),
        ({"data": {}, "options": []}, "options"),
    ],
)
async def test_bodies_at_fault(house: House, body: dict[str, Any], field: str) -> None:
    answer = await house.call("PUT", f"/v1/secrets/{PATH}", body)
    assert (answer.status, list(answer.details["fields"])) == (422, [field])
