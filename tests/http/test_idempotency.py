"""Idempotency-Key: once acted, told again."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant
from tests.support.tenants import found_tenant

PATH = "app/db"


async def put(house: House, data: Any, key: str = "k", **more: Any) -> Answer:
    headers = {"Idempotency-Key": key, **more.pop("headers", {})}
    return await house.put(PATH, data, headers=headers, **more)


async def test_the_first_answer_again(house: House) -> None:
    first = await put(house, {"n": 1})
    await house.put(PATH, {"n": 2})
    again = await put(house, {"n": 1})
    assert (again.status, again.body) == (201, first.body)
    assert again.headers["etag"] == first.headers["etag"]
    assert again.headers["idempotency-replayed"] == "true"
    assert "idempotency-replayed" not in first.headers
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert (await house.read(PATH)).json["data"] == {"n": 2}


async def test_blanks_between_tokens_are_the_same_body(house: House) -> None:
    headers = {"Idempotency-Key": "k"}
    for raw in (b'{"data":{"a":1}}', b'{ "data" : {"a" : 1} }\n'):
        answer = await house.call("PUT", f"/v1/secrets/{PATH}", raw=raw, headers=headers)
        assert answer.status == 201


async def test_another_body_is_a_conflict_and_the_first_answer_stays(house: House) -> None:
    await put(house, {"n": 1})
    for _ in range(2):
        other = await put(house, {"n": 2})
        assert (other.status, other.code) == (409, "idempotency_conflict")
        assert other.details == {"reason": "body_mismatch"}
    again = await put(house, {"n": 1})
    assert (again.status, again.headers["idempotency-replayed"]) == (201, "true")
    assert (await house.read(PATH)).json["version"] == 1


async def test_a_refusal_is_kept_too_and_recorded_as_one(house: House) -> None:
    first = await put(house, {"n": 1}, options={"cas": 7})
    await house.put(PATH, {"n": 2})
    again = await put(house, {"n": 1}, options={"cas": 7})
    assert (first.status, again.status) == (409, 409)
    assert again.details == {"current_version": None}
    assert again.json["error"]["request_id"] == again.headers["x-request-id"]
    assert again.headers["idempotency-replayed"] == "true"
    row = (await house.rows(request_id=again.headers["x-request-id"]))[0]
    assert (row["success"], row["extra_data"]) == (
        False,
        {"replayed": True, "error_code": "version_conflict"},
    )


async def test_a_replay_has_its_own_row_and_announces_nothing(house: House) -> None:
    await put(house, {"n": 1})
    again = await put(house, {"n": 1})
    rows = await house.rows(request_id=again.headers["x-request-id"])
    assert [(row["action"], row["success"], row["extra_data"]) for row in rows] == [
        ("write", True, {"replayed": True})
    ]
    assert len(await house.events()) == 1


@pytest.mark.parametrize(("late", "status"), [(-1, 201), (0, 200)])
async def test_a_key_is_kept_for_a_day(house: House, late: int, status: int) -> None:
    await put(house, {"n": 1})
    house.clock.advance(DAY + late)
    assert (await put(house, {"n": 1})).status == status


async def test_it_survives_a_crash(house: House) -> None:
    first = await put(house, {"n": 1})
    await house.crash()
    await house.unseal()
    assert (await put(house, {"n": 1})).body == first.body


async def test_many_at_once_act_once(house: House) -> None:
    answers = await asyncio.gather(*(put(house, {"n": 1}) for _ in range(20)))
    assert {answer.status for answer in answers} == {201}
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    assert (await house.read(PATH)).json["version"] == 1


async def test_rights_are_asked_anew(house: House) -> None:
    token = await house.client("app", SCOPES)
    grant(house, (PATH, {"write"}))
    assert (await put(house, {"n": 1}, token=token)).status == 201
    grant(house)
    assert (await put(house, {"n": 1}, token=token)).code == "access_denied"


async def test_refusals_of_the_moment_are_not_kept(house: House) -> None:
    token = await house.client("app", SCOPES)
    assert (await put(house, {"n": 1}, token=token)).status == 403
    grant(house, (PATH, {"write"}))
    assert (await put(house, {"n": 1}, token=token)).status == 201


async def test_a_key_belongs_to_identity_tenant_method_and_path(house: House) -> None:
    await put(house, {"n": 1})
    headers = {"Idempotency-Key": "k"}
    assert (await house.put("other", {"n": 1}, headers=headers)).status == 201
    restored = await house.call("POST", f"/v1/secrets/{PATH}/restore", headers=headers)
    assert restored.status == 200
    tenant = (await found_tenant(house, "other")).id
    there = await house.call(
        "PUT", f"/v1/t/{tenant}/secrets/{PATH}", {"data": {"n": 1}}, headers=headers
    )
    assert "idempotency-replayed" not in there.headers
    # The same name in another tenant is another identity, also where both act in a third.
    names = [await house.client("twin", SCOPES, ["super_admin"], owner) for owner in (None, tenant)]
    third = (await found_tenant(house, "third")).id
    for token in names:
        answer = await house.call(
            "PUT", "/v1/secrets/x", {"data": {}}, token=token,
            headers={"Idempotency-Key": "t", "X-Tenant-ID": third},
        )  # fmt: skip
        assert "idempotency-replayed" not in answer.headers


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "\xe4", "a\x7f"])
async def test_keys_outside_the_grammar(house: House, key: str) -> None:
    answer = await put(house, {"n": 1}, key)
    assert (answer.status, answer.code) == (400, "invalid_request")


async def test_the_longest_key(house: House) -> None:
    key = "".join(chr(33 + n % 94) for n in range(255))
    assert (await put(house, {"n": 1}, key)).status == 201
    assert (await put(house, {"n": 1}, key)).headers["idempotency-replayed"] == "true"


async def test_a_permanent_delete_is_not_undone_by_a_replay(house: House) -> None:
    await put(house, {"n": 1})
    await house.delete(PATH, permanent="true")
    assert (await put(house, {"n": 1})).status == 201
    assert (await house.read(PATH)).code == "secret_not_found"


async def test_reads_and_deletes_take_no_key(house: House) -> None:
    headers = {"Idempotency-Key": "k"}
    await house.put(PATH, {"n": 1})
    for method in ("GET", "DELETE"):
        await house.call(method, f"/v1/secrets/{PATH}", headers=headers)
        again = await house.call(method, f"/v1/secrets/{PATH}", headers=headers)
        assert "idempotency-replayed" not in again.headers


async def test_no_plain_hash_of_a_body_is_kept(house: House) -> None:
    """A guess at a short value could be held against one, also after the value was destroyed."""
    await put(house, {"pin": "4711"})
    kept = await house.vault.gate.ask(
        lambda db: db.execute("SELECT body_hash FROM kept_answer").fetchall()
    )
    body = b'\n{"data":{"pin":"4711"}}'
    assert len(kept) == 1
    assert kept != [(hashlib.blake2b(body, digest_size=32).digest(),)]
