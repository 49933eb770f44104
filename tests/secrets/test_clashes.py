"""Fixed routes and secret paths never take each other's place, whatever the prefix."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.house import House

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
# Behind the base -> the methods that a fixed route takes there; all others meet a reserved name.
RESERVED = {
    "a/versions": {"GET"},
    "metadata/a": {"GET"},
    "metadata": set(),
    "expiring": {"GET"},
    "expiring/a": set(),
    "batch": {"POST"},
    "batch/a": set(),
    "batch/metadata": {"POST"},
    "versions": set(),
    "restore": set(),
    "rotate": set(),
    "a/restore": {"POST"},
    "a/rotate": {"POST"},
    "metadata/a/rotate": set(),
    "metadata/a/versions": set(),
    "batch/a/restore": set(),
    "a/restore/rotate": set(),
    "a/versions/versions": set(),
    "metadata/metadata/a": set(),
}
LEGAL = ("my-batch/a", "a/metadata", "versions/a", "a/batch", "a/expiring", "rotate/a")


def bases(house: House) -> dict[str, str]:
    return {
        "plain": "/v1/secrets/",
        "tenant": f"/v1/t/{house.made['tenant_id']}/secrets/",
        "partner": "/v1/partner/secrets/",
    }


@pytest.mark.parametrize("kind", ["plain", "tenant", "partner"])
async def test_reserved_names_are_refused_for_every_method(house: House, kind: str) -> None:
    base = bases(house)[kind]
    for name, routes in RESERVED.items():
        # There is no batch call for secrets of a partner.
        taken = set() if kind == "partner" and name.startswith("batch") else routes
        for method in METHODS:
            if method in taken:
                continue
            body: Any = {"data": {}} if method == "PUT" else None
            answer = await house.call(method, base + name, body)
            assert answer.status == 400, (method, name, answer.body)
            if method != "HEAD":
                assert (answer.code, answer.details["reason"]) == ("invalid_path", "reserved")


@pytest.mark.parametrize("kind", ["plain", "tenant", "partner"])
async def test_names_that_only_look_like_routes(house: House, kind: str) -> None:
    base = bases(house)[kind]
    for name in LEGAL:
        assert (await house.call("PUT", base + name, {"data": {"at": name}})).status == 201
        assert (await house.get(base + name)).json["data"] == {"at": name}
        rotated = await house.call("POST", f"{base}{name}/rotate", {"new_value": {}})
        assert rotated.json["path"] == name
        assert (await house.call("PATCH", base + name, {"metadata": {}})).json["path"] == name
        assert (await house.call("DELETE", base + name)).status == 200
        assert (await house.call("POST", f"{base}{name}/restore")).json["path"] == name


@pytest.mark.parametrize("kind", ["plain", "tenant", "partner"])
async def test_a_method_that_no_path_takes(house: House, kind: str) -> None:
    for method in ("POST", "OPTIONS", "TRACE"):
        answer = await house.call(method, bases(house)[kind] + "a")
        assert (answer.status, answer.code) == (405, "method_not_allowed")
        assert answer.details == {"allowed": ["GET", "PUT", "PATCH", "DELETE"]}


async def test_a_list_takes_no_other_method_than_its_own(house: House) -> None:
    for base in ("/v1/secrets", f"/v1/t/{house.made['tenant_id']}/secrets"):
        for method in ("PUT", "PATCH", "DELETE", "POST"):
            answer = await house.call(method, base)
            assert (answer.status, answer.details) == (405, {"allowed": ["GET"]})


async def test_partner_routes_take_no_tenant_in_their_path(house: House) -> None:
    base = f"/v1/t/{house.made['tenant_id']}/partner/secrets/a"
    for method in METHODS:
        answer = await house.call(method, base, {"data": {}} if method == "PUT" else None)
        assert answer.status == 404
        if method != "HEAD":
            assert answer.code == "not_found"


async def test_a_refused_path_leaves_a_row_once_the_caller_is_known(house: House) -> None:
    answer = await house.call("PUT", "/v1/secrets/a/versions", {"data": {}})
    (row,) = await house.rows(request_id=answer.headers["x-request-id"])
    assert (row["action"], row["success"], row["secret_path"]) == ("write", False, None)
    assert row["extra_data"] == {"error_code": "invalid_path"}
