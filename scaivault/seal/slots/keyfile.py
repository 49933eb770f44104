"""A key in a file of this host, for starts without a person.

Keep it where a thief of the data directory does not find it: another disk, another machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from scaivault.crypto.memory import Guarded, wipe
from scaivault.errors import invalid
from scaivault.seal.file import Slot
from scaivault.seal.slots import keytext
from scaivault.seal.slots.contract import Created, Wanted, opened, typed, unavailable
from scaivault.seal.slots.fetched import FetchedKey
from scaivault.storage import private

_Absolute = Annotated[str, Meta(pattern=r"\A(/[^/\x00]+)+\Z", max_length=4096)]


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    path: _Absolute


class _Asked(Struct, frozen=True, forbid_unknown_fields=True):
    path: _Absolute
    create: bool = False


class KeyFile(FetchedKey):
    type = "keyfile"
    portable = True
    shape = Params

    def files(self, params: Mapping[str, Any]) -> list[Path]:
        return [Path(typed(Params, params).path)]

    async def create(self, slot_id: str, vault_id: str, wanted: Wanted) -> Created:
        """Reads the file, after making it (0400) when ``params.create`` is true."""
        wanted.only(self.type)
        asked = wanted.read(_Asked)
        try:
            secret = await asyncio.to_thread(_first_read, Path(asked.path), asked.create)
        except FileExistsError:
            raise invalid(params__path="is there already: leave out create to use it") from None
        except OSError as error:
            raise invalid(params__path=f"cannot be used: {error.strerror}") from None
        except (private.UnsafeFile, ValueError) as error:
            raise invalid(params__path=f"cannot be used: {error}") from None
        return Created(params={"path": asked.path}, secret=secret)

    async def fetched(self, slot: Slot) -> Guarded:
        path = opened(Params, slot).path
        try:
            return await asyncio.to_thread(_read, Path(path))
        except OSError as error:
            cause = f"it cannot be read ({error.strerror})"
        except private.UnsafeFile:
            cause = "it must be a plain file of the own user, mode 0400 or 0600, with one name"
        except ValueError as error:
            cause = f"it is {error}"
        raise unavailable(self.type, f"the key file of the slot cannot be used: {cause}")


def _first_read(path: Path, create: bool) -> Guarded:
    if create:
        line = keytext.new_line()
        try:
            private.write_new(path, line, 0o400)
        finally:
            wipe(line)
    return _read(path)


def _read(path: Path) -> Guarded:
    return keytext.key(private.read(path, keytext.LIMIT))
