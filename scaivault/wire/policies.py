"""Requests and answers of the policies room."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

Permission = Literal["read", "write", "delete", "list", "rotate", "admin"]
IdentityType = Literal["user", "service_account", "group"]
Scope = Literal["tenant", "partner"]
Limit = Annotated[int, Meta(ge=1, le=200)]
Description = Annotated[str, Meta(max_length=4096)]


class Rule(Struct, forbid_unknown_fields=True, frozen=True):
    """What may be done on the paths that fit a pattern, and under which conditions."""

    path_pattern: str
    permissions: Annotated[list[Permission], Meta(min_length=1, max_length=6)]
    conditions: Raw | UnsetType = UNSET


Rules = Annotated[list[Rule], Meta(min_length=1, max_length=100)]


# -- requests ----------------------------------------------------------------------------------


class NewPolicyBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``scope`` partner: kept by the partner, for identities of all its tenants."""

    name: str
    rules: Rules
    description: Description = ""
    scope: Scope = "tenant"
    is_active: bool = True


class NewPolicy(Struct, frozen=True):
    """POST /v1/policies"""

    body: NewPolicyBody


class ListPolicies(Struct, frozen=True):
    """GET /v1/policies"""

    scope: Scope | None = None
    include_inactive: bool | None = None
    limit: Limit | None = None
    cursor: str | None = None


class PolicyId(Struct, frozen=True):
    """A call that takes nothing but the policy."""

    id: str


class ReplacePolicyBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Rules and description are replaced; ``is_active`` stays where it is left out."""

    name: str
    rules: Rules
    description: Description = ""
    scope: Scope | None = None
    is_active: bool | None = None


class ReplacePolicy(Struct, frozen=True):
    """PUT /v1/policies/{id}"""

    id: str
    body: ReplacePolicyBody


class ChangePolicyBody(Struct, forbid_unknown_fields=True, frozen=True):
    """What is left out stays; null clears the description."""

    name: str | UnsetType = UNSET
    description: Description | UnsetType | None = UNSET
    rules: Rules | UnsetType = UNSET
    is_active: bool | UnsetType = UNSET


class ChangePolicy(Struct, frozen=True):
    """PATCH /v1/policies/{id}"""

    id: str
    body: ChangePolicyBody


class DeletePolicy(Struct, frozen=True):
    """DELETE /v1/policies/{id}"""

    id: str
    force: bool = False


class NewBindingBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``identity_id``: canonical, or a record id. ``tenant_id``: of the identity, for policies of
    scope partner."""

    identity_type: IdentityType
    identity_id: str
    expires_at: str | None = None
    tenant_id: str | None = None


class NewBinding(Struct, frozen=True):
    """POST /v1/policies/{id}/bindings"""

    id: str
    body: NewBindingBody


class ListBindings(Struct, frozen=True):
    """GET /v1/policies/{id}/bindings"""

    id: str
    limit: Limit | None = None
    cursor: str | None = None


class BindingId(Struct, frozen=True):
    """DELETE /v1/policies/{id}/bindings/{binding_id}"""

    id: str
    binding_id: str


class TestContext(Struct, forbid_unknown_fields=True, frozen=True):
    """The circumstances that conditions are held against."""

    source_ip: str | None = None
    mfa_verified: bool = False
    timestamp: str | None = None


class TestBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Would policy let this identity do this on this path?"""

    identity_id: str
    path: str
    permission: Permission
    context: TestContext = TestContext()


class TestPolicies(Struct, frozen=True):
    """POST /v1/policies/test"""

    body: TestBody


class WhoCan(Struct, frozen=True):
    """GET /v1/policies/who-can. Path and permission may be left out beside a cursor."""

    path: str | None = None
    permission: Permission | None = None
    limit: Limit | None = None
    cursor: str | None = None


class EffectiveRights(Struct, frozen=True):
    """GET /v1/policies/effective"""

    identity_id: str | None = None


# -- answers -----------------------------------------------------------------------------------


class Binding(Struct):
    """Whom a policy is bound to."""

    id: str
    policy_id: str
    identity_type: str
    identity_id: str
    tenant_id: str
    expires_at: str | None
    created_at: str
    created_by: str


class BindingPage(Struct):
    """One page of a policy's bindings."""

    bindings: list[Binding]
    cursor: str | None
    has_more: bool


class Policy(Struct):
    """A policy with all of it."""

    id: str
    name: str
    description: str
    scope: str
    rules: list[Rule]
    is_active: bool
    bindings: list[Binding]
    created_at: str
    updated_at: str
    created_by: str


class PolicyItem(Struct):
    """One line of a list."""

    id: str
    name: str
    scope: str
    description: str
    rule_count: int
    binding_count: int
    is_active: bool
    created_at: str
    updated_at: str
    rules: list[Rule]


class PolicyPage(Struct):
    """One page of policies."""

    policies: list[PolicyItem]
    cursor: str | None
    has_more: bool


class MatchedRule(Struct):
    """What grants: a rule and the bound identity, or (policy fields null) an admin role."""

    policy_id: str | None
    name: str | None
    rule_index: int | None
    path_pattern: str
    via: str


class EvaluatedRule(Struct):
    """One rule by itself. ``failed_condition``: why it does not grant although it fits."""

    policy_id: str
    name: str
    rule_index: int
    matched_path: bool
    granted: bool
    failed_condition: str | None


class TestResult(Struct):
    """What policy says."""

    allowed: bool
    permission: str
    path: str
    matched_rule: MatchedRule | None
    evaluated: list[EvaluatedRule]
    reason: str


# Passed on as they are kept; null where there are none.
Conditions = Annotated[Raw, Meta(extra_json_schema={"type": ["object", "null"]})]


class Way(Struct):
    """One way to a right. By an admin role: ``role`` is set, all else is null. By a group:
    ``group`` is the one that the policy is bound to. ``conditions`` null: none."""

    policy_id: str | None
    policy_name: str | None
    binding_id: str | None
    rule_index: int | None
    path_pattern: str | None
    conditions: Conditions
    group: str | None
    role: str | None
    expires_at: str | None


class Able(Struct):
    """An identity that could, and by which ways."""

    identity_type: str
    identity_id: str
    via: list[Way]


class AblePage(Struct):
    """One page of the identities that could."""

    path: str
    permission: str
    identities: list[Able]
    cursor: str | None
    has_more: bool


class EffectiveRule(Struct):
    """A rule that counts for an identity; ``group``: the one by which it does."""

    policy_id: str
    policy_name: str
    binding_id: str
    rule_index: int
    path_pattern: str
    permissions: list[str]
    conditions: Conditions
    group: str | None
    expires_at: str | None


class Effective(Struct):
    """All that policy gives to one identity."""

    identity_type: str
    identity_id: str
    groups: list[str]
    roles: list[str]
    rules: list[EffectiveRule]
