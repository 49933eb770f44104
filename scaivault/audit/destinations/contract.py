"""What a kind of destination is: something that takes named files in pieces.

A kind is one module with ``opened(place) -> async context manager of a Destination``, registered
in ``KINDS``. It never overwrites what it did not write itself, holds one piece in memory at a
time, and raises ``DestinationFailed`` for everything that is not the vault's own fault.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

from scaivault.outbound import Guard

# A multiple of 256 KiB (GCS) and above 5 MiB (S3): pieces that every store takes.
PIECE: Final = 8 * 1024 * 1024
SECONDS: Final = 60.0  # for each step of a request to a store

KINDS: Final = {
    "file": "scaivault.audit.destinations.file",
    "s3": "scaivault.audit.destinations.s3",
    "gcs": "scaivault.audit.destinations.gcs",
    "azure_blob": "scaivault.audit.destinations.azure_blob",
}
BUCKET: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,220}[A-Za-z0-9])?")
REGION: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class DestinationFailed(Exception):
    """The store did not take it. ``reason`` is one word, the message a sentence; neither holds a
    credential."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason: Final = reason


@dataclass(frozen=True, slots=True)
class Place:
    """``prefix``: what the names of all files begin with. ``root``: the directory that they are
    in when the kind is ``file``; ``whole``: they appear there together, as one new directory that
    ``prefix`` names; ``again``: that directory, if it is there, is an earlier try's and replaced;
    ``leave``: bytes of its disk that stay free.
    ``credentials``: the fields of the secret, never kept."""

    kind: str
    prefix: str = ""
    root: Path | None = None
    whole: bool = False
    again: bool = False
    leave: int = 0
    bucket: str = ""
    region: str | None = None
    endpoint: str | None = None
    credentials: Mapping[str, str] | None = None
    guard: Guard | None = None

    def credential(self, name: str) -> str:
        """A field that must be in the secret."""
        found = (self.credentials or {}).get(name, "")
        if not found:
            raise DestinationFailed("credentials", f"the credentials have no field {name}")
        return found

    @property
    def reach(self) -> Guard:
        """The guard of outward calls."""
        if self.guard is None:
            raise LookupError("an outward destination needs a guard")
        return self.guard


class Destination(Protocol):
    """Open for one export, or one file of the archive."""

    async def put(self, name: str, pieces: AsyncIterator[bytes]) -> None:
        """A whole file. Every piece but the last has ``PIECE`` bytes; an empty file has none."""
        ...

    async def finish(self) -> None:
        """All files are there."""
        ...


def open_place(place: Place) -> AbstractAsyncContextManager[Destination]:
    """The destination at a place. ``DestinationFailed`` when its library is not installed."""
    try:
        module = import_module(KINDS[place.kind])
    except ImportError:
        raise DestinationFailed(
            "not_installed",
            f"this server lacks the libraries for {place.kind}: install scaivault[{place.kind}]",
        ) from None
    opened: AbstractAsyncContextManager[Destination] = module.opened(place)
    return opened
