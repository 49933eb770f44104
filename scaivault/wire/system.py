"""Requests and answers about the vault itself."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import UNSET, Meta, Struct, UnsetType, structs

Label = Annotated[str, Meta(min_length=1, max_length=100)]
Slug = Annotated[str, Meta(pattern=r"\A[a-z0-9-]{2,40}\Z", description="2 to 40 of a-z, 0-9 and -")]
Count = Annotated[int, Meta(ge=2, le=32)]


class SlotBody(Struct, forbid_unknown_fields=True, frozen=True):
    """A slot that is asked for."""

    type: str
    label: Label | None = None
    params: dict[str, Any] | None = None
    passphrase: str | None = None
    generate: bool = False
    shares: Count | None = None
    threshold: Count | None = None


class NewSlot(Struct, frozen=True):
    """POST /v1/system/slots"""

    body: SlotBody


class Founded(Struct, forbid_unknown_fields=True, frozen=True):
    """A first partner or tenant."""

    name: Annotated[str, Meta(min_length=1, max_length=128)] = "default"
    slug: Slug = "default"


class InitBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Everything is optional."""

    slots: Annotated[list[SlotBody], Meta(max_length=16)] | None = None
    recovery: bool | None = None
    partner: Founded | None = None
    tenant: Founded | None = None
    root_token_ttl: str | None = None


class Init(Struct, frozen=True):
    """POST /v1/system/init"""

    body: InitBody


class SlotBrief(Struct):
    """A slot, named."""

    id: str
    type: str
    label: str


class Initialized(Struct):
    """What is told once: shares, recovery key, root token."""

    vault_id: str
    sealed: bool
    partner_id: str
    tenant_id: str
    slots: list[SlotBrief]
    shares: dict[str, list[str]]
    recovery_key: str | None
    root_token: str
    root_token_expires_at: str


class CredentialBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Exactly one of ``passphrase``, ``share``, ``shares``, ``key`` and ``auto``."""

    slot_id: str | None = None
    passphrase: str | None = None
    share: str | None = None
    shares: Annotated[list[str], Meta(min_length=1, max_length=32)] | None = None
    key: str | None = None
    auto: bool = False


class Unseal(Struct, frozen=True):
    """POST /v1/system/unseal"""

    body: CredentialBody


class RootTokenBody(CredentialBody, forbid_unknown_fields=True, frozen=True):
    """A slot credential and the life of the token."""

    ttl: str | None = None


class RootToken(Struct, frozen=True):
    """POST /v1/system/root-token"""

    body: RootTokenBody


class IssuedRootToken(Struct):
    """The token, told once."""

    token: str
    expires_at: str
    identity_id: str


class SealBody(Struct, forbid_unknown_fields=True, frozen=True):
    """``hold``: no automatic unseal until somebody unseals by hand."""

    hold: bool = True


class Seal(Struct, frozen=True):
    """POST /v1/system/seal"""

    body: SealBody


class SlotProgress(Struct):
    """A slot as anybody may see it."""

    id: str
    type: str
    label: str
    auto: bool
    threshold: int | UnsetType = UNSET
    shares: int | UnsetType = UNSET
    progress: int | UnsetType = UNSET


class AutoState(Struct):
    """How the last attempt without a person went."""

    last_attempt_at: str | None
    last_error: str | None


class SealStatus(Struct):
    """Whether the vault is open."""

    initialized: bool
    sealed: bool
    state: str
    reason: str | None
    held: bool
    since: str
    vault_id: str | None
    version: str
    slots: list[SlotProgress]
    auto: AutoState


class SlotInfo(Struct):
    """A slot as its administrators see it."""

    id: str
    type: str
    label: str
    params: dict[str, Any]
    auto: bool
    portable: bool
    created_at: str
    created_by: str | None
    last_used_at: str | None
    last_verified_at: str | None
    last_error: str | None
    shares: list[str] | UnsetType = UNSET
    recovery_key: str | UnsetType = UNSET

    def without_secrets(self) -> SlotInfo:
        """As an idempotency key keeps it."""
        return structs.replace(self, shares=UNSET, recovery_key=UNSET)


class SlotList(Struct):
    """All slots, oldest first."""

    slots: list[SlotInfo]


class VerifySlot(Struct, frozen=True):
    """POST /v1/system/slots/{id}/verify"""

    id: str
    body: CredentialBody


class Verified(Struct):
    """What a credential opens."""

    id: str
    valid: bool
    complete: bool
    shares_valid: list[int]


class RemoveSlot(Struct, frozen=True):
    """DELETE /v1/system/slots/{id}"""

    id: str
    force: bool = False


class SlotCredential(Struct, forbid_unknown_fields=True, frozen=True):
    """A slot and what opens it."""

    slot_id: str
    passphrase: str | None = None
    shares: Annotated[list[str], Meta(min_length=1, max_length=32)] | None = None


class RotateRootBody(Struct, forbid_unknown_fields=True, frozen=True):
    """Every slot that does not open by itself is named in one list or the other."""

    credentials: Annotated[list[SlotCredential], Meta(max_length=32)] = []
    drop_slots: Annotated[list[str], Meta(max_length=32)] = []
    rekey_file: bool = False
    reason: Annotated[str, Meta(max_length=1024)] | None = None


class RotateRoot(Struct, frozen=True):
    """POST /v1/system/rotate-root"""

    body: RotateRootBody


class RootRotated(Struct):
    """The new root key; fresh shares are told once."""

    root_key_version: int
    slots_rewrapped: list[str]
    slots_dropped: list[str]
    shares: dict[str, list[str]]

    def without_secrets(self) -> RootRotated:
        """As an idempotency key keeps it."""
        return structs.replace(self, shares={})


class OwnerId(Struct, frozen=True):
    """A tenant or partner."""

    id: str


class KeyRotation(Struct, kw_only=True):
    """How far a key rotation has come."""

    tenant_id: str | UnsetType = UNSET
    partner_id: str | UnsetType = UNSET
    key_version: int
    previous_version: int | None
    status: str
    deks_total: int
    deks_remaining: int


class JobState(Struct):
    """One line of the job table."""

    name: str
    last_run_at: str | None
    next_run_at: str | None
    last_status: str | None
    lag_seconds: int


class Jobs(Struct):
    """The worker."""

    paused: bool
    jobs: list[JobState]


class Health(Struct):
    """The process runs."""

    status: str
    timestamp: str


class Readiness(Struct, omit_defaults=True):
    """Whether requests can be served."""

    status: str
    checks: dict[str, str]
    errors: dict[str, str] = {}


class NotReady(Readiness, omit_defaults=True):
    """Which check fails, and why."""

    http_status: ClassVar[int] = 503


class Version(Struct):
    """What runs here."""

    version: str
    api_version: str
    commit: str | None
    built_at: str | None


class DatabaseCheck(Struct):
    """``latency_ms`` of the smallest question; null while it does not answer."""

    status: str
    latency_ms: float | None
    pool_size: int
    pool_available: int


class CacheCheck(Struct):
    """The cache of this process, under the name that monitoring knows."""

    status: str
    latency_ms: float
    memory_used_mb: float


class EncryptionCheck(Struct):
    """``key_status``: active, or rotating while values are still wrapped with an older key."""

    status: str
    key_status: str
    last_rotation: str | None


class ObjectStorageCheck(Struct):
    """Where copies of backups and archives go."""

    status: str
    latency_ms: float | None


class AuditCheck(Struct):
    """How far the ledger reaches, and its newest signature."""

    last_seq: int
    last_checkpoint_at: str | None


class DiskCheck(Struct):
    """Free space under the data directory."""

    free_bytes: int


class WorkerCheck(Struct):
    """Background work; ``lag_seconds`` of the job that is most overdue."""

    paused: bool
    lag_seconds: int


class BackupCheck(Struct):
    """The newest backup, and the newest that a rehearsal opened."""

    last_success_at: str | None
    last_verified_at: str | None


class ClockCheck(Struct):
    """Whether the clock is behind what the ledger says."""

    status: str


class IssuerCheck(Struct):
    """An outside issuer of tokens; ``ok`` too while nobody came with a token of its."""

    name: str
    type: str
    status: str
    keys: int
    last_fetched_at: str | None


class Checks(Struct):
    """All of them; the lists are empty where nothing of that kind is set up."""

    database: DatabaseCheck
    redis: CacheCheck
    encryption: EncryptionCheck
    s3: ObjectStorageCheck
    audit: AuditCheck
    disk: DiskCheck
    worker: WorkerCheck
    backup: BackupCheck
    clock: ClockCheck
    issuers: list[IssuerCheck]
    engines: list[dict[str, Any]]
    federation: list[dict[str, Any]]


class Detailed(Struct):
    """Everything that an operator looks at first."""

    status: str
    version: str
    uptime_seconds: int
    checks: Checks
