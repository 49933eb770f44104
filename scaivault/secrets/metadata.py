"""What stands beside a value: free but for a few fields.

Only the fields with rules are looked into; all else stays the bytes that were sent, also numbers
that are too long for Python to convert."""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from scaivault.errors import faults, invalid
from scaivault.secrets.model import METADATA_MAX, check_size

_fields: Final = msgspec.json.Decoder(dict[str, Raw]).decode
_NULL: Final = b"null"


def clean(raw: bytes) -> str:
    """The metadata as stored: tags without repeats, everything else as sent."""
    if not raw.startswith(b"{"):
        raise invalid(metadata="must be an object")
    check_size(raw, "metadata", METADATA_MAX)
    metadata = _fields(raw)
    found: dict[str, str] = {}
    if any(not 1 <= len(name) <= 128 for name in metadata):
        found["metadata"] = "keys must have 1 to 128 characters"
    for field, longest in (("description", 4096), ("owner", 256)):
        if not _fits(metadata.get(field), longest):
            found[f"metadata.{field}"] = f"must be a string of at most {longest} characters"
    tags, fault = _tags(metadata.get("tags"))
    if fault is not None:
        found["metadata.tags"] = fault
    if found:
        raise faults(found)
    if len(set(tags)) < len(tags):
        metadata["tags"] = Raw(msgspec.json.encode(list(dict.fromkeys(tags))))
        return msgspec.json.encode(metadata).decode()
    return raw.decode()


def _fits(raw: Raw | None, longest: int) -> bool:
    try:
        text = None if raw is None else msgspec.json.decode(raw, type=str | None)
    except msgspec.ValidationError:
        return False
    return text is None or len(text) <= longest


def _tags(raw: Raw | None) -> tuple[list[str], str | None]:
    """The tags as sent, and what is wrong with them."""
    try:
        tags = (None if raw is None else msgspec.json.decode(raw, type=list[str] | None)) or []
    except msgspec.ValidationError:
        return [], "must be a list of strings"
    if len(set(tags)) > 64:
        return [], "must have at most 64 tags"
    if any(not 1 <= len(tag) <= 128 for tag in tags):
        return [], "each tag must have 1 to 128 characters"
    return tags, None


def merged(stored: str, patch: bytes) -> str:
    """``stored`` with the keys of ``patch``; null removes a key, or everything."""
    if patch == _NULL:
        return "{}"
    fields = _fields(stored)
    for name, value in _fields(patch).items():
        if bytes(value) == _NULL:
            fields.pop(name, None)
        else:
            fields[name] = value
    return clean(msgspec.json.encode(fields))
