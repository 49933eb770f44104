"""A key as one line of text: standard base64 (RFC 4648) of 32 bytes, then a line feed."""

from __future__ import annotations

import binascii
from typing import Final

from scaivault.crypto.memory import Guarded, wipe

LIMIT: Final = 64


def key(line: bytes | bytearray) -> Guarded:
    """The key of a line, whose line feed may be missing. ``ValueError`` for anything else.

    Wipes ``line``.
    """
    text = line.removesuffix(b"\n")
    try:
        raw = binascii.a2b_base64(text, strict_mode=True)
        try:
            return Guarded().load(raw)
        finally:
            wipe(raw)
    except ValueError:
        raise ValueError("not one base64 line of 32 bytes") from None
    finally:
        wipe(text)
        wipe(line)


def new_line() -> bytes:
    """The line of a new random key; the caller wipes it."""
    with Guarded.random() as made:
        raw = made.reveal()
    try:
        return binascii.b2a_base64(raw)
    finally:
        wipe(raw)
