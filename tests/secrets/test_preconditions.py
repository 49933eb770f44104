"""Version checks: options.cas, If-Match, If-None-Match."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from scaivault.errors import Refusal
from scaivault.secrets.model import Wanted, check_version, wanted
from tests.support.house import House
from tests.support.rights import SCOPES

PATH = "app/db"

# (cas, If-Match, If-None-Match) -> (status where nothing is, status where version 2 is current)
CHECKS: dict[tuple[int | None, str | None, str | None], tuple[int, int]] = {
    (None, None, None): (201, 200),
    (0, None, None): (201, 409),
    (1, None, None): (409, 409),
    (2, None, None): (409, 200),
    (None, '"2"', None): (409, 200),
    (None, '"1"', None): (409, 409),
    (None, "*", None): (409, 200),
    (None, None, "*"): (201, 409),
    (2, '"2"', None): (409, 200),
    (2, "*", None): (409, 200),
    (0, None, "*"): (201, 409),
    (2, '"1"', None): (422, 422),
    (0, '"2"', None): (422, 422),
    (0, "*", None): (422, 422),
    (2, None, "*"): (422, 422),
    (None, "*", "*"): (422, 422),
    (None, '"2"', "*"): (422, 422),
    (None, "2", None): (422, 422),
    (None, 'W/"2"', None): (422, 422),
    (None, '"2", "3"', None): (422, 422),
    (None, '"02"', None): (422, 422),
    (None, '"0"', None): (422, 422),
    (None, '""', None): (422, 422),
    (None, '"\xb2"', None): (422, 422),
    (None, "", None): (422, 422),
    (None, None, '"2"'): (422, 422),
}


@pytest.mark.parametrize(("check", "there"), [(c, t) for c in CHECKS for t in (False, True)])
async def test_writes(house: House, check: tuple[Any, Any, Any], there: bool) -> None:
    if there:
        await house.put(PATH, {"n": 1})
        await house.put(PATH, {"n": 2})
    cas, if_match, if_none_match = check
    named = {"If-Match": if_match, "If-None-Match": if_none_match}
    headers = {name: value for name, value in named.items() if value is not None}
    options = {} if cas is None else {"options": {"cas": cas}}
    answer = await house.put(PATH, {"n": 3}, headers=headers, **options)
    assert answer.status == CHECKS[check][there], answer.body
    if answer.status == 409:
        assert answer.code == "version_conflict"
        assert answer.details == {"current_version": 2 if there else None}
    if answer.status >= 400 and there:
        assert (await house.read(PATH)).json["data"] == {"n": 2}


@pytest.mark.parametrize(
    ("if_match", "status"), [('"2"', 200), ('"1"', 409), ("*", 200), ("x", 422)]
)
@pytest.mark.parametrize("query", ["", "?permanent=true", "?version=1"])
async def test_deletes(house: House, if_match: str, status: int, query: str) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})
    answer = await house.call(
        "DELETE", f"/v1/secrets/{PATH}{query}", headers={"If-Match": if_match}
    )
    assert answer.status == status
    if status == 409:
        assert answer.details == {"current_version": 2}
        assert len((await house.get(f"/v1/secrets/{PATH}/versions")).json["versions"]) == 2


async def test_existence_comes_before_preconditions(house: House) -> None:
    wrong = {"If-Match": '"9"'}
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}", headers=wrong)
    assert answer.code == "secret_not_found"
    await house.put(PATH, {"n": 1})
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}?version=7", headers=wrong)
    assert answer.code == "version_not_found"
    answer = await house.call("DELETE", f"/v1/secrets/{PATH}?version=1", headers=wrong)
    assert answer.code == "invalid_state"
    answer = await house.put(PATH, headers=wrong, options={"rotation_policy_id": "rot_x"})
    assert answer.code == "rotation_policy_not_found"
    await house.delete(PATH)
    assert (await house.put(PATH, headers=wrong)).code == "secret_exists"


async def test_a_malformed_check_is_told_before_the_policy_is_asked(house: House) -> None:
    token = await house.client("nobody", SCOPES)
    answer = await house.put(PATH, token=token, headers={"If-Match": "x"})
    assert (answer.status, list(answer.details["fields"])) == (422, ["if_match"])


async def test_reads_take_no_conditions(house: House) -> None:
    await house.put(PATH, {"n": 1})
    answer = await house.read(PATH, headers={"If-Match": '"9"', "If-None-Match": '"1"'})
    assert answer.status == 200


async def test_of_many_writers_with_one_belief_one_wins(house: House) -> None:
    await house.put(PATH, {"n": 0})
    answers = await asyncio.gather(
        *(house.put(PATH, {"n": n}, options={"cas": 1}) for n in range(20))
    )
    assert sorted(answer.status for answer in answers) == [200] + [409] * 19


async def test_writers_without_a_check_all_get_a_version_of_their_own(house: House) -> None:
    answers = await asyncio.gather(*(house.put(PATH, {"n": n}) for n in range(20)))
    assert sorted(answer.json["version"] for answer in answers) == list(range(1, 21))
    assert sorted(answer.status for answer in answers) == [200] * 19 + [201]


def test_the_decision_alone() -> None:
    assert wanted(None, None) == Wanted(None, False)
    check_version(None, Wanted(0, False))
    check_version(7, Wanted(7, True))


@pytest.mark.parametrize(
    ("current", "believed", "told"),
    [
        (3, Wanted(0, False), "the secret is at version 3 and none was expected"),
        (3, Wanted(2, False), "the secret is at version 3 and version 2 was expected"),
        (None, Wanted(2, True), "there is no secret and version 2 was expected"),
        (None, Wanted(None, True), "there is no secret and one was expected"),
    ],
)
def test_a_conflict_says_what_is_there(current: int | None, believed: Wanted, told: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_version(current, believed)
    assert caught.value.message == told + "; read it again"
