"""The Python client of ScaiVault.

``ScaiVaultClient`` is for asyncio, ``SyncScaiVaultClient`` blocks; both have the same members.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaivault_sdk._answers import log_to_stderr
    from scaivault_sdk._async.audit import Trail as AsyncTrail
    from scaivault_sdk._async.client import ScaiVaultClient
    from scaivault_sdk._async.pages import Page as AsyncPage
    from scaivault_sdk._cache import CacheConfig
    from scaivault_sdk._sync.audit import Trail
    from scaivault_sdk._sync.client import SyncScaiVaultClient
    from scaivault_sdk._sync.pages import Page
    from scaivault_sdk.models.audit import (
        AuditExport,
        AuditRecord,
        AuditSummary,
        ChainProblem,
        ChainReport,
        Checkpoint,
        CheckpointKey,
        IdentityActivity,
        Retention,
        SecretActivity,
    )
    from scaivault_sdk.models.common import Answer, RateLimit
    from scaivault_sdk.models.identity import (
        AccessRevocation,
        AccessToken,
        AdminRole,
        AssignedRoles,
        AuthConfig,
        ClientCredential,
        Group,
        GroupMember,
        Identity,
        Introspection,
        MfaVerification,
        NewToken,
        Partner,
        ServiceAccount,
        SyncRun,
        Tenant,
        TokenInfo,
        TotpEnrolment,
        Trust,
        User,
        WhoAmI,
    )
    from scaivault_sdk.models.policies import (
        Accessor,
        AccessWay,
        EffectiveRights,
        EffectiveRule,
        EvaluatedRule,
        MatchedRule,
        Policy,
        PolicyBinding,
        PolicyRule,
        PolicyTest,
    )
    from scaivault_sdk.models.secrets import (
        BatchError,
        BatchInfo,
        BatchResult,
        DeleteResult,
        ExpiringSecret,
        RotateResult,
        RotationState,
        Secret,
        SecretInfo,
        SecretItem,
        SecretMetadata,
        SecretOptions,
        SecretSource,
        SecretType,
        VersionInfo,
        WriteResult,
    )
    from scaivault_sdk.models.system import (
        DetailedHealth,
        Health,
        Initialization,
        Job,
        Jobs,
        KeyRotation,
        Readiness,
        RootRotation,
        RootToken,
        SealStatus,
        ServerVersion,
        Slot,
        SlotVerification,
    )

# Loaded when first asked for: a program that blocks never imports asyncio for us, and one that
# only catches our errors imports no HTTP. Module -> names.
_HOMES = {
    "_answers": [
        "log_to_stderr",
    ],
    "_async.client": [
        "ScaiVaultClient",
    ],
    "_cache": [
        "CacheConfig",
    ],
    "_sync.audit": [
        "Trail",
    ],
    "_sync.client": [
        "SyncScaiVaultClient",
    ],
    "_sync.pages": [
        "Page",
    ],
    "models.audit": [
        "AuditExport",
        "AuditRecord",
        "AuditSummary",
        "ChainProblem",
        "ChainReport",
        "Checkpoint",
        "CheckpointKey",
        "IdentityActivity",
        "Retention",
        "SecretActivity",
    ],
    "models.common": [
        "Answer",
        "RateLimit",
    ],
    "models.identity": [
        "AccessRevocation",
        "AccessToken",
        "AdminRole",
        "AssignedRoles",
        "AuthConfig",
        "ClientCredential",
        "Group",
        "GroupMember",
        "Identity",
        "Introspection",
        "MfaVerification",
        "NewToken",
        "Partner",
        "ServiceAccount",
        "SyncRun",
        "Tenant",
        "TokenInfo",
        "TotpEnrolment",
        "Trust",
        "User",
        "WhoAmI",
    ],
    "models.policies": [
        "AccessWay",
        "Accessor",
        "EffectiveRights",
        "EffectiveRule",
        "EvaluatedRule",
        "MatchedRule",
        "Policy",
        "PolicyBinding",
        "PolicyRule",
        "PolicyTest",
    ],
    "models.secrets": [
        "BatchError",
        "BatchInfo",
        "BatchResult",
        "DeleteResult",
        "ExpiringSecret",
        "RotateResult",
        "RotationState",
        "Secret",
        "SecretInfo",
        "SecretItem",
        "SecretMetadata",
        "SecretOptions",
        "SecretSource",
        "SecretType",
        "VersionInfo",
        "WriteResult",
    ],
    "models.system": [
        "DetailedHealth",
        "Health",
        "Initialization",
        "Job",
        "Jobs",
        "KeyRotation",
        "Readiness",
        "RootRotation",
        "RootToken",
        "SealStatus",
        "ServerVersion",
        "Slot",
        "SlotVerification",
    ],
}
_OTHER_NAMES = {
    "AsyncPage": ("_async.pages", "Page"),
    "AsyncTrail": ("_async.audit", "Trail"),
}
_PLACES = {
    **{name: (home, name) for home, names in _HOMES.items() for name in names},
    **_OTHER_NAMES,
}

__all__ = [
    "AccessRevocation",
    "AccessToken",
    "AccessWay",
    "Accessor",
    "AdminRole",
    "Answer",
    "AssignedRoles",
    "AsyncPage",
    "AsyncTrail",
    "AuditExport",
    "AuditRecord",
    "AuditSummary",
    "AuthConfig",
    "BatchError",
    "BatchInfo",
    "BatchResult",
    "CacheConfig",
    "ChainProblem",
    "ChainReport",
    "Checkpoint",
    "CheckpointKey",
    "ClientCredential",
    "DeleteResult",
    "DetailedHealth",
    "EffectiveRights",
    "EffectiveRule",
    "EvaluatedRule",
    "ExpiringSecret",
    "Group",
    "GroupMember",
    "Health",
    "Identity",
    "IdentityActivity",
    "Initialization",
    "Introspection",
    "Job",
    "Jobs",
    "KeyRotation",
    "MatchedRule",
    "MfaVerification",
    "NewToken",
    "Page",
    "Partner",
    "Policy",
    "PolicyBinding",
    "PolicyRule",
    "PolicyTest",
    "RateLimit",
    "Readiness",
    "Retention",
    "RootRotation",
    "RootToken",
    "RotateResult",
    "RotationState",
    "ScaiVaultClient",
    "SealStatus",
    "Secret",
    "SecretActivity",
    "SecretInfo",
    "SecretItem",
    "SecretMetadata",
    "SecretOptions",
    "SecretSource",
    "SecretType",
    "ServerVersion",
    "ServiceAccount",
    "Slot",
    "SlotVerification",
    "SyncRun",
    "SyncScaiVaultClient",
    "Tenant",
    "TokenInfo",
    "TotpEnrolment",
    "Trail",
    "Trust",
    "User",
    "VersionInfo",
    "WhoAmI",
    "WriteResult",
    "log_to_stderr",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home, there = _PLACES[name]
    return getattr(import_module(f"{__name__}.{home}"), there)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
