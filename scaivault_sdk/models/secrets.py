"""Objects of the secrets API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from scaivault_sdk.errors import TransportError
from scaivault_sdk.models.base import Model

if TYPE_CHECKING:
    from typing_extensions import Self


class SecretType(str, Enum):
    """What a secret holds; a hint, without effect on storage."""

    KV = "kv"
    JSON = "json"
    CERTIFICATE = "certificate"
    SSH_KEY = "ssh_key"
    API_KEY = "api_key"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class SecretMetadata(Model):
    """What is known about a secret in clear; ``custom``: the caller's own keys."""

    description: str | None = None
    tags: list[str] = field(default_factory=list)
    owner: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_wire(cls, body: Any, **also: Any) -> Self:
        if not isinstance(body, Mapping):
            raise TransportError("the answer holds no metadata; is this ScaiVault?")
        own = {name: body[name] for name in ("description", "tags", "owner") if name in body}
        return cls(**own, custom={name: body[name] for name in body if name not in own}, **also)

    def to_wire(self) -> dict[str, Any]:
        """As a write takes it: only what is set."""
        own = {"description": self.description, "tags": self.tags, "owner": self.owner}
        return {**{name: value for name, value in own.items() if value}, **self.custom}


@dataclass(frozen=True)
class SecretSource(Model):
    """Where a federated secret comes from."""

    backend_id: str
    backend_name: str | None = None
    mode: str | None = None
    remote: str | None = None
    remote_version: str | None = None
    synced_at: datetime | None = None
    stale: bool | None = None


@dataclass(frozen=True)
class Secret(Model):
    """A secret with the value of one version. ``secret["field"]`` reads from ``data``, which
    never appears in a repr."""

    path: str
    version: int
    data: dict[str, Any] = field(repr=False)
    secret_type: SecretType = SecretType.KV
    metadata: SecretMetadata = field(default_factory=SecretMetadata)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    last_accessed_at: datetime | None = None
    rotation_policy_id: str | None = None
    secret_policy_id: str | None = None
    readable_until: datetime | None = None
    source: SecretSource | None = None
    scope: str | None = None

    def __getitem__(self, name: str) -> Any:
        return self.data[name]


@dataclass(frozen=True)
class WriteResult(Model):
    """What a write made. An update tells ``previous_version`` and ``updated_at``, a first write
    ``secret_type``, ``created_at`` and ``expires_at``."""

    path: str
    version: int
    created: bool
    previous_version: int | None = None
    secret_type: SecretType | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    scope: str | None = None


@dataclass(frozen=True)
class RotateResult(Model):
    """The new version; never its value."""

    path: str
    version: int
    previous_version: int | None = None
    created: bool = False
    updated_at: datetime | None = None
    grace_period_ends: datetime | None = None
    auto_generated: bool = False
    rotation_policy_id: str | None = None
    scope: str | None = None


@dataclass(frozen=True)
class DeleteResult(Model):
    """What a delete did; ``version`` when it was only that one."""

    path: str
    deleted: bool
    permanent: bool
    version: int | None = None
    recoverable_until: datetime | None = None
    scope: str | None = None


@dataclass(frozen=True)
class RotationState(Model):
    """The attached schedule."""

    id: str
    next_rotation: datetime | None = None


@dataclass(frozen=True)
class SecretOptions(Model):
    """Settings as kept."""

    max_versions: int
    notify_before: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class SecretInfo(Model):
    """All about a secret but its value."""

    path: str
    current_version: int
    version_count: int
    metadata: SecretMetadata = field(default_factory=SecretMetadata)
    secret_type: SecretType | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    last_accessed_at: datetime | None = None
    access_count_30d: int = 0
    rotation_policy: RotationState | None = None
    secret_policy_id: str | None = None
    options: SecretOptions | None = None
    source: SecretSource | None = None
    scope: str | None = None


@dataclass(frozen=True)
class SecretItem(Model):
    """A line of a list. From ``current_version`` on: with ``include_metadata``; the last two:
    of deleted secrets."""

    path: str
    version: int
    secret_type: SecretType | None = None
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    tags: list[str] = field(default_factory=list)
    current_version: int | None = None
    version_count: int | None = None
    metadata: SecretMetadata | None = None
    created_at: datetime | None = None
    last_accessed_at: datetime | None = None
    access_count_30d: int | None = None
    rotation_policy: RotationState | None = None
    secret_policy_id: str | None = None
    options: SecretOptions | None = None
    source: SecretSource | None = None
    deleted_at: datetime | None = None
    recoverable_until: datetime | None = None


@dataclass(frozen=True)
class VersionInfo(Model):
    """A stored version. ``readable_until``: end of its grace after a rotation."""

    version: int
    is_current: bool
    created_at: datetime | None = None
    created_by: str | None = None
    readable_until: datetime | None = None


@dataclass(frozen=True)
class ExpiringSecret(Model):
    """A secret whose time is nearly over; days are rounded up."""

    path: str
    expires_at: datetime
    days_remaining: int


@dataclass(frozen=True)
class BatchError(Model):
    """Why one path of a batch was refused."""

    code: str
    message: str


@dataclass(frozen=True)
class BatchResult(Model):
    """What a batch read: path -> secret, and path -> why not."""

    secrets: dict[str, Secret] = field(default_factory=dict)
    errors: dict[str, BatchError] = field(default_factory=dict)
    retrieved: int = 0
    failed: int = 0


@dataclass(frozen=True)
class BatchInfo(Model):
    """What is told about one path of a metadata batch."""

    version: int
    updated_at: datetime | None = None
    tags: list[str] = field(default_factory=list)
