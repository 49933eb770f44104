"""All settings in one value, and the list of their keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin

from msgspec.structs import FieldInfo, fields

from scaivault.config.identity import Identity
from scaivault.config.limits import RateLimits
from scaivault.config.sections import (
    Acme,
    Audit,
    Backup,
    Dynamic,
    Federation,
    Log,
    Metrics,
    ObjectStorage,
    Outbound,
    Pki,
    Policies,
    Rotation,
    Seal,
    Secrets,
    Section,
    Server,
    Storage,
    Subscriptions,
    Webhooks,
)


class Settings(Section, frozen=True):
    """What this process runs with. Immutable; ``load`` makes it, ``reloadable`` renews a part."""

    data_dir: Path = Path("/var/lib/scaivault")
    server: Server = Server()
    storage: Storage = Storage()
    secrets: Secrets = Secrets()
    seal: Seal = Seal()
    identity: Identity = Identity()
    policies: Policies = Policies()
    rate_limits: RateLimits = RateLimits()
    audit: Audit = Audit()
    webhooks: Webhooks = Webhooks()
    outbound: Outbound = Outbound()
    subscriptions: Subscriptions = Subscriptions()
    rotation: Rotation = Rotation()
    federation: Federation = Federation()
    pki: Pki = Pki()
    acme: Acme = Acme()
    dynamic: Dynamic = Dynamic()
    object_storage: ObjectStorage = ObjectStorage()
    backup: Backup = Backup()
    metrics: Metrics = Metrics()
    log: Log = Log()
    slot_defaults: Mapping[str, Mapping[str, str]] = {}
    """Slot type -> parameters for a new slot, from ``KMS_PROVIDER`` and its companions. No key."""
    warnings: tuple[str, ...] = ()
    """What the operator should be told once at start. No key."""


DERIVED: Final = frozenset({"slot_defaults", "warnings"})
"""Fields of ``Settings`` that no key sets."""


def _walk(section: type[Section], prefix: str) -> Iterator[tuple[str, FieldInfo]]:
    for field in fields(section):
        if section is Settings and field.name in DERIVED:
            continue
        if isinstance(field.type, type) and issubclass(field.type, Section):
            yield from _walk(field.type, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field


KEYS: Final[Mapping[str, FieldInfo]] = dict(_walk(Settings, ""))
"""Dotted key -> its field: every setting there is."""

SECTIONS: Final = frozenset(key[:end] for key in KEYS for end in range(len(key)) if key[end] == ".")
"""Dotted names of all sections: ``server``, ``server.tls``, …"""


def lookup(settings: Settings, key: str) -> Any:
    """The value of a dotted key."""
    value: Any = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value


def bare(kind: Any) -> Any:
    """A field's type without constraints, and without ``None`` where it is optional."""
    if get_origin(kind) is Annotated:
        return bare(get_args(kind)[0])
    if get_origin(kind) in {Union, UnionType}:
        (only,) = (one for one in get_args(kind) if one is not NoneType)
        return bare(only)
    return kind


def optional(kind: Any) -> bool:
    """Whether ``null`` is a value of this type."""
    return NoneType in get_args(kind)
