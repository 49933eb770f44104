"""What a slot kind is, and all that it may see.

A kind turns a credential into the slot's secret S, 32 bytes that never change while the slot
lives. It sees its own parameters, the credential and the ``Host``; it never sees the root key.

What the caller must still do: allow one key derivation at a time, give every kind a time limit,
wrap and unwrap the root key (``wrapping``), and wipe each secret that it was given.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeAlias, TypeVar

from msgspec import Struct, ValidationError, convert

from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, faults
from scaivault.seal.file import Slot

T = TypeVar("T")
Shape: TypeAlias = type[Struct]


def _credentials_directory() -> Path | None:
    named = os.environ.get("CREDENTIALS_DIRECTORY")
    return Path(named) if named else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a kind may know of the settings and of the machine. Argon2 numbers: new slots only."""

    argon2_ops: int = 3
    argon2_mem_kib: int = 262144
    credentials: Path | None = field(default_factory=_credentials_directory)


class NoParams(Struct, frozen=True, forbid_unknown_fields=True):
    """For kinds whose new slots are described by other fields or by the settings."""


class _Secret:
    """Prints as ``<secret>``."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<secret>"


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Wanted(_Secret):
    """A slot that somebody asks for; ``None`` and ``False`` mean not given."""

    params: Mapping[str, Any] = field(default_factory=dict)
    passphrase: str | None = None
    generate: bool = False
    shares: int | None = None
    threshold: int | None = None

    def only(self, kind: str, *names: str) -> None:
        """422 when a field is given that means nothing to ``kind``, params apart."""
        others = {entry.name for entry in fields(self)} - {"params", *names}
        given = sorted(name for name in others if getattr(self, name) not in (None, False))
        if given:
            raise faults(dict.fromkeys(given, f"a {kind} slot has no such field"))

    def read(self, shape: type[T]) -> T:
        """``params`` in the given shape; 422 naming the one at fault."""
        try:
            return convert(dict(self.params), shape)
        except ValidationError as error:
            message, _, place = str(error).partition(" - at `$")
            raise faults({"params" + place.rstrip("`"): message}) from None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Created(_Secret):
    """``params`` go into vault.seal, ``secret`` wraps the root key, the rest is told once."""

    params: dict[str, Any]
    secret: Guarded
    shares: tuple[str, ...] = ()
    recovery_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credential(_Secret):
    """Exactly one of these is given. ``key``: base64 of 32 bytes; ``auto``: the kind fetches."""

    passphrase: str | None = None
    shares: tuple[str, ...] = ()
    key: str | None = None
    auto: bool = False


class Kind(ABC):
    """One slot type. ``portable``: usable on another machine, so a backup opens there; ``shape``:
    of its stored parameters."""

    type: ClassVar[str]
    portable: ClassVar[bool]
    shape: ClassVar[Shape]

    def __init__(self, host: Host) -> None:
        self.host = host

    def check(self, params: Mapping[str, Any]) -> None:
        """``ValueError`` when stored parameters are not of this kind or out of their bounds."""
        typed(self.shape, params)

    @abstractmethod
    def takes(self, slot: Slot, credential: Credential) -> bool:
        """Whether this sort of credential may open the slot; an ``auto`` slot takes ``auto``."""

    @abstractmethod
    async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
        """A new slot's secret. 422 for a field at fault, 502 for a failing device or service."""

    @abstractmethod
    async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
        """The slot's secret, which nothing has proven right yet.

        ``unseal_failed`` for every wrong credential, all alike; ``upstream_error`` when the
        device, file or service behind the slot fails. Bounds are checked before work is done.
        """

    def auto(self, params: Mapping[str, Any]) -> bool:
        """Whether the slot opens without a person."""
        return False

    def files(self, params: Mapping[str, Any]) -> list[Path]:
        """Files of this host that nobody else may read."""
        return []

    def renewal(self, params: Mapping[str, Any]) -> Wanted | None:
        """What to create anew when the root key is replaced; ``None``: the secret stays."""
        return None


def typed(shape: type[T], params: Mapping[str, Any]) -> T:
    """Stored parameters in their shape; ``ValueError`` when they do not fit."""
    try:
        return convert(dict(params), shape)
    except ValidationError as error:
        raise ValueError(str(error)) from None


def opened(shape: type[T], slot: Slot) -> T:
    """``typed`` while unsealing: edited parameters open nothing, like a wrong credential."""
    try:
        return typed(shape, slot.params)
    except ValueError:
        raise refused() from None


def refused() -> Refusal:
    """The one answer to every credential that does not open, so that nothing can be told."""
    return Refusal("unseal_failed", "no slot opens with this credential")


def unavailable(kind: str, message: str) -> Refusal:
    """What stands behind a slot failed; ``message`` names the remedy, but no path or address."""
    return Refusal("upstream_error", message, backend=kind)
