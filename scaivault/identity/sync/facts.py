"""What is told, whoever told it and however."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

from scaivault.wire.names import name_fault

APPLIED: Final = "applied"
IGNORED: Final = "ignored"
STALE: Final = "stale"
CREATED: Final = "created"
UPDATED: Final = "updated"
SAME: Final = "same"

Outcome = Literal["created", "updated", "same", "stale", "ignored"]


class Origin(NamedTuple):
    """``issuer``: the name in the configuration; ``as_of``: the instant that the news is of."""

    issuer: str
    tenant_id: str
    as_of: int


class Person(NamedTuple):
    """None: not told. ``active``: whether he may do anything."""

    external_id: str
    email: str | None = None
    display_name: str | None = None
    active: bool | None = None
    mfa_enabled: bool | None = None


class ToldGroup(NamedTuple):
    """A group as it is told. ``users`` and ``groups``: its own members, by external id."""

    external_id: str
    name: str | None = None
    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class Counters(NamedTuple):
    """Of a run: objects that were made, objects that changed, users who were suspended."""

    created: int = 0
    updated: int = 0
    suspended: int = 0

    def __add__(self, other: object) -> Counters:
        if not isinstance(other, Counters):
            return NotImplemented
        return Counters(*(a + b for a, b in zip(self, other, strict=True)))


def shown(name: str | None) -> str | None:
    """A name that was told, if it can be shown; None: the one that is there stays."""
    return name if name is not None and name_fault(name) is None else None
