"""All that is announced: the closed list of event types.

``secret.accessed`` is recorded only while somebody asks for it by name."""

from __future__ import annotations

from typing import Final

KINDS: Final = frozenset(
    (
        "secret.created",
        "secret.updated",
        "secret.deleted",
        "secret.restored",
        "secret.rotated",
        "secret.expiring",
        "secret.expired",
        "secret.accessed",
        "rotation.completed",
        "policy.created",
        "policy.updated",
        "policy.deleted",
        "policy.binding.created",
        "policy.binding.deleted",
        "policy.violation",
        "token.expiring",
    )
)
