"""Rules on the command line and in files, and rules as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from scaivault.cli.failure import usage
from scaivault.cli.values import json_value

Rule = dict[str, Any]

_FIELDS: Final = frozenset(("rules", "description", "scope", "name", "is_active"))


def rule_of(text: str) -> Rule:
    """``PATTERN=read,list``. A pattern holds no ``=``."""
    pattern, equals, permissions = text.partition("=")
    words = [word.strip() for word in permissions.split(",")]
    if not pattern or not equals or not all(words):
        raise usage(f"--rule {text} is not PATTERN=permission,permission")
    return {"path_pattern": pattern, "permissions": words}


def described(file: str | None, rules: Sequence[str]) -> dict[str, Any]:
    """What a JSON file (a list of rules, or a policy) and ``--rule`` say; nothing when neither is
    given. Rules of both are added up."""
    found: dict[str, Any] = {}
    if file is not None:
        value = json_value(file)
        found = {"rules": value} if isinstance(value, list) else value
        if not isinstance(found, dict) or not found.keys() <= _FIELDS:
            names = ", ".join(sorted(_FIELDS))
            raise usage(f"--file must hold a list of rules, or an object with some of: {names}")
    if rules:
        before = found.get("rules", [])
        if not isinstance(before, list):
            raise usage("rules in --file must be a list")
        found = {**found, "rules": [*before, *map(rule_of, rules)]}
    return found


def rule_lines(rules: Iterable[Any]) -> list[list[Any]]:
    """Pattern, permissions and conditions of each rule."""
    return [
        [rule.get(name) for name in ("path_pattern", "permissions", "conditions")]
        for rule in rules
        if isinstance(rule, Mapping)
    ]
