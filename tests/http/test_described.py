"""What is answered is what the description of the API says."""

from __future__ import annotations

import re

import pytest

from scaivault.http.routes import ROUTES, Route
from tests.support.described import DESCRIBED, assert_described
from tests.support.house import House

# Without HEAD, which has no body, and the token endpoint, which refuses as RFC 6749 says.
ASKED = [route for route in ROUTES if route.method != "HEAD" and not route.oauth]


@pytest.mark.parametrize("route", ASKED, ids=lambda route: f"{route.method} {route.path}")
async def test_an_unknown_parameter_is_described_everywhere(house: House, route: Route) -> None:
    answer = await house.call(route.method, re.sub(r"\{\w+\*?\}", "x", route.path) + "?unheard=1")
    assert answer.status in (400, 422), answer.body
    assert_described(route.method, route.path, answer)


async def test_what_is_told_once_is_not_required(house: House) -> None:
    made = {"name": "app", "scopes": ["secrets:read"]}
    account = (await house.call("POST", "/v1/identity/service-accounts", made)).json["id"]
    path = "/v1/identity/service-accounts/{id}/credentials"
    for told in (True, False):
        answer = await house.call(
            "POST", path.replace("{id}", account), {}, headers={"Idempotency-Key": "k"}
        )
        assert ("client_secret" in answer.json) == told
        assert_described("POST", path, answer)


@pytest.mark.parametrize("kind", ["tenant", "partner"])
async def test_a_key_is_of_a_tenant_or_of_a_partner(house: House, kind: str) -> None:
    path = f"/v1/system/{kind}s/{{id}}/rotate-key"
    answer = await house.call("POST", path.replace("{id}", house.made[f"{kind}_id"]))
    assert f"{kind}_id" in answer.json
    assert_described("POST", path, answer)


async def test_ones_own_roles_take_no_scope_and_others_do(house: House) -> None:
    token = await house.client("app", ["secrets:read"])
    made = {"name": "other", "scopes": ["secrets:read"]}
    other = (await house.call("POST", "/v1/identity/service-accounts", made)).json["id"]
    path = "/v1/identity/service-accounts/{id}/roles"
    answer = await house.get(path.replace("{id}", other), token=token)
    assert answer.code == "insufficient_scope"
    assert_described("GET", path, answer)


def test_a_key_of_idempotency_goes_with_every_post_and_put() -> None:
    sent = {"$ref": "#/components/parameters/idempotency"}
    for route in ROUTES:
        wanted = route.method in ("POST", "PUT") and not route.open
        listed = DESCRIBED["paths"][route.path.replace("*}", "}")][route.method.lower()]
        assert (sent in listed["parameters"]) == wanted, route.path
