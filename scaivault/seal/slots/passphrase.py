"""A passphrase through Argon2id. The recovery key is one too, made here and labelled so."""

from __future__ import annotations

import asyncio
import os
import re
import unicodedata
from typing import Annotated, Final, Literal

from msgspec import Meta, Struct, to_builtins

from scaivault.crypto import codes, kdf
from scaivault.crypto.memory import Guarded, wipe
from scaivault.errors import Refusal, invalid
from scaivault.seal.file import Slot, from_text, to_text
from scaivault.seal.slots.contract import (
    Created,
    Credential,
    Kind,
    NoParams,
    Wanted,
    opened,
    refused,
)

SHORTEST: Final = 12
LONGEST: Final = 1024
# No text of more characters is short enough in normal form, whose cost grows with the square of
# a run of combining marks.
_CHARACTERS: Final = 4 * LONGEST
# Searched for, because the codec's own exception would carry the passphrase.
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class Argon2(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the passphrase is stretched; the bounds keep an edited file from hanging the start."""

    alg: Literal["argon2id13"] = "argon2id13"
    ops: Annotated[int, Meta(ge=kdf.OPS[0], le=kdf.OPS[1])]
    mem_kib: Annotated[int, Meta(ge=kdf.MEM_KIB[0], le=kdf.MEM_KIB[1])]
    salt: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{21}[AQgw]\Z")]


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    kdf: Argon2


class Passphrase(Kind):
    type = "passphrase"
    portable = True
    shape = Params

    def takes(self, slot: Slot, credential: Credential) -> bool:
        return credential.passphrase is not None

    async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
        wanted.only(self.type, "passphrase", "generate")
        wanted.read(NoParams)
        if wanted.generate == (wanted.passphrase is not None):
            raise invalid(passphrase="give one, or generate: true to have one made")
        recovery_key = codes.recovery(os.urandom(32)) if wanted.generate else None
        params = Params(
            kdf=Argon2(
                ops=self.host.argon2_ops,
                mem_kib=self.host.argon2_mem_kib,
                salt=to_text(os.urandom(kdf.SALT)),
            )
        )
        try:
            words = normal(recovery_key or wanted.passphrase or "")
        except ValueError as fault:
            raise invalid(passphrase=str(fault)) from None
        secret = await _derive(words, params.kdf)
        return Created(params=to_builtins(params), secret=secret, recovery_key=recovery_key)

    async def secret(self, slot: Slot, credential: Credential, vault_id: str) -> Guarded:
        params = opened(Params, slot)
        try:
            words = normal(credential.passphrase or "")
        except ValueError:
            raise refused() from None
        return await _derive(words, params.kdf)


def normal(passphrase: str) -> bytes:
    """The bytes that are stretched: UTF-8 of Unicode form NFC, nothing trimmed.

    ``ValueError`` unless these are 12 to 1024.
    """
    if len(passphrase) <= _CHARACTERS and _SURROGATE.search(passphrase) is None:
        words = unicodedata.normalize("NFC", passphrase).encode("utf-8")
        if SHORTEST <= len(words) <= LONGEST:
            return words
        wipe(words)
    raise ValueError(f"must be {SHORTEST} to {LONGEST} bytes of UTF-8")


async def _derive(words: bytes, argon2: Argon2) -> Guarded:
    """Off the event loop: it takes about a second. Wipes ``words``."""
    try:
        return await asyncio.to_thread(_stretch, words, argon2)
    except MemoryError:
        mib = argon2.mem_kib // 1024
        raise Refusal(
            "service_unavailable", f"the key derivation needs {mib} MiB of memory: free some"
        ) from None


def _stretch(words: bytes, argon2: Argon2) -> Guarded:
    try:
        return kdf.argon2id(words, from_text(argon2.salt), argon2.ops, argon2.mem_kib)
    finally:
        wipe(words)
