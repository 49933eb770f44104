"""Policies and bindings as they are kept, and what may stand in them."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET, Raw

from scaivault.errors import Refusal, faults
from scaivault.gate import rules as gate
from scaivault.gate.globs import check_glob
from scaivault.wire import policies as wire
from scaivault.wire.names import name_fault

log = logging.getLogger("scaivault.policies")

NO_CONDITIONS: Final = Raw(b"null")
# extra_data takes 8 KiB in all.
_TOLD_LONGEST: Final = 7 * 1024

_decode: Final = msgspec.json.Decoder(list[wire.Rule]).decode


class Policy(NamedTuple):
    """A row of ``policy``. ``owner_id``: a tenant, or the partner that keeps it; ``rules``: their
    JSON as it was sent; instants."""

    owner_id: str
    id: str
    name: str
    description: str
    rules: str
    is_active: bool
    created_at: int
    updated_at: int
    created_by: str

    @property
    def scope(self) -> str:
        return "partner" if self.owner_id.startswith("ptn_") else "tenant"


class Binding(NamedTuple):
    """A row of ``binding``. ``tenant_id``: where the identity lives and the policy holds for it."""

    owner_id: str
    policy_id: str
    id: str
    tenant_id: str
    identity_type: str
    identity_id: str
    expires_at: int | None
    created_at: int
    created_by: str

    def is_live(self, now: int) -> bool:
        """Whether it grants at this instant."""
        return self.expires_at is None or now < self.expires_at


class Held(NamedTuple):
    """A policy with its rules ready to decide."""

    policy: Policy
    rules: tuple[gate.Rule, ...]


def packed(rules: list[wire.Rule]) -> str:
    """The JSON of rules as it is kept."""
    return msgspec.json.encode(rules).decode()


def unpacked(rules: str) -> list[wire.Rule]:
    """Rules as they were sent."""
    return _decode(rules)


def conditions_of(rule: wire.Rule) -> Raw:
    """The conditions as they were sent; ``null`` where there are none."""
    return NO_CONDITIONS if rule.conditions is UNSET else rule.conditions


def checked(name: str | None, rules: list[wire.Rule] | None, mfa_max_age: int) -> str | None:
    """The JSON of ``rules``, all of which can decide; None where none are given.

    ``validation_error`` for a bad name and repeated permissions, all at once; ``invalid_glob`` and
    ``invalid_policy`` for the first bad pattern or condition."""
    found = {}
    if name is not None and (fault := name_fault(name)) is not None:
        found["name"] = fault
    for index, rule in enumerate(rules or ()):
        if len(set(rule.permissions)) < len(rule.permissions):
            found[f"rules[{index}].permissions"] = "must name each permission once"
    if found:
        raise faults(found)
    if rules is None:
        return None
    kept = [_without_null(rule) for rule in rules]
    for index, rule in enumerate(kept):
        _compiled(rule, f"rules[{index}].", mfa_max_age)
    return packed(kept)


def _without_null(rule: wire.Rule) -> wire.Rule:
    """null in a body is the same as absent."""
    if rule.conditions == NO_CONDITIONS:
        return msgspec.structs.replace(rule, conditions=UNSET)
    return rule


def _compiled(rule: wire.Rule, field: str, mfa_max_age: int) -> gate.Conditions:
    check_glob(rule.path_pattern, f"{field}path_pattern")
    field = f"{field}conditions"
    try:
        given = msgspec.json.decode(conditions_of(rule))
    except msgspec.DecodeError:  # legal JSON, but for a whole number of thousands of digits
        raise Refusal(
            "invalid_policy", f"{field} holds a number out of range", field=field, reason="value"
        ) from None
    return gate.parse_conditions(given, field=field, mfa_max_age=mfa_max_age)


def held(policy: Policy, mfa_max_age: int) -> Held:
    """A kept policy, ready to decide. ``mfa_max_age``: seconds, where a rule names none.

    A rule that cannot be read any more (a time zone that this host does not know) grants nothing;
    the others do."""
    rules = []
    for index, rule in enumerate(unpacked(policy.rules)):
        try:
            conditions = _compiled(rule, "", mfa_max_age)
        except Refusal as refused:
            log.warning("policy %s: rule %d grants nothing: %s", policy.id, index, refused.message)
            continue
        rules.append(
            gate.Rule(
                policy.id,
                policy.created_at,
                index,
                rule.path_pattern,
                frozenset(rule.permissions),
                conditions,
            )
        )
    return Held(policy, tuple(rules))


def told(old: str, new: str) -> dict[str, Any]:
    """Old and new rules for the ledger row of a change: all; where a row cannot hold them, those
    that differ; where it cannot hold these either, the SHA-256 of the kept JSON."""
    before, after = msgspec.json.decode(old), msgspec.json.decode(new)
    if len(old) + len(new) > _TOLD_LONGEST:
        before, after = _lacking(before, after), _lacking(after, before)
    row = {"old_rules": before, "new_rules": after}
    if len(msgspec.json.encode(row)) > _TOLD_LONGEST:
        return {"old_rules_sha256": _sha256(old), "new_rules_sha256": _sha256(new)}
    return row


def _lacking(rules: list[Any], others: Iterable[Any]) -> list[Any]:
    known = {msgspec.json.encode(rule, order="sorted") for rule in others}
    return [rule for rule in rules if msgspec.json.encode(rule, order="sorted") not in known]


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
