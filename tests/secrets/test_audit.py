"""The audit row of each call on secrets: action, path, outcome, and what it says besides."""

from __future__ import annotations

from typing import Any

import pytest

from scaivault.clock import DAY
from tests.support.house import House
from tests.support.rights import SCOPES
from tests.support.tenants import found_tenant

PATH = "app/db"

# call -> (method, target, body), action, secret_path, extra_data of the successful call
GOOD: dict[str, tuple[tuple[str, str, Any], str, str | None, dict[str, Any]]] = {
    "read": (("GET", f"/{PATH}", None), "read", PATH, {"version": 2}),
    "read a version": (("GET", f"/{PATH}?version=1", None), "read", PATH, {"version": 1}),
    "write": (
        ("PUT", f"/{PATH}", {"data": {}}), "write", PATH,
        {"version": 3, "created": False, "generated": False},
    ),
    "create": (
        ("PUT", "/new", {"data": {}}), "write", "new",
        {"version": 1, "created": True, "generated": False},
    ),
    "soft delete": (
        ("DELETE", f"/{PATH}", None), "delete", PATH, {"permanent": False, "version_count": 2},
    ),
    "permanent delete": (
        ("DELETE", f"/{PATH}?permanent=true", None), "delete", PATH,
        {"permanent": True, "version_count": 2},
    ),
    "version delete": (
        ("DELETE", f"/{PATH}?version=1", None), "delete", PATH,
        {"permanent": True, "version": 1},
    ),
    "restore": (("POST", f"/{PATH}/restore", None), "restore", PATH, {"version": 2}),
    "metadata": (("GET", f"/metadata/{PATH}", None), "list", PATH, {}),
    "versions": (("GET", f"/{PATH}/versions", None), "list", PATH, {}),
    "list": (("GET", "", None), "list", None, {"count": 1}),
    "list below": (("GET", "?prefix=app/", None), "list", "app/", {"count": 1}),
}  # fmt: skip


async def two_versions(house: House) -> None:
    await house.put(PATH, {"n": 1})
    await house.put(PATH, {"n": 2})


@pytest.mark.parametrize("name", GOOD)
async def test_successes(house: House, name: str) -> None:
    await two_versions(house)
    (method, target, body), action, path, extra = GOOD[name]
    answer = await house.call(method, f"/v1/secrets{target}", body)
    assert answer.status < 300, answer.body
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["secret_path"], row["success"]) == (action, path, True)
    assert row["extra_data"] == extra
    assert (row["identity_type"], row["identity_id"]) == ("service_account", "sa:root")
    tenant = house.made["tenant_id"]
    assert (row["tenant_id"], row["actor_tenant_id"]) == (tenant, tenant)
    assert row["partner_id"] == house.made["partner_id"]


# call -> action, error code, the rest of extra_data
BAD: dict[tuple[str, str], tuple[str, str, dict[str, Any]]] = {
    ("GET", "/none"): ("read", "secret_not_found", {}),
    ("GET", f"/{PATH}?version=9"): ("read", "version_not_found", {}),
    ("GET", f"/{PATH}?version=x"): ("read", "validation_error", {}),
    ("DELETE", f"/{PATH}?version=9"): (
        "delete", "version_not_found", {"permanent": True, "version": 9},
    ),
    ("DELETE", "/none"): ("delete", "secret_not_found", {"permanent": False}),
    ("DELETE", f"/{PATH}?permanent=true&version=1"): ("delete", "validation_error", {}),
    ("POST", "/none/restore"): ("restore", "secret_not_found", {}),
    ("GET", "/metadata/none"): ("list", "secret_not_found", {}),
    ("GET", "/none/versions"): ("list", "secret_not_found", {}),
    ("GET", "?cursor=x"): ("list", "invalid_cursor", {}),
    ("GET", "?prefix=A"): ("list", "invalid_path", {}),
    ("GET", "/A"): ("read", "invalid_path", {}),
    ("PUT", f"/{PATH}"): ("write", "validation_error", {}),
}  # fmt: skip


@pytest.mark.parametrize("call", BAD)
async def test_refusals(house: House, call: tuple[str, str]) -> None:
    await two_versions(house)
    action, code, extra = BAD[call]
    answer = await house.call(call[0], f"/v1/secrets{call[1]}")
    assert answer.code == code
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"]) == (action, False)
    assert row["extra_data"] == {"error_code": code, **extra}
    assert row["secret_path"] in (PATH, "none", None)


@pytest.mark.parametrize(
    ("method", "target", "action", "permission"),
    [
        ("GET", f"/{PATH}", "read", "read"), ("PUT", f"/{PATH}", "write", "write"),
        ("DELETE", f"/{PATH}", "delete", "delete"),
        ("DELETE", f"/{PATH}?permanent=true", "delete", "admin"),
        ("DELETE", f"/{PATH}?version=1", "delete", "delete"),
        ("POST", f"/{PATH}/restore", "restore", "write"),
        ("GET", f"/metadata/{PATH}", "list", "list"), ("GET", f"/{PATH}/versions", "list", "list"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("there", [False, True])
async def test_what_no_policy_permits(
    house: House, method: str, target: str, action: str, permission: str, there: bool
) -> None:
    """The same answer whether the secret is there or not."""
    if there:
        await two_versions(house)
    token = await house.client("app", SCOPES)
    body: Any = {"data": {}} if method == "PUT" else None
    answer = await house.call(method, f"/v1/secrets{target}", body, token=token)
    assert (answer.status, answer.code) == (403, "access_denied")
    assert answer.details == {"path": PATH, "permission": permission}
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["secret_path"], row["success"]) == (action, PATH, False)
    assert row["extra_data"]["permission"] == permission
    (event,) = [one for one in await house.events() if one["event_type"] == "policy.violation"]
    assert (event["path"], event["data"]["permission"]) == (PATH, permission)


async def test_a_page_says_which_prefix_its_cursor_stands_for(house: House) -> None:
    await two_versions(house)
    await house.put("app/x")
    cursor = (await house.get("/v1/secrets?prefix=app&limit=1")).json["cursor"]
    await house.call("GET", "/v1/secrets", query={"cursor": cursor})
    assert [row["secret_path"] for row in await house.rows(action="list")] == ["app", "app"]


async def test_acts_in_another_tenant_name_both(house: House) -> None:
    other = (await found_tenant(house, "other")).id
    headers = {"X-Tenant-ID": house.made["tenant_id"]}
    answer = await house.call("PUT", f"/v1/t/{other}/secrets/a", {"data": {}}, headers=headers)
    assert answer.status == 201
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["tenant_id"], row["actor_tenant_id"]) == (other, house.made["tenant_id"])
    assert row["extra_data"]["header_tenant_id"] == house.made["tenant_id"]
    assert (await house.read("a")).code == "secret_not_found"
    event = (await house.events())[-1]
    assert (event["tenant_id"], event["identity_id"]) == (other, "sa:root")


async def test_the_purge_is_recorded_as_such(house: House) -> None:
    await two_versions(house)
    await house.delete(PATH)
    house.clock.advance(30 * DAY)
    await house.vault.upkeep.purge(house.vault.internal("purge"))
    row = (await house.rows(action="delete"))[-1]
    assert (row["identity_type"], row["identity_id"]) == ("system", "system:purge")
    assert row["extra_data"] == {"permanent": True, "purge": True, "version_count": 2}
    assert (row["tenant_id"], row["source_ip"]) == (house.made["tenant_id"], None)


async def test_a_purge_ahead_of_its_turn_is_recorded_too(house: House) -> None:
    await two_versions(house)
    await house.delete(PATH)
    house.clock.advance(30 * DAY)
    answer = await house.put(PATH, {"n": 3})
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    assert [(row["action"], row["extra_data"].get("purge")) for row in rows] == [
        ("write", None), ("delete", True),
    ]  # fmt: skip


async def test_no_row_holds_a_value(house: House) -> None:
    body = {"data": {"a": "canary-1"}, "metadata": {"b": "canary-2"}, "c": "canary-3"}
    await house.call("PUT", f"/v1/secrets/{PATH}?canary=4", body)
    await house.put(PATH, {"a": "canary-5"}, metadata={"b": "canary-6"})
    await house.read(PATH)
    assert "canary" not in str(await house.rows()) + str(await house.events())
