"""A key that systemd hands over at start (``LoadCredentialEncrypted=``, systemd.exec(5))."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Annotated

from msgspec import Meta, Struct

from scaivault.crypto.memory import Guarded
from scaivault.errors import Refusal, invalid
from scaivault.seal.file import Slot
from scaivault.seal.slots import keytext
from scaivault.seal.slots.contract import Created, Wanted, opened, unavailable
from scaivault.seal.slots.fetched import FetchedKey
from scaivault.storage import private

# What systemd takes for a name, without a leading dot.
_Name = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-][A-Za-z0-9._-]{0,254}\Z")]


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    name: _Name = "scaivault.key"


class SystemdCredential(FetchedKey):
    type = "systemd-credential"
    portable = False
    shape = Params

    async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
        wanted.only(self.type)
        name = wanted.read(Params).name
        try:
            secret = await self._fetch(name)
        except Refusal as refusal:
            raise invalid(params__name=refusal.message) from None
        return Created(params={"name": name}, secret=secret)

    async def fetched(self, slot: Slot) -> Guarded:
        return await self._fetch(opened(Params, slot).name)

    async def _fetch(self, name: str) -> Guarded:
        directory = self.host.credentials
        if directory is None:
            cause = "the process was started without any: add LoadCredentialEncrypted= to the unit"
        else:
            try:
                return await asyncio.to_thread(_read, directory / name)
            except OSError as error:
                cause = f"it cannot be read ({error.strerror}): check the unit's credentials"
            except (private.UnsafeFile, ValueError):
                cause = "it must hold one base64 line of 32 bytes"
        raise unavailable(self.type, f"the credential of the slot cannot be used: {cause}")


def _read(path: Path) -> Guarded:
    """Modes are not looked at: for a service user systemd sets an ACL, whose mask shows as
    group bits, on a file of root in a directory that nobody else can enter."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ValueError("not a regular file")
        return keytext.key(private.read_bounded(descriptor, keytext.LIMIT, path))
    finally:
        os.close(descriptor)
