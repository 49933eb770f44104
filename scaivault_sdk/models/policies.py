"""Objects of the policies API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scaivault_sdk.models.base import Model


@dataclass(frozen=True)
class PolicyRule(Model):
    """What may be done on the paths that fit a glob. ``conditions`` as the API has them."""

    path_pattern: str
    permissions: list[str]
    conditions: dict[str, Any] | None = None

    def to_wire(self) -> dict[str, Any]:
        """As a policy takes it."""
        own = {"path_pattern": self.path_pattern, "permissions": list(self.permissions)}
        return {**own, "conditions": self.conditions} if self.conditions else own


def rules_body(rules: Iterable[PolicyRule | Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Rules as the wire has them."""
    return [rule.to_wire() if isinstance(rule, PolicyRule) else dict(rule) for rule in rules]


@dataclass(frozen=True)
class PolicyBinding(Model):
    """Whom a policy is bound to."""

    id: str
    policy_id: str
    identity_type: str
    identity_id: str
    tenant_id: str | None = None
    expires_at: datetime | None = None
    created_at: datetime | None = None
    created_by: str | None = None


@dataclass(frozen=True)
class Policy(Model):
    """An access policy. Single reads have ``bindings``, lists ``rule_count`` and
    ``binding_count``."""

    id: str
    name: str
    rules: list[PolicyRule] = field(default_factory=list)
    description: str = ""
    scope: str = "tenant"
    is_active: bool = True
    bindings: list[PolicyBinding] = field(default_factory=list)
    rule_count: int | None = None
    binding_count: int | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    created_by: str | None = None


@dataclass(frozen=True)
class MatchedRule(Model):
    """The rule that allows, or, with the policy fields None, the admin role in ``via``."""

    path_pattern: str
    via: str
    policy_id: str | None = None
    name: str | None = None
    rule_index: int | None = None


@dataclass(frozen=True)
class EvaluatedRule(Model):
    """One rule by itself."""

    policy_id: str
    name: str
    rule_index: int
    matched_path: bool
    granted: bool
    failed_condition: str | None = None


@dataclass(frozen=True)
class PolicyTest(Model):
    """What policy says, and why."""

    allowed: bool
    permission: str | None = None
    path: str | None = None
    reason: str | None = None
    matched_rule: MatchedRule | None = None
    evaluated: list[EvaluatedRule] = field(default_factory=list)


@dataclass(frozen=True)
class AccessWay(Model):
    """How an identity gets at a path: by a rule, perhaps through a group, or by a role."""

    path_pattern: str | None = None
    policy_id: str | None = None
    policy_name: str | None = None
    binding_id: str | None = None
    rule_index: int | None = None
    conditions: dict[str, Any] | None = None
    group: str | None = None
    role: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Accessor(Model):
    """An identity that could, and every way it could."""

    identity_type: str
    identity_id: str
    via: list[AccessWay] = field(default_factory=list)


@dataclass(frozen=True)
class EffectiveRule(Model):
    """One rule that holds for an identity."""

    path_pattern: str
    permissions: list[str]
    policy_id: str | None = None
    policy_name: str | None = None
    binding_id: str | None = None
    rule_index: int | None = None
    conditions: dict[str, Any] | None = None
    group: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class EffectiveRights(Model):
    """Everything that policy gives one identity."""

    identity_type: str
    identity_id: str
    groups: list[str] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    rules: list[EffectiveRule] = field(default_factory=list)
