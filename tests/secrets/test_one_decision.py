"""Whoever asks for a secret, and on which route: one function says yes or no. It comes in two
forms, for one path and for many; ``tests/gate/test_rules.py`` holds them together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from scaivault.gate import gate as gates
from scaivault.gate.rules import Decision
from tests.support.house import Answer, House
from tests.support.rights import SCOPES, grant
from tests.support.tenants import found_tenant

PATH = "app/db"
Asked = list[tuple[str, str]]


class Case(NamedTuple):
    """A request, the permission it takes, and whether an answer shows that it was refused."""

    method: str
    target: str
    body: Any
    permission: str
    refused: Callable[[Answer], bool]


def denied(answer: Answer) -> bool:
    return answer.status == 403 and answer.code == "access_denied"


def empty(answer: Answer) -> bool:
    return answer.status == 200 and answer.json["secrets"] == []


def no_values(answer: Answer) -> bool:
    return answer.status == 200 and answer.json["secrets"] == {}


def no_metadata(answer: Answer) -> bool:
    return answer.status == 200 and answer.json["metadata"] == {}


BATCH = {"paths": [PATH]}
CASES = [
    Case("GET", f"secrets/{PATH}", None, "read", denied),
    Case("PUT", f"secrets/{PATH}", {"data": {}}, "write", denied),
    Case("PATCH", f"secrets/{PATH}", {"metadata": {}}, "write", denied),
    Case("POST", f"secrets/{PATH}/rotate", {"new_value": {}}, "rotate", denied),
    Case("POST", f"secrets/{PATH}/restore", None, "write", denied),
    Case("GET", f"secrets/metadata/{PATH}", None, "list", denied),
    Case("GET", f"secrets/{PATH}/versions", None, "list", denied),
    Case("GET", "secrets", None, "list", empty),
    Case("GET", "secrets?include_metadata=true&include_deleted=true", None, "list", empty),
    Case("GET", "secrets/expiring", None, "list", empty),
    Case("POST", "secrets/batch", BATCH, "read", no_values),
    Case("POST", "secrets/batch", BATCH | {"options": {"fail_fast": True}}, "read", denied),
    Case("POST", "secrets/batch/metadata", BATCH, "list", no_metadata),
    Case("POST", "secrets/batch/metadata", {"paths": ["**"], "expand_wildcards": True}, "list",
         no_metadata),
    Case("DELETE", f"secrets/{PATH}?version=1", None, "delete", denied),
    Case("DELETE", f"secrets/{PATH}", None, "delete", denied),
    Case("DELETE", f"secrets/{PATH}?permanent=true", None, "admin", denied),
]  # fmt: skip
BASES = ("/v1/", "/v1/t/{tenant}/", "/v1/partner/")
# There are no batches of what a partner owns.
MIXED = [
    (base, case)
    for base in BASES
    for case in CASES
    if base != "/v1/partner/" or "batch" not in case.target
]


async def prepared(house: House, base: str) -> str:
    """Two versions at the path, behind ``base``."""
    base = base.format(tenant=(await found_tenant(house, "other")).id)
    for number in range(2):
        body = {"data": {"n": number}, "options": {"expires_in": "2d"}}
        answer = await house.call("PUT", f"{base}secrets/{PATH}", body)
        assert answer.status in (200, 201), answer.body
    return base


@pytest.mark.parametrize(("base", "case"), MIXED)
async def test_every_route_asks_it_and_obeys(
    house: House, monkeypatch: pytest.MonkeyPatch, base: str, case: Case
) -> None:
    base = await prepared(house, base)
    asked: Asked = []

    def no(*, permission: str, path: str, **_: Any) -> Decision:
        asked.append((permission, path))
        return Decision(False, "access_denied", "no_policy_bound")

    def no_to_each(**case: Any) -> Callable[[str], Decision]:
        return lambda path: no(path=path, **case)

    monkeypatch.setattr(gates, "decide", no)
    monkeypatch.setattr(gates, "deciding", no_to_each)
    answer = await house.call(case.method, base + case.target, case.body)
    assert case.refused(answer), answer.body
    assert set(asked) == {(case.permission, PATH)}
    monkeypatch.undo()
    answer = await house.call(case.method, base + case.target, case.body)
    assert answer.status == 200, answer.body
    assert not case.refused(answer)


@pytest.mark.parametrize("case", CASES)
async def test_rules_are_what_it_goes_by(house: House, case: Case) -> None:
    """The same routes, by a caller that has rules: all but the permission, then only that."""
    await prepared(house, "/v1/")
    token = await house.client("app", [*SCOPES, "secrets:rotate"])
    others = {"read", "write", "delete", "list", "rotate"} - {case.permission}
    grant(house, ("**", others))
    answer = await house.call(case.method, f"/v1/{case.target}", case.body, token=token)
    assert case.refused(answer), answer.body
    grant(house, ("**", {case.permission}))
    answer = await house.call(case.method, f"/v1/{case.target}", case.body, token=token)
    assert answer.status == 200, answer.body
    assert not case.refused(answer)
