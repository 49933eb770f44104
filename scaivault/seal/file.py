"""``vault.seal``: who can open the vault, and the wrapped keys. Layout: ``docs/formats.md``.

The file is not secret, but it is not trusted either: what is read from it counts only after
``verify``, and the key for that exists only once a slot gave the root key.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from typing import Annotated, Any, Final, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType, ValidationError, convert, structs, to_builtins

from scaivault import __version__
from scaivault.crypto import digest
from scaivault.crypto.memory import Guarded

FORMAT: Final = "scaivault-seal"
VERSION: Final = 1
LIMIT: Final = 256 * 1024

Base64Url = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]+\Z", max_length=16384)]
Instant = Annotated[str, Meta(pattern=r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{15}Z\Z")]
Count = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Program = Annotated[str, Meta(pattern=r"\A[0-9]{1,6}(\.[0-9]{1,6}){2}\Z")]


class SealFileInvalid(Exception):
    """The bytes are not a ``vault.seal`` that this program may open; the message says why."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message: Final = message


class Slot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to the root key. ``type`` and ``params`` are bound to ``wrapped_root``."""

    id: Annotated[str, Meta(pattern=r"\Aslot_[0-9a-v]{20}\Z")]
    type: Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9-]{0,31}\Z")]
    label: Annotated[str, Meta(min_length=1, max_length=100)]
    created_at: Instant
    params: dict[str, Any]
    wrapped_root: Base64Url


class WrappedKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key and which one it is: 1, 2, … in the order of replacement."""

    version: Count
    wrapped: Base64Url


class SealFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole file. Change it only with ``changed``, which counts and authenticates."""

    format: Literal["scaivault-seal"]
    version: Literal[1]
    vault_id: Annotated[str, Meta(pattern=r"\Avlt_[0-9a-v]{20}\Z")]
    created_at: Instant
    root_key_version: Count
    generation: Count
    min_program: Program
    slots: Annotated[list[Slot], Meta(min_length=1)]
    file_key: WrappedKey
    # There only while the pages are rewritten, in one transaction: one of the two opens them.
    file_key_next: WrappedKey | UnsetType = UNSET
    mac: Base64Url

    def slot(self, slot_id: str) -> Slot | None:
        return next((slot for slot in self.slots if slot.id == slot_id), None)

    def signed(self, key: Guarded) -> Self:
        """The same with its ``mac`` under the seal MAC key."""
        return structs.replace(self, mac=self._mac(key))

    def changed(self, key: Guarded, **fields: Any) -> Self:
        """The next generation with other ``fields``, signed."""
        return structs.replace(self, **fields, generation=self.generation + 1).signed(key)

    def verify(self, key: Guarded) -> bool:
        """Whether whoever wrote the file had the root key."""
        return hmac.compare_digest(self._mac(key), self.mac)

    def _mac(self, key: Guarded) -> str:
        fields = to_builtins(self)
        del fields["mac"]
        return to_text(digest.keyed(key, digest.jcs(fields)))


def to_text(raw: bytes) -> str:
    """How bytes stand in the file: base64url (RFC 4648) without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def from_text(text: str) -> bytes:
    """The bytes of ``to_text``; ``ValueError`` for anything that it does not write."""
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if to_text(raw) != text:
        raise ValueError("not base64url without padding")
    return raw


def load(data: bytes | bytearray) -> SealFile:
    """Parse the file; ``SealFileInvalid`` for everything ``dump`` would not have written."""
    if len(data) > LIMIT:
        raise SealFileInvalid(f"vault.seal is longer than {LIMIT} bytes: it is not a seal file")
    fields = _parse(data)
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise SealFileInvalid("vault.seal is a file of another kind: restore it from a backup")
    _refuse_newer(fields)
    try:
        digest.jcs(fields)
        file = convert(fields, SealFile)
    except (ValidationError, ValueError) as error:
        raise SealFileInvalid(f"vault.seal was edited: {error}: restore it from a backup") from None
    if len({slot.id for slot in file.slots}) != len(file.slots):
        raise SealFileInvalid("vault.seal names a slot twice: restore it from a backup")
    return file


def dump(file: SealFile) -> bytes:
    """The bytes to store, proven to load again."""
    data = (json.dumps(to_builtins(file), indent=2, ensure_ascii=False) + "\n").encode()
    load(data)
    return data


def _parse(data: bytes | bytearray) -> Any:
    try:
        return json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_number,
            parse_constant=_no_number,
        )
    except json.JSONDecodeError as error:
        cause = "cut short" if error.pos >= len(error.doc.rstrip()) else f"damaged: {error}"
    except (ValueError, RecursionError) as error:
        cause = f"damaged: {error}"
    raise SealFileInvalid(f"vault.seal is {cause}: restore it from a backup")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a field stands there twice")
    return fields


def _no_number(text: str) -> Any:
    raise ValueError("numbers are whole here")


def _refuse_newer(fields: dict[str, Any]) -> None:
    """Before the fields are looked at: a newer program may have added some."""
    version, needed = fields.get("version"), fields.get("min_program")
    if type(version) is int and version > VERSION:
        raise SealFileInvalid(
            f"vault.seal has version {version}, this program knows up to {VERSION}:"
            " start the newer program"
        )
    if isinstance(needed, str) and _release(needed) > _release(__version__):
        raise SealFileInvalid(
            f"this vault needs program {needed} or later, this is {__version__}:"
            " start that one, or restore the backup made before the upgrade"
        )


def _release(version: str) -> tuple[int, ...]:
    """``1.4.0`` as numbers; what follows them is ignored, anything else is before all."""
    match = re.match(r"([0-9]{1,6})\.([0-9]{1,6})\.([0-9]{1,6})", version)
    return tuple(int(part) for part in match.groups()) if match else ()
