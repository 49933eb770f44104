# Made by scripts/sdk from scaivault_sdk/_async/policies.py; change it there.
"""``client.policies``."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from scaivault_sdk._calls import given, secret_target, segment
from scaivault_sdk._globs import grants
from scaivault_sdk._sync.base import Namespace
from scaivault_sdk._sync.pages import Page
from scaivault_sdk.models.policies import (
    Accessor,
    EffectiveRights,
    Policy,
    PolicyBinding,
    PolicyRule,
    PolicyTest,
    rules_body,
)

_BASE = "/v1/policies"

Rules = Iterable[PolicyRule | Mapping[str, Any]]


class Policies(Namespace):
    """Access policies: who may do what on which paths."""

    def list(
        self,
        scope: str | None = None,
        include_inactive: bool = False,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Policy]:
        """A page, by name. ``scope``: ``tenant`` or ``partner``; both when left out."""
        query = {
            "scope": scope,
            "include_inactive": include_inactive or None,
            "limit": limit,
            "cursor": cursor,
        }
        return self._page(_BASE, "policies", Policy.from_wire, query)

    def iterate(
        self, scope: str | None = None, include_inactive: bool = False, *, limit: int | None = None
    ) -> Iterator[Policy]:
        """As ``list``, over all pages."""
        page = self.list(scope, include_inactive, limit=limit)
        for policy in page.items():
            yield policy

    def get(self, policy_id: str) -> Policy:
        """A policy with its rules and bindings."""
        return Policy.from_wire(self._get(_policy(policy_id)))

    def create(
        self,
        name: str,
        rules: Rules,
        *,
        description: str | None = None,
        scope: str | None = None,
        is_active: bool | None = None,
    ) -> Policy:
        """A new policy; it grants nothing until it is bound."""
        body = given(
            name=name,
            rules=rules_body(rules),
            description=description,
            scope=scope,
            is_active=is_active,
        )
        return Policy.from_wire(self._post(_BASE, body))

    def replace(
        self,
        policy_id: str,
        name: str,
        rules: Rules,
        *,
        description: str | None = None,
        is_active: bool | None = None,
    ) -> Policy:
        """Name, rules and description anew; bindings stay."""
        body = given(
            name=name, rules=rules_body(rules), description=description, is_active=is_active
        )
        return Policy.from_wire(self._put(_policy(policy_id), body))

    def update(
        self,
        policy_id: str,
        *,
        name: str | None = None,
        description: str | None = None,
        rules: Rules | None = None,
        is_active: bool | None = None,
    ) -> Policy:
        """Only what is given; ``rules`` as a whole."""
        wanted = None if rules is None else rules_body(rules)
        body = given(name=name, description=description, rules=wanted, is_active=is_active)
        return Policy.from_wire(self._patch(_policy(policy_id), body))

    def delete(self, policy_id: str, force: bool = False) -> None:
        """``PolicyInUseError`` while it is bound, unless ``force`` removes the bindings too."""
        self._delete(_policy(policy_id), force=True if force else None)

    # -- bindings -------------------------------------------------------------------------------

    def bindings(
        self, policy_id: str, *, limit: int | None = None, cursor: str | None = None
    ) -> Page[PolicyBinding]:
        """A page of a policy's bindings, oldest first."""
        query = {"limit": limit, "cursor": cursor}
        where = f"{_policy(policy_id)}/bindings"
        return self._page(where, "bindings", PolicyBinding.from_wire, query)

    def bind(
        self,
        policy_id: str,
        identity_type: str,
        identity_id: str,
        *,
        expires_at: datetime | str | None = None,
        tenant_id: str | None = None,
    ) -> PolicyBinding:
        """Grant the policy to an identity. ``tenant_id``: of the identity, for partner policies."""
        body = given(
            identity_type=identity_type,
            identity_id=identity_id,
            expires_at=expires_at,
            tenant_id=tenant_id,
        )
        return PolicyBinding.from_wire(self._post(f"{_policy(policy_id)}/bindings", body))

    def unbind(self, policy_id: str, binding_id: str) -> None:
        """Take it away again, from the next request on."""
        self._delete(f"{_policy(policy_id)}/bindings/{segment(binding_id, 'binding_id')}")

    # -- questions ------------------------------------------------------------------------------

    def test(
        self,
        identity_id: str,
        path: str,
        permission: str,
        *,
        source_ip: str | None = None,
        mfa_verified: bool | None = None,
        timestamp: datetime | str | None = None,
    ) -> PolicyTest:
        """What policy alone would say, under these circumstances; leaves no audit row."""
        body: dict[str, Any] = {"identity_id": identity_id, "path": path, "permission": permission}
        context = given(source_ip=source_ip, mfa_verified=mfa_verified, timestamp=timestamp)
        if context:
            body["context"] = context
        return PolicyTest.from_wire(self._post(f"{_BASE}/test", body, changes=False))

    def list_for_path(self, path: str, permission: str | None = None) -> builtins.list[Policy]:
        """The active policies with a rule that fits the path (and lists the permission). Patterns
        are matched here, by the server's code; conditions and bindings are not looked at."""
        secret_target(path)
        return [policy for policy in self.iterate(limit=200) if grants(policy, path, permission)]

    def who_can(
        self,
        path: str,
        permission: str,
        *,
        limit: int | None = None,
        cursor: str | None = None,
    ) -> Page[Accessor]:
        """A page of the identities that could, and how. Conditions are not evaluated."""
        query = {"path": path, "permission": permission, "limit": limit, "cursor": cursor}
        return self._page(f"{_BASE}/who-can", "identities", Accessor.from_wire, query)

    def effective(self, identity_id: str | None = None) -> EffectiveRights:
        """Everything that policy gives an identity, by default the caller."""
        return EffectiveRights.from_wire(self._get(f"{_BASE}/effective", identity_id=identity_id))


def _policy(policy_id: str) -> str:
    return f"{_BASE}/{segment(policy_id, 'policy_id')}"
