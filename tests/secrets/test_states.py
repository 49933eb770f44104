"""The states of a path, and what each call answers in each of them."""

from __future__ import annotations

import pytest

from scaivault.clock import DAY, HOUR
from tests.support.house import House

PATH = "app/db"
EXPIRES_AT = "2031-05-09T07:30:00.000000Z"


async def enter(house: House, state: str) -> None:
    """Bring ``PATH`` into a state."""
    if state == "none":
        return
    await house.put(PATH, {"n": 1})
    if state == "expired":
        await house.put(PATH, {"n": 2}, options={"expires_in": "1h"})
        house.clock.advance(HOUR)
    if state in ("deleted", "over"):
        await house.delete(PATH)
    if state == "over":
        house.clock.advance(30 * DAY)


CALLS = {
    "read": ("GET", PATH, None),
    "version": ("GET", f"{PATH}?version=1", None),
    "metadata": ("GET", f"metadata/{PATH}", None),
    "versions": ("GET", f"{PATH}/versions", None),
    "write": ("PUT", PATH, {"data": {"n": 9}}),
    "delete": ("DELETE", PATH, None),
    "permanent": ("DELETE", f"{PATH}?permanent=true", None),
    "one": ("DELETE", f"{PATH}?version=1", None),
    "restore": ("POST", f"{PATH}/restore", None),
}
GONE = (404, "secret_not_found")
EXPIRED = (410, "secret_expired")
TABLE = {
    "none": {**dict.fromkeys(CALLS, GONE), "write": (201, None)},
    "live": {**dict.fromkeys(CALLS, (200, None)), "one": (409, "invalid_state")},
    "expired": {**dict.fromkeys(CALLS, (200, None)), "read": EXPIRED, "version": EXPIRED},
    "deleted": {
        **dict.fromkeys(CALLS, GONE),
        "write": (409, "secret_exists"),
        "permanent": (200, None),
        "restore": (200, None),
    },
    "over": {**dict.fromkeys(CALLS, GONE), "write": (201, None), "permanent": (200, None)},
}


@pytest.mark.parametrize(
    ("state", "call"), [(state, call) for state, calls in TABLE.items() for call in calls]
)
async def test_each_call_in_each_state(house: House, state: str, call: str) -> None:
    await enter(house, state)
    method, target, body = CALLS[call]
    answer = await house.call(method, f"/v1/secrets/{target}", body)
    status, code = TABLE[state][call]
    assert answer.status == status, answer.body
    assert code is None or answer.code == code


async def test_refusals_name_the_path_and_no_more(house: House) -> None:
    assert (await house.read(PATH)).details == {"path": PATH}
    await enter(house, "expired")
    assert (await house.read(PATH)).details == {"path": PATH, "expires_at": EXPIRES_AT}


async def test_a_deleted_path_tells_until_when_it_can_be_restored(house: House) -> None:
    await enter(house, "deleted")
    answer = await house.put(PATH)
    assert answer.details == {"path": PATH, "recoverable_until": "2031-06-08T06:30:00.000000Z"}


async def test_an_expired_secret_lives_again_with_a_new_value(house: House) -> None:
    await enter(house, "expired")
    assert (await house.put(PATH, {"n": 3})).json["version"] == 3
    read = await house.read(PATH)
    assert (read.status, read.json["expires_at"]) == (200, None)
    assert (await house.read(f"{PATH}?version=1")).status == 200


async def test_expiry_is_that_very_instant(house: House) -> None:
    await house.put(PATH, options={"expires_in": "1h"})
    house.clock.advance(HOUR - 1)
    assert (await house.read(PATH)).status == 200
    house.clock.advance(1)
    assert (await house.read(PATH)).code == "secret_expired"


async def test_a_clock_that_goes_back_opens_nothing_that_was_deleted(house: House) -> None:
    await enter(house, "deleted")
    house.clock.advance(-2 * DAY)
    assert (await house.read(PATH)).code == "secret_not_found"


@pytest.mark.parametrize(("late", "status"), [(-1, 200), (0, 404), (1, 404)])
async def test_the_retention_is_thirty_days_to_the_microsecond(
    house: House, late: int, status: int
) -> None:
    await enter(house, "deleted")
    house.clock.advance(30 * DAY + late)
    answer = await house.call("POST", f"/v1/secrets/{PATH}/restore")
    assert answer.status == status


async def test_states_of_two_paths_do_not_touch(house: House) -> None:
    await house.put("app/db/nested", {"n": 1})
    await enter(house, "deleted")
    assert (await house.read("app/db/nested")).status == 200
    assert (await house.read("app")).status == 404


async def test_states_survive_a_restart(house: House) -> None:
    await enter(house, "expired")
    await house.put("kept", {"n": 7})
    await house.restart()
    await house.unseal()
    assert (await house.read(PATH)).code == "secret_expired"
    assert (await house.read("kept")).json["data"] == {"n": 7}
