"""Objects of the system API."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scaivault_sdk.models.base import Model


@dataclass(frozen=True)
class Health(Model):
    """The process runs."""

    status: str
    timestamp: datetime | None = None


@dataclass(frozen=True)
class Readiness(Model):
    """Whether requests can be served, and what is in the way."""

    status: str
    checks: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @property
    def ready(self) -> bool:
        """Whether it is."""
        return self.status == "ready"


@dataclass(frozen=True)
class DetailedHealth(Model):
    """What an operator looks at first; ``checks`` as the API has them."""

    status: str
    version: str | None = None
    uptime_seconds: int | None = None
    checks: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ServerVersion(Model):
    """What runs there."""

    version: str
    api_version: str | None = None
    commit: str | None = None
    built_at: str | None = None


@dataclass(frozen=True)
class Slot(Model):
    """What opens the vault. ``shares`` and ``recovery_key`` are told once, when the slot is made,
    and not in a repr; ``progress``: shares that were given so far."""

    id: str
    type: str
    label: str = ""
    auto: bool = False
    portable: bool | None = None
    params: dict[str, Any] = field(default_factory=dict)
    threshold: int | None = None
    progress: int | None = None
    created_at: datetime | None = None
    created_by: str | None = None
    last_used_at: datetime | None = None
    last_verified_at: datetime | None = None
    last_error: str | None = None
    shares: Any = field(default=None, repr=False)
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SealStatus(Model):
    """Whether the vault is open."""

    initialized: bool
    sealed: bool
    state: str | None = None
    reason: str | None = None
    held: bool = False
    since: datetime | None = None
    vault_id: str | None = None
    version: str | None = None
    slots: list[Slot] = field(default_factory=list)
    auto: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SlotVerification(Model):
    """What a credential opens; ``complete`` False: more shares are needed."""

    id: str
    valid: bool
    complete: bool
    shares_valid: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class RootRotation(Model):
    """The new root key. ``shares``: told once, not in a repr."""

    root_key_version: int
    slots_rewrapped: list[str] = field(default_factory=list)
    slots_dropped: list[str] = field(default_factory=list)
    shares: dict[str, list[str]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class KeyRotation(Model):
    """How far the rotation of a tenant's or partner's key has come."""

    key_version: int
    status: str
    previous_version: int | None = None
    deks_total: int = 0
    deks_remaining: int = 0
    tenant_id: str | None = None
    partner_id: str | None = None


@dataclass(frozen=True)
class Job(Model):
    """Something that happens by itself."""

    name: str
    last_run_at: datetime | None = None
    next_run_at: datetime | None = None
    last_status: str | None = None
    lag_seconds: int = 0


@dataclass(frozen=True)
class Jobs(Model):
    """The worker. ``paused``: nothing acts outward."""

    paused: bool
    jobs: list[Job] = field(default_factory=list)


@dataclass(frozen=True)
class Initialization(Model):
    """A new vault. Shares, recovery key and root token are told once, not in a repr."""

    vault_id: str
    sealed: bool
    partner_id: str
    tenant_id: str
    slots: list[Slot] = field(default_factory=list)
    root_token: str = field(default="", repr=False)
    root_token_expires_at: datetime | None = None
    shares: dict[str, list[str]] = field(default_factory=dict, repr=False)
    recovery_key: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RootToken(Model):
    """A token of the root account, told once, not in a repr."""

    token: str = field(repr=False)
    identity_id: str
    expires_at: datetime | None = None
