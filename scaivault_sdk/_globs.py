"""Patterns of policies, matched by the server's own code: two readings of ``**`` would differ."""

from __future__ import annotations

from scaivault_sdk.models.policies import Policy


def grants(policy: Policy, path: str, permission: str | None) -> bool:
    """Whether a rule of the policy fits the path and, if one is asked for, the permission."""
    return any(
        _fits(rule.path_pattern, path)
        for rule in policy.rules
        if permission is None or permission in rule.permissions or "admin" in rule.permissions
    )


def _fits(pattern: str, path: str) -> bool:
    from scaivault.errors import Refusal
    from scaivault.gate import globs

    try:
        return globs.matches(pattern, path)
    except Refusal:  # of a newer server: what cannot be read here is not said to fit
        return False
