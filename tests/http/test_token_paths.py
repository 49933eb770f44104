"""Tokens that are narrowed to paths: every route that names a path, or tells of one."""

from __future__ import annotations

import json
import re
from typing import Any, Final

import pytest
from msgspec import inspect

from scaivault.http.routes import ROUTES, Route
from tests.audit.exporting import run
from tests.http.test_routes import ELSEWHERE, SILENT, body, named, prepare, target
from tests.support.house import House
from tests.support.people import login

ADMIN: Final = "user:narrow@harbor.example"
THERE: Final = "app/db"  # what the routes are driven with
_PATHLIKE: Final = re.compile("path|prefix|glob|pattern")
# What becomes of a field of a request that speaks of paths. One that is not here yet has to be
# decided about: who adds a route adds its fields.
DECIDED: Final = {
    # it names one path: 403, whatever else is sent along
    "path": "bound",
    "body.path": "bound",
    "body.destination.credentials_path": "bound",
    "body.token_review.credentials_path": "bound",
    "body.token_review.ca_cert_path": "bound",
    # it names several: each is decided about by itself
    "body.paths": "each",
    # it asks for less of a list, which is filtered anyway
    "prefix": "filtered",
    "path_prefix": "filtered",
    "body.filters.path_prefix": "filtered",
    # patterns are no paths; what they give is narrowed when it is used
    "body.allowed_paths": "pattern",
    "body.rules.path_pattern": "pattern",
    # names of files in a destination
    "body.destination.prefix": "other",
}
CLOSED: Final = [route for route in ROUTES if not route.open]


def fields(kind: inspect.Type, name: str = "") -> set[str]:
    """The names of a request's fields, dotted."""
    if isinstance(kind, inspect.StructType):
        dot = f"{name}." if name else ""
        found = (fields(one.type, dot + one.encode_name) for one in kind.fields)
        return set().union(*found)
    if isinstance(kind, inspect.UnionType):
        return set().union(*(fields(one, name) for one in kind.types))
    if isinstance(kind, inspect.ListType | inspect.VarTupleType):
        return fields(kind.item_type, name)
    return {name}


def about_paths(route: Route) -> set[str]:
    all_of = fields(inspect.type_info(route.request))
    return {name for name in all_of if _PATHLIKE.search(name.rpartition(".")[2])}


def treated(route: Route, how: str) -> bool:
    return any(DECIDED.get(name) == how for name in about_paths(route))


def test_every_field_that_speaks_of_paths_is_decided_about() -> None:
    seen = {name for route in ROUTES for name in about_paths(route)}
    assert seen - DECIDED.keys() == set(), "decide what a narrowed token may name there"
    with_path = {route.path for route in CLOSED if "{path*}" in route.path}
    assert with_path <= {route.path for route in CLOSED if treated(route, "bound")}


async def narrowed(house: House, *patterns: str) -> str:
    """A token with every right on these paths."""
    token = await login(house, ADMIN, scopes=["admin"], allowed_paths=list(patterns))
    where = f"/v1/identity/users/{ADMIN}/roles"
    assert (await house.call("PUT", where, {"roles": ["super_admin"]})).status == 200
    return token


# Requests that name the path in a field which those of ``test_routes`` leave out.
_TO_S3: Final = {
    "type": "s3", "bucket": "logs", "region": "eu-1", "endpoint": "https://203.0.113.9",
    "credentials_path": THERE,
}  # fmt: skip
_REVIEW: Final = {
    "url": "https://203.0.113.9", "credentials_path": THERE, "ca_cert_path": THERE,
}  # fmt: skip


_TRUST: Final = {
    "name": "pods", "issuer": "https://203.0.113.9", "subject": "pod", "identity": "sa:app",
    "max_scopes": ["secrets:read"],
}  # fmt: skip


def _with_path(route: Route, sent: Any) -> Any:
    names = about_paths(route)
    if "body.destination.credentials_path" in names:
        return {**sent, "destination": _TO_S3}
    if "body.token_review.credentials_path" in names:
        return {"token_review": _REVIEW, **(_TRUST if route.method == "POST" else {})}
    return sent


async def prepared(house: House) -> dict[str, str]:
    """With a job and a trust that name no path, and such as do."""
    known = await prepare(house)
    sent = {**_TRUST, "name": "review", "token_review": _REVIEW}
    made = await house.call("POST", "/v1/identity/trusts", sent)
    assert made.status == 201, made.body
    known["review"] = made.json["id"]
    job = {"from": "2031-01-01", "to": "2031-02-01", "destination": _TO_S3}
    made = await house.call("POST", "/v1/audit/export", job)
    assert made.status == 202, made.body
    return {**known, "s3": made.json["export_id"]}


def _target(route: Route, known: dict[str, str]) -> str:
    return target(route, known).replace("trusts/{id}", f"trusts/{known['trust']}")


@pytest.mark.parametrize("route", [one for one in CLOSED if treated(one, "bound")], ids=named)
async def test_a_path_outside_of_the_token(house: House, route: Route) -> None:
    known = await prepared(house)
    token = await narrowed(house, "lab/**", "app/*/db", "app/d")
    sent = _with_path(route, body(route, known))
    versions = "/v1/secrets/app/db/versions"
    before = (await house.get(versions)).json
    answer = await house.call(route.method, _target(route, known), sent, token=token)
    assert (answer.status, answer.code) == (403, "access_denied"), answer.body
    assert answer.details["reason"] == "token_paths"
    assert answer.details["path"] == THERE
    rows = await house.rows(request_id=answer.headers["x-request-id"])
    if not route.unrecorded:
        assert [(row["action"], row["success"]) for row in rows] == [(route.action, False)]
        assert rows[0]["extra_data"]["error_code"] == "access_denied"
    assert (await house.get(versions)).json == before
    # The same request within its paths is not refused for them.
    wide = await narrowed_too(house, "app/**")
    answer = await house.call(route.method, _target(route, known), sent, token=wide)
    assert answer.status < 400 or answer.details.get("reason") != "token_paths"


async def narrowed_too(house: House, pattern: str) -> str:
    made = await house.call(
        "POST",
        "/v1/auth/tokens",
        {"name": "x", "scopes": ["admin"], "identity_id": ADMIN, "allowed_paths": [pattern]},
    )
    text: str = made.json["token"]
    return text


def _ordinary() -> list[Route]:
    return [one for one in CLOSED if one.path not in SILENT and not ELSEWHERE.match(one.path)]


@pytest.mark.parametrize("route", _ordinary(), ids=named)
async def test_no_answer_tells_of_a_path_outside(house: House, route: Route) -> None:
    """Lists, batches, trails, sums, export jobs: whatever is answered names no other path."""
    known = await prepared(house)
    await house.put("lab/db", {"n": 1}, options={"expires_in": "5d"})
    await house.put("app/soon", {"n": 1}, options={"expires_in": "5d"})
    await house.run_jobs()
    token = await narrowed(house, "lab/**")
    answer = await house.call(route.method, _target(route, known), body(route, known), token=token)
    if treated(route, "bound"):
        return  # of those the test above is
    assert answer.status < 400, answer.body
    told: Any = answer.json if answer.body else None
    if treated(route, "each"):
        assert told["errors"].pop(THERE)["code"] == "access_denied"
    for path in (THERE, "app/soon"):
        assert path not in json.dumps(told), named(route)


async def test_objects_that_name_another_path(house: House) -> None:
    known = await prepared(house)
    token = await narrowed(house, "lab/**")
    trust, export = "/v1/identity/trusts", "/v1/audit/exports"
    for where, code in (
        (f"{trust}/{known['review']}", "trust_not_found"),
        (f"{export}/{known['s3']}", "export_not_found"),
    ):
        assert (await house.get(where)).status == 200
        assert (await house.get(where, token=token)).code == code
    for where, name in ((trust, "trusts"), (export, "exports")):
        everything = (await house.get(f"{where}?limit=1")).json
        assert everything["has_more"]
        page = (await house.get(f"{where}?limit=1", token=token)).json
        assert (len(page[name]), page["has_more"]) == (1, False)


async def test_lists_count_only_what_they_tell(house: House) -> None:
    for path in ("app/db", "app/web", "lab/db", "lab/web", "lab/deep/db"):
        await house.put(path, {"n": 1})
        await house.call("PUT", f"/v1/partner/secrets/{path}", {"data": {"n": 1}})
    token = await narrowed(house, "lab/*", "app/web")
    for where in ("/v1/secrets", "/v1/partner/secrets"):
        page = (await house.get(where, token=token)).json
        assert [one["path"] for one in page["secrets"]] == ["app/web", "lab/db", "lab/web"]
        assert page["total_count"] == 3
        inside = (await house.get(f"{where}?prefix=app/", token=token)).json
        assert (len(inside["secrets"]), inside["total_count"]) == (1, 1)
    asked = {"paths": ["**/db", "lab/**"], "expand_wildcards": True}
    found = await house.call("POST", "/v1/secrets/batch/metadata", asked, token=token)
    assert set(found.json["metadata"]) == {"lab/db", "lab/web"}


async def test_trails_sums_and_exports_see_the_same_rows(house: House) -> None:
    for path in ("app/db", "lab/db"):
        await house.put(path, {"n": 1})
        await house.read(path)
    token = await narrowed(house, "lab/**")
    await house.read("lab/db", token=token)
    await house.read("app/db", token=token)
    logs = (await house.get("/v1/audit/logs", token=token)).json["logs"]
    assert {row["secret_path"] for row in logs} == {"lab/db"}
    trail = (await house.get("/v1/audit/identities/sa:root", token=token)).json
    assert {row["secret_path"] for row in trail["logs"]} == {"lab/db"}
    assert trail["summary"]["total_events"] == 2
    assert trail["summary"]["resources_accessed"] == ["lab/db"]
    everything = (await house.get("/v1/audit/summary", token=token)).json
    assert (everything["total_events"], everything["unique_secrets"]) == (3, 1)
    assert everything["top_secrets"] == [{"path": "lab/db", "events": 3}]
    job = {"from": "2031-01-01", "to": "2032-01-01", "destination": {"type": "file"}}
    made = await house.call("POST", "/v1/audit/export", job, token=token)
    assert made.json["estimated_records"] == 3
    await run(house)
    done = (await house.get(f"/v1/audit/exports/{made.json['export_id']}", token=token)).json
    assert (done["status"], done["records"]) == ("completed", 3)
