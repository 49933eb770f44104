"""The description of the API says what the table of routes says."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest

from scaivault.errors import CODES
from scaivault.http.meter import metrics_routes
from scaivault.http.openapi import ROOMS, document
from scaivault.http.possible import OWN
from scaivault.http.routes import ROUTES, Route
from scaivault.http.topics import topic
from tests.support.house import House

ALL = (*ROUTES, *metrics_routes("open"))


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document(ALL)


def operation(described: dict[str, Any], route: Route) -> dict[str, Any]:
    found: dict[str, Any] = described["paths"][route.path.replace("*}", "}")][route.method.lower()]
    return found


def everything(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside, at any depth."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from everything(one)


@pytest.mark.parametrize("route", ALL, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_in_it(described: dict[str, Any], route: Route) -> None:
    found = operation(described, route)
    statuses = {str(route.status), *([str(route.created)] if route.created else [])}
    assert statuses <= set(found["responses"])
    assert (found["security"] == []) == route.open
    assert found["summary"]
    declared = {one["name"] for one in found["parameters"] if one.get("in") == "path"}
    assert declared == set(re.findall(r"\{(\w+)\*?\}", route.path))
    assert all(
        code in CODES
        for answer in found["responses"].values()
        for code in answer.get("x-codes", ())
    )


@pytest.mark.parametrize("route", ALL, ids=lambda route: f"{route.method} {route.path}")
def test_every_verb_exists_and_says_what_it_does(route: Route) -> None:
    verb = getattr(ROOMS[route.room], route.verb.partition(".")[2])
    assert inspect.iscoroutinefunction(verb)
    assert inspect.getdoc(verb)


def test_there_is_nothing_else_in_it(described: dict[str, Any]) -> None:
    assert sum(len(methods) for methods in described["paths"].values()) == len(ALL)


def test_every_reference_leads_somewhere(described: dict[str, Any]) -> None:
    references = {one["$ref"] for one in everything(described) if "$ref" in one}
    assert references
    for reference in references:
        assert reference.startswith("#/")
        place: Any = described
        for part in reference[2:].split("/"):
            place = place[part]


def test_operation_ids_are_unique(described: dict[str, Any]) -> None:
    ids = [
        one["operationId"] for methods in described["paths"].values() for one in methods.values()
    ]
    assert len(set(ids)) == len(ids)


def test_no_schema_is_empty_handed(described: dict[str, Any]) -> None:
    """JSON Schema: ``anyOf`` and ``enum`` name something; a default lies within its range."""
    for one in everything(described):
        assert one.get("anyOf") != []
        assert one.get("enum") != []
        if isinstance(one.get("default"), int) and "minimum" in one:
            assert one["default"] >= one["minimum"]


def test_constraints_and_headers_are_kept(described: dict[str, Any]) -> None:
    listing = {
        one.get("name"): one for one in described["paths"]["/v1/secrets"]["get"]["parameters"]
    }
    assert listing["limit"]["schema"] == {"type": "integer", "minimum": 1, "maximum": 200}
    write = described["paths"]["/v1/secrets/{path}"]["put"]
    assert {"If-Match", "If-None-Match"} <= {one.get("name") for one in write["parameters"]}
    assert {"$ref": "#/components/parameters/idempotency"} in write["parameters"]
    assert {"200", "201", "400", "401", "403", "409", "413", "422", "429", "500", "503"} <= set(
        write["responses"]
    )
    body = described["components"]["schemas"]["WriteBody"]
    assert body["properties"]["data"] == {"type": "object"}
    assert body["additionalProperties"] is False


def test_it_names_no_module_of_the_program(described: dict[str, Any]) -> None:
    assert not any("scaivault." in name for name in described["components"]["schemas"])


def test_every_endpoint_stands_under_a_topic_that_is_described(described: dict[str, Any]) -> None:
    used = {one["tags"][0] for methods in described["paths"].values() for one in methods.values()}
    assert used == {one["name"] for one in described["tags"]}
    assert topic("/v1/secrets/{path*}") == "secrets"
    assert topic("/v1/partner/secrets") == "partner secrets"
    with pytest.raises(LookupError):
        topic("/v1/secretsx")


def test_each_endpoint_names_the_action_of_its_audit_rows(described: dict[str, Any]) -> None:
    paths = described["paths"]
    assert paths["/v1/policies"]["post"]["x-audit-action"] == "policy_create"
    assert "x-audit-action" not in paths["/v1/policies/test"]["post"]
    assert "x-audit-action" not in paths["/v1/health"]["get"]
    assert "x-audit-action" not in paths["/oauth/token"]["post"]


async def test_it_is_served_to_anybody(house: House) -> None:
    answer = await house.get("/v1/openapi.json", token=None)
    assert answer.status == 200
    assert answer.json["openapi"].startswith("3.1")
    assert answer.json["paths"].keys() == document(ROUTES)["paths"].keys()


def test_codes_are_named_for_every_room_and_for_nothing_else() -> None:
    """A room or verb that was renamed must not leave its codes behind."""
    verbs = {route.verb for route in ALL}
    rooms = {route.room for route in ALL}
    assert verbs | rooms >= OWN.keys()
    assert [verb for verb in verbs if verb not in OWN and verb.partition(".")[0] not in OWN] == []
