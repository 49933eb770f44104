"""Rows as answers."""

from __future__ import annotations

from collections.abc import Iterable

from scaivault.clock import instant, instant_or_none
from scaivault.policies.model import Binding, Policy, unpacked
from scaivault.wire import policies as wire


def binding(row: Binding) -> wire.Binding:
    return wire.Binding(
        id=row.id,
        policy_id=row.policy_id,
        identity_type=row.identity_type,
        identity_id=row.identity_id,
        tenant_id=row.tenant_id,
        expires_at=instant_or_none(row.expires_at),
        created_at=instant(row.created_at),
        created_by=row.created_by,
    )


def policy(row: Policy, bindings: Iterable[Binding]) -> wire.Policy:
    return wire.Policy(
        id=row.id,
        name=row.name,
        description=row.description,
        scope=row.scope,
        rules=unpacked(row.rules),
        is_active=row.is_active,
        bindings=[binding(one) for one in bindings],
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        created_by=row.created_by,
    )


def item(row: Policy, bindings: int) -> wire.PolicyItem:
    rules = unpacked(row.rules)
    return wire.PolicyItem(
        id=row.id,
        name=row.name,
        scope=row.scope,
        description=row.description,
        rule_count=len(rules),
        binding_count=bindings,
        is_active=row.is_active,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        rules=rules,
    )
