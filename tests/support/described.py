"""Answers held against the description of the API."""

from __future__ import annotations

from typing import Any, Final

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from scaivault.http.openapi import document
from scaivault.http.routes import ROUTES
from tests.support.house import Answer

DESCRIBED: Final = document(ROUTES)


def assert_described(method: str, path: str, answer: Answer) -> None:
    """The answer of the endpoint with the template ``path`` has a status, and a code or a body,
    that the description tells of."""
    operation: dict[str, Any] = DESCRIBED["paths"][path.replace("*}", "}")][method.lower()]
    described = operation["responses"].get(str(answer.status))
    assert described is not None, (method, path, answer.status)
    if "x-codes" in described:
        assert answer.code in described["x-codes"], (method, path, answer.code)
    content = described.get("content", {}).get("application/json")
    if content is not None:
        schema = {**content["schema"], "components": DESCRIBED["components"]}
        faults = [fault.message for fault in Draft202012Validator(schema).iter_errors(answer.json)]
        assert faults == [], (method, path, faults)
