"""The Python client of ScaiVault.

``ScaiVaultClient`` is for asyncio, ``SyncScaiVaultClient`` blocks; both have the same members.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scaivault_sdk._answers import log_to_stderr
    from scaivault_sdk._async.client import ScaiVaultClient
    from scaivault_sdk._async.pages import Page as AsyncPage
    from scaivault_sdk._cache import CacheConfig
    from scaivault_sdk._sync.client import SyncScaiVaultClient
    from scaivault_sdk._sync.pages import Page
    from scaivault_sdk.models.common import Answer, RateLimit
    from scaivault_sdk.models.secrets import (
        BatchError,
        BatchInfo,
        BatchResult,
        DeleteResult,
        ExpiringSecret,
        RotateResult,
        Secret,
        SecretInfo,
        SecretItem,
        SecretMetadata,
        SecretOptions,
        SecretType,
        VersionInfo,
        WriteResult,
    )

# Loaded when first asked for: a program that blocks never imports asyncio for us, and one that
# only catches our errors imports no HTTP.
_HOMES = {
    "ScaiVaultClient": "_async.client",
    "SyncScaiVaultClient": "_sync.client",
    "CacheConfig": "_cache",
    "log_to_stderr": "_answers",
    "Page": "_sync.pages",
    "Answer": "models.common",
    "RateLimit": "models.common",
    **dict.fromkeys(
        [
            "BatchError",
            "BatchInfo",
            "BatchResult",
            "DeleteResult",
            "ExpiringSecret",
            "RotateResult",
            "Secret",
            "SecretInfo",
            "SecretItem",
            "SecretMetadata",
            "SecretOptions",
            "SecretType",
            "VersionInfo",
            "WriteResult",
        ],
        "models.secrets",
    ),
}

__all__ = [
    "Answer",
    "AsyncPage",
    "BatchError",
    "BatchInfo",
    "BatchResult",
    "CacheConfig",
    "DeleteResult",
    "ExpiringSecret",
    "Page",
    "RateLimit",
    "RotateResult",
    "ScaiVaultClient",
    "Secret",
    "SecretInfo",
    "SecretItem",
    "SecretMetadata",
    "SecretOptions",
    "SecretType",
    "SyncScaiVaultClient",
    "VersionInfo",
    "WriteResult",
    "log_to_stderr",
]


def __getattr__(name: str) -> Any:
    if name == "AsyncPage":
        from scaivault_sdk._async.pages import Page

        return Page
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
