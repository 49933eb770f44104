"""Batches: cut to what one call may hold, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from scaivault_sdk.errors import ConfigurationError, TransportError
from scaivault_sdk.models.secrets import BatchError, BatchInfo, BatchResult, Secret

LIMIT = 100  # paths of one call


def batches(paths: Sequence[str]) -> Iterator[list[str]]:
    """The paths in order, each once, so many at a time."""
    if isinstance(paths, str):
        raise ConfigurationError("paths is one text; expected a list of paths")
    once = list(dict.fromkeys(paths))
    for start in range(0, len(once), LIMIT):
        yield once[start : start + LIMIT]


def merged(parts: Iterable[Any]) -> BatchResult:
    """One result of several answers."""
    secrets: dict[str, Secret] = {}
    errors: dict[str, BatchError] = {}
    extra: dict[str, Any] = {}
    for part in parts:
        for path, body in _mapping(part, "secrets").items():
            secrets[path] = Secret.from_wire(body, path=path)
        for path, body in _mapping(part, "errors").items():
            errors[path] = BatchError.from_wire(body)
        known = ("secrets", "errors", "retrieved", "failed")
        extra.update({name: part[name] for name in part if name not in known})
    return BatchResult(secrets, errors, len(secrets), len(errors), extra=extra)


def joined(parts: Iterable[Any]) -> dict[str, BatchInfo]:
    """One mapping of several answers."""
    return {
        path: BatchInfo.from_wire(body)
        for part in parts
        for path, body in _mapping(part, "metadata").items()
    }


def _mapping(part: Any, name: str) -> dict[str, Any]:
    found = part.get(name) if isinstance(part, dict) else None
    if not isinstance(found, dict):
        raise TransportError(f"the answer holds no {name}; is this ScaiVault?")
    return found
