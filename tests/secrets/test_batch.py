"""Values of many paths in one call: each as it would be alone."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import HOUR, SECOND
from scaivault.crypto.aead import Damaged
from scaivault.storage.failures import StorageFailed
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant

BATCH = "/v1/secrets/batch"


async def batch(house: House, *paths: Any, token: str = "", **options: Any) -> Answer:
    body: dict[str, Any] = {"paths": list(paths)}
    if options:
        body["options"] = options
    return await house.call("POST", BATCH, body, token=token)


async def told(house: House, path: str) -> dict[str, Any]:
    return (await house.get(f"/v1/secrets/metadata/{path}")).json  # type: ignore[no-any-return]


async def test_all_that_is_there(house: House) -> None:
    await house.put("a/b", {"k": 1, "n": 10**40}, secret_type="json")
    await house.put("c", {"old": True})
    await house.put("c", {"\N{SNOWMAN}": ""})
    answer = await batch(house, "c", "a/b", "c")
    assert (answer.status, answer.json) == (200, {
        "secrets": {
            "c": {"data": {"\N{SNOWMAN}": ""}, "version": 2, "secret_type": "kv"},
            "a/b": {"data": {"k": 1, "n": 10**40}, "version": 1, "secret_type": "json"},
        },
        "errors": {}, "retrieved": 2, "failed": 0,
    })  # fmt: skip
    assert list(answer.json["secrets"]) == ["c", "a/b"]


async def test_metadata_on_request(house: House) -> None:
    await house.put("a", {"k": 1}, metadata={"owner": "o"}, options={"expires_in": "1h"})
    answer = await batch(house, "a", include_metadata=True)
    assert answer.json["secrets"]["a"] == {
        "data": {"k": 1}, "version": 1, "secret_type": "kv", "metadata": {"owner": "o"},
        "updated_at": "2031-05-09T06:30:00.000000Z", "expires_at": "2031-05-09T07:30:00.000000Z",
    }  # fmt: skip


async def test_every_fault_stands_at_its_path(house: House) -> None:
    for path in ("live", "late", "gone", "closed"):
        await house.put(path, {"n": 1}, options={"expires_in": "1h"} if path == "late" else {})
    await house.delete("gone")
    house.clock.advance(HOUR)
    token = await house.client("app", SCOPES)
    grant(house, *((path, {"read"}) for path in ("live", "late", "gone", "ghost")))
    answer = await batch(
        house, "live", "late", "gone", "ghost", "closed", "A", "", "a//b", "x/rotate", token=token
    )
    assert list(answer.json["secrets"]) == ["live"]
    assert {path: fault["code"] for path, fault in answer.json["errors"].items()} == {
        "late": "secret_expired", "gone": "secret_not_found", "ghost": "secret_not_found",
        "closed": "access_denied", "A": "invalid_path", "": "invalid_path",
        "a//b": "invalid_path", "x/rotate": "invalid_path",
    }  # fmt: skip
    assert all(fault["message"] for fault in answer.json["errors"].values())
    assert (answer.json["retrieved"], answer.json["failed"]) == (1, 8)


async def test_one_version_of_all(house: House) -> None:
    for path in ("a", "b"):
        await house.put(path, {"n": 1}, secret_type="json")
        await house.put(path, {"n": 2}, secret_type="kv")
    await house.put("c", {"n": 1})
    await house.read("a")
    for _ in range(2):
        answer = await batch(house, "a", "b", "c", version=2)
        assert {path: item["data"] for path, item in answer.json["secrets"].items()} == {
            "a": {"n": 2}, "b": {"n": 2},
        }  # fmt: skip
        assert answer.json["errors"]["c"]["code"] == "version_not_found"
        answer = await batch(house, "a", "b", "c", version=1)
        assert [item["data"] for item in answer.json["secrets"].values()] == [{"n": 1}] * 3
        assert answer.json["secrets"]["a"]["secret_type"] == "json"


async def test_a_version_past_its_grace(house: House) -> None:
    await house.put("a", {"n": 1})
    body = {"new_value": {"n": 2}, "grace_period": "1m"}
    await house.call("POST", "/v1/secrets/a/rotate", body)
    assert (await batch(house, "a", version=1)).json["retrieved"] == 1
    house.clock.advance(60 * SECOND)
    assert (await batch(house, "a", version=1)).json["errors"]["a"]["code"] == "version_not_found"
    assert (await batch(house, "a")).json["secrets"]["a"]["data"] == {"n": 2}


async def test_rows_and_counters_of_each(house: House) -> None:
    for path in ("a", "b", "c"):
        await house.put(path)
    token = await house.client("app", SCOPES)
    grant(house, ("a", {"read"}), ("ghost", {"read"}))
    before = len(await house.rows())
    answer = await batch(house, "a", "b", "ghost", "B", "a", token=token)
    rows = (await house.rows())[before:]
    assert [
        (row["action"], row["secret_path"], row["success"], row["extra_data"]) for row in rows
    ] == [
        ("read", "a", True, {"version": 1}),
        ("read", "b", False, {"error_code": "access_denied", "permission": "read"}),
        ("read", "ghost", False, {"error_code": "secret_not_found"}),
        ("read", None, False, {"error_code": "invalid_path"}),
    ]
    assert {row["request_id"] for row in rows} == {answer.headers["x-request-id"]}
    assert {row["identity_id"] for row in rows} == {"sa:app"}
    events = [event for event in await house.events() if event["event_type"] == "policy.violation"]
    assert [event["path"] for event in events] == ["b"]
    assert [(await told(house, path))["access_count_30d"] for path in ("a", "b", "c")] == [1, 0, 0]
    assert (await told(house, "a"))["last_accessed_at"] == "2031-05-09T06:30:00.000000Z"
    await house.crash()
    await house.unseal()
    assert (await told(house, "a"))["access_count_30d"] == 1


async def test_the_metric_counts_each(house: House) -> None:
    for path in ("a", "b"):
        await house.put(path, secret_type="json")
    await batch(house, "a", "b", "ghost")
    tenant = house.made["tenant_id"]
    assert house.vault.values.reads == {(tenant, "json"): 2}


# -- fail_fast -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("paths", "status", "code", "at"),
    [
        (["a", "ghost", "b"], 404, "secret_not_found", "ghost"),
        (["a", "closed", "ghost"], 403, "access_denied", "closed"),
        (["late", "closed"], 410, "secret_expired", "late"),
        (["a", "b", "B"], 400, "invalid_path", "B"),
    ],
)
async def test_the_first_fault_ends_the_call(
    house: House, paths: list[str], status: int, code: str, at: str
) -> None:
    for path in ("a", "b", "closed"):
        await house.put(path, {"key": "wink-wink"})
    await house.put("late", options={"expires_in": "1h"})
    house.clock.advance(HOUR)
    token = await house.client("app", SCOPES)
    grant(house, *((path, {"read"}) for path in ("a", "b", "late", "ghost")))
    before = len(await house.rows())
    answer = await batch(house, *paths, token=token, fail_fast=True)
    assert (answer.status, answer.code, answer.details["path"]) == (status, code, at)
    assert b"wink" not in answer.body
    (row,) = (await house.rows())[before:]
    assert (row["success"], row["extra_data"]["error_code"]) == (False, code)
    assert row["secret_path"] == (at if code != "invalid_path" else None)
    assert (await told(house, "a"))["access_count_30d"] == 0
    tenant_reads = house.vault.values.reads
    assert tenant_reads == {}


async def test_fail_fast_without_a_fault_is_a_batch(house: House) -> None:
    await house.put("a", {"n": 1})
    answer = await batch(house, "a", fail_fast=True)
    assert answer.json["secrets"]["a"]["data"] == {"n": 1}


async def test_fail_fast_tells_the_condition_that_failed(house: House) -> None:
    await house.put("a")
    token = await house.client("app", SCOPES)
    rules = [{"path_pattern": "a", "permissions": ["read"], "conditions": {"require_mfa": True}}]
    policy = (await house.call("POST", "/v1/policies", {"name": "p", "rules": rules})).json["id"]
    bound = {"identity_type": "service_account", "identity_id": "sa:app"}
    await house.call("POST", f"/v1/policies/{policy}/bindings", bound)
    answer = await batch(house, "a", token=token, fail_fast=True)
    assert (answer.status, answer.code) == (403, "mfa_required")
    assert answer.details == {
        "failed_condition": "require_mfa", "policy_id": policy, "path": "a",
    }  # fmt: skip


# -- damage ----------------------------------------------------------------------------------------


async def damage(house: House, path: str) -> None:
    await house.vault.database.alone(
        lambda db: db.execute(
            "UPDATE secret_version SET value = zeroblob(length(value)) WHERE path = ?", (path,)
        )
    )


async def test_a_damaged_value_spoils_no_other(house: House) -> None:
    for path in ("a", "b"):
        await house.put(path, {"n": 1})
    await damage(house, "a")
    for _ in range(2):
        answer = await batch(house, "a", "b")
        assert answer.json["errors"]["a"]["code"] == "internal_error"
        assert list(answer.json["secrets"]) == ["b"]
    (aside,) = await house.rows(action="job_control")
    assert (aside["secret_path"], aside["extra_data"]["quarantined"]) == ("a", True)


@pytest.mark.parametrize(
    "options", [{}, {"include_metadata": True}, {"version": 1}, {"version": 2}, {"fail_fast": True}]
)
@pytest.mark.parametrize("others", [(), ("ghost", "late", "gone", "/"), ("denied", "ghost")])
async def test_what_is_in_memory_is_told_as_what_is_not(
    house: House, options: dict[str, Any], others: tuple[str, ...]
) -> None:
    for path in ("a", "b", "c", "late", "gone", "denied"):
        await house.put(path, {"at": path}, metadata={"tags": [path]})
    await house.put("b", {"n": 2}, secret_type="json")
    await house.put("late", options={"expires_in": "1h"})
    await house.delete("gone")
    house.clock.advance(HOUR)
    token = await house.client("app", SCOPES)
    grant(house, *((path, {"read"}) for path in ("?", "late", "gone", "ghost")))
    house.vault.values.shelf.clear()
    told = []
    for _ in range(2):
        before = len(await house.rows())
        answer = await batch(house, "b", *others, "a", "c", token=token, **options)
        rows = (await house.rows())[before:]
        what = [(row["secret_path"], row["success"], row["extra_data"]) for row in rows]
        shown = answer.json
        shown.get("error", {}).pop("request_id", None)
        told.append((answer.status, shown, what))
    cold, warm = told
    assert cold[0] == warm[0]
    assert list(cold[1].items()) == list(warm[1].items())
    assert cold[2] == warm[2]


async def test_nothing_behind_the_first_fault_is_opened(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("a", "b"):
        await house.put(path)

    def opened(*_: Any) -> bytes:
        raise Damaged

    monkeypatch.setattr(type(house.vault.gate.envelope), "open", opened)
    assert (await batch(house, "ghost", "a", fail_fast=True)).code == "secret_not_found"
    assert await house.rows(action="job_control") == []


async def test_where_the_row_can_not_be_written_nothing_is_told(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    await house.put("a", {"key": "wink-wink"})

    async def lost(*_: Any) -> None:
        raise StorageFailed("disk_full")

    monkeypatch.setattr(house.vault.gate.database, "submit", lost)
    answer = await batch(house, "a", "ghost")
    assert (answer.status, answer.code) == (503, "service_unavailable")
    assert b"wink" not in answer.body
    monkeypatch.undo()
    assert (await told(house, "a"))["access_count_30d"] == 0


# -- what is sent ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "paths"), ({"paths": []}, "paths"), ({"paths": ["a"] * 101}, "paths"),
        ({"paths": "a"}, "paths"), ({"paths": [1]}, "paths[0]"), ({"paths": None}, "paths"),
        ({"paths": ["a"], "options": {"version": 0}}, "options.version"),
        ({"paths": ["a"], "options": {"fail_fast": 1}}, "options.fail_fast"),
        ({"paths": ["a"], "options": {"limit": 1}}, "options.limit"),
        ({"paths": ["a"], "expand_wildcards": True}, "expand_wildcards"),
    ],
)  # fmt: skip
async def test_bodies_at_fault(house: House, body: dict[str, Any], field: str) -> None:
    answer = await house.call("POST", BATCH, body)
    assert (answer.status, answer.code) == (422, "validation_error")
    assert list(answer.details["fields"]) == [field]


async def test_null_is_left_out(house: House) -> None:
    await house.put("a")
    for options in (None, {"version": None, "fail_fast": None, "include_metadata": None}):
        answer = await house.call("POST", BATCH, {"paths": ["a"], "options": options})
        assert (answer.status, answer.json["retrieved"]) == (200, 1), answer.body


async def test_a_hundred_paths(house: House) -> None:
    for number in range(3):
        await house.put(f"a/{number}")
    answer = await batch(house, *(f"a/{number}" for number in range(100)))
    assert (answer.json["retrieved"], answer.json["failed"]) == (3, 97)


async def test_an_endless_path_is_a_fault_of_its_own(house: House) -> None:
    long = "a" * 5000
    answer = await batch(house, long)
    assert answer.json["errors"][long]["code"] == "invalid_path"
    (row,) = (await house.rows())[-1:]
    assert row["extra_data"] == {"error_code": "invalid_path"}
    answer = await batch(house, long, fail_fast=True)
    assert answer.details["path"] == "a" * 512


# -- keys for once ---------------------------------------------------------------------------------


async def test_no_answer_is_kept_for_a_key(house: House) -> None:
    """A read told again must be read again: by today's rights, and with today's value."""
    await house.put("a", {"n": 1})
    token = await house.client("app", SCOPES)
    grant(house, ("a", {"read"}))
    headers = {"Idempotency-Key": "k"}
    body = {"paths": ["a"]}
    first = await house.call("POST", BATCH, body, headers=headers, token=token)
    await house.put("a", {"n": 2})
    second = await house.call("POST", BATCH, body, headers=headers, token=token)
    grant(house)
    third = await house.call("POST", BATCH, body, headers=headers, token=token)
    assert first.json["secrets"]["a"]["data"] == {"n": 1}
    assert second.json["secrets"]["a"]["data"] == {"n": 2}
    assert third.json["errors"]["a"]["code"] == "access_denied"
    assert "idempotency-replayed" not in second.headers


async def test_not_even_of_a_value_that_is_set_aside(house: House) -> None:
    await house.put("a")
    await damage(house, "a")
    headers = {"Idempotency-Key": "k"}
    for _ in range(2):
        answer = await house.call("POST", BATCH, {"paths": ["a"]}, headers=headers)
        assert answer.json["failed"] == 1
    kept = await house.vault.gate.ask(
        lambda db: db.execute("SELECT count(*) FROM kept_answer").fetchone()
    )
    assert kept == (0,)


# -- rates -----------------------------------------------------------------------------------------


async def test_a_batch_costs_one_call_and_each_value(house: House) -> None:
    house.vault.limits.configure({"secrets_read": 10, "batch_read": 5})
    for path in ("a", "b", "c"):
        await house.put(path)
    answer = await batch(house, "a", "b", "c", "ghost", "A", "a")
    assert answer.headers["x-ratelimit-remaining"] == "4"
    assert (await house.read("a")).headers["x-ratelimit-remaining"] == "6"
    refused = await batch(house, "a", "b", "c", "g-1", "g-2", "g-3", "g-4")
    assert (refused.status, refused.code) == (429, "rate_limited")
    assert (refused.details["category"], refused.details["limit"]) == ("secrets_read", 10)
    assert int(refused.headers["retry-after"]) >= 1
    assert (await house.read("a")).headers["x-ratelimit-remaining"] == "5"
    row = (await house.rows(action="read", success=False))[-1]
    assert row["extra_data"]["error_code"] == "rate_limited"


async def test_what_fails_gives_all_back(house: House) -> None:
    house.vault.limits.configure({"secrets_read": 10})
    await house.put("a")
    await batch(house, "a", "ghost", fail_fast=True)
    await batch(house, "ghost")
    assert (await house.read("a")).headers["x-ratelimit-remaining"] == "9"


# -- where -----------------------------------------------------------------------------------------


async def test_scopes(house: House) -> None:
    token = await house.client("app", ["secrets:list"])
    answer = await batch(house, "a", token=token)
    assert (answer.status, answer.details["required_scope"]) == (403, "secrets:read")


async def test_bodies_with_blanks_and_escapes_name_the_same_path(house: House) -> None:
    await house.put("a/b")
    answer = await house.call("POST", BATCH, raw=b'{ "paths" : [ "a\\/b", "\\u0061/b" ] }')
    assert answer.json["retrieved"] == 1
