"""The bodies of writes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from scaivault_sdk._calls import given, instant
from scaivault_sdk.errors import ConfigurationError
from scaivault_sdk.models.secrets import SecretMetadata


def write_body(
    data: Mapping[str, Any] | None,
    *,
    secret_type: str | None,
    metadata: Mapping[str, Any] | SecretMetadata | None,
    options: Mapping[str, Any] | None,
    generate_from: str | None,
    **settings: Any,
) -> dict[str, Any]:
    """``settings`` go into ``options``; ``ConfigurationError`` where both say something else."""
    folded = options_body(options, **settings)
    body = given(data=data, generate_from=generate_from, metadata=metadata_body(metadata))
    if secret_type is not None:
        body["secret_type"] = str(secret_type)
    if folded:
        body["options"] = folded
    return body


def options_body(options: Mapping[str, Any] | None, **settings: Any) -> dict[str, Any]:
    """One object of both; a None among ``settings`` is not said, among ``options`` it is null."""
    folded = {name: _plain(value) for name, value in (options or {}).items()}
    for name, value in given(**settings).items():
        plain = _plain(value)
        if name in folded and folded[name] != plain:
            raise ConfigurationError(f"{name} is given twice, as a keyword and in options")
        folded[name] = plain
    return folded


def metadata_body(metadata: Mapping[str, Any] | SecretMetadata | None) -> dict[str, Any] | None:
    """Metadata as the wire has it."""
    if isinstance(metadata, SecretMetadata):
        return metadata.to_wire()
    return None if metadata is None else dict(metadata)


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return instant(value)
    return list(value) if isinstance(value, tuple) else value
