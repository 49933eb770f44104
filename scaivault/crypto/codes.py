"""Text forms of things people and programs carry about. All of them decode strictly: one text
for one value, ``ValueError`` for anything else, and no message repeats the text.

    token     skt_ | base62 of 32 bytes, 43 | base62 of CRC-32, 6      (sks_: client secret)
    recovery  svr1-xxxx-…-xxxx-cccc                  52 base32 characters in fours
    share     svs1-<last 6 of slot id>-<index>-<52 base32>-cccc

base62 is ``0-9A-Za-z``, big-endian; base32 is RFC 4648, lower-case, unpadded; ``cccc`` are the
first 20 bits of BLAKE2b-256 of everything before the last hyphen.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import zlib
from dataclasses import dataclass
from typing import Final

from scaivault.crypto.digest import plain
from scaivault.crypto.shamir import MOST

TOKEN: Final = "skt_"
CLIENT_SECRET: Final = "sks_"
RECOVERY: Final = "svr1-"
SHARE: Final = "svs1-"

_SIZE: Final = 32
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}
_BODY: Final = 43
_SUM: Final = 6
_SUM_AT: Final = len(TOKEN) + _BODY
_TOKEN: Final = re.compile(r"sk[ts]_[0-9A-Za-z]{49}", re.ASCII)
_RECOVERY: Final = re.compile(r"svr1(?:-[a-z2-7]{4}){14}", re.ASCII)
_SHARE: Final = re.compile(
    r"svs1-(?P<slot>[0-9a-v]{6})-(?P<index>[1-9][0-9]?)-(?P<data>[a-z2-7]{52})-[a-z2-7]{4}",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, repr=False)
class Share:
    """One share as its holder knows it. ``slot``: last six characters of the slot id."""

    slot: str
    index: int
    data: bytes

    def __repr__(self) -> str:
        return "<secret>"


def token(prefix: str, raw: bytes) -> str:
    """``skt_…`` or ``sks_…``, 53 characters, for 32 random bytes."""
    if prefix not in (TOKEN, CLIENT_SECRET):
        raise ValueError("a token starts with skt_ or sks_")
    body = prefix + _base62(int.from_bytes(_sized(raw), "big"), _BODY)
    return body + _token_sum(body)


def is_token(prefix: str, text: str) -> bool:
    """Whether ``text`` has the shape and checksum of a token; says nothing of its being known.

    Costs a few microseconds, so that garbage never causes a look-up.
    """
    return (
        _TOKEN.fullmatch(text) is not None
        and text.startswith(prefix)
        and text[len(TOKEN) : _SUM_AT] <= _LARGEST
        and text[_SUM_AT:] == _token_sum(text[:_SUM_AT])
    )


def token_raw(prefix: str, text: str) -> bytes:
    """The 32 bytes of a token."""
    if not is_token(prefix, text):
        raise ValueError("this is not a token: characters are missing or mistyped")
    value = 0
    for digit in text[len(TOKEN) : _SUM_AT]:
        value = value * 62 + _VALUES[digit]
    return value.to_bytes(_SIZE, "big")


def recovery(raw: bytes) -> str:
    """The recovery key of 32 random bytes: 74 characters."""
    letters = _base32(_sized(raw))
    fours = "-".join(letters[at : at + 4] for at in range(0, len(letters), 4))
    return _checked(RECOVERY + fours)


def recovery_raw(text: str) -> bytes:
    """The 32 bytes of a recovery key."""
    if _RECOVERY.fullmatch(text) is None or not _sum_fits(text):
        raise ValueError("this is not a recovery key: characters are missing or mistyped")
    return _from_base32(text[len(RECOVERY) : -5].replace("-", ""))


def share(slot_id: str, index: int, raw: bytes | bytearray) -> str:
    """The text of share ``index`` (1 to 32) of a slot: 71 or 72 characters."""
    if not 1 <= index <= MOST:
        raise ValueError(f"a share's index is 1 to {MOST}")
    return _checked(f"{SHARE}{slot_id[-6:]}-{index}-{_base32(_sized(raw))}")


def share_raw(text: str) -> Share:
    """The share of a text."""
    found = _SHARE.fullmatch(text)
    if found is None or not _sum_fits(text) or int(found["index"]) > MOST:
        raise ValueError("this is not a share: characters are missing or mistyped")
    return Share(found["slot"], int(found["index"]), _from_base32(found["data"]))


def _sized(raw: bytes | bytearray) -> bytes | bytearray:
    if len(raw) != _SIZE:
        raise ValueError("32 bytes are needed")
    return raw


def _base62(value: int, width: int) -> str:
    digits = ""
    for _ in range(width):
        value, digit = divmod(value, 62)
        digits = _DIGITS[digit] + digits
    return digits


# 43 digits reach beyond 2^256; the alphabet is in ASCII order, so text compares as numbers do.
_LARGEST: Final = _base62(2**256 - 1, _BODY)


def _token_sum(body: str) -> str:
    return _base62(zlib.crc32(body.encode("ascii")), _SUM)


def _base32(raw: bytes | bytearray) -> str:
    return base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def _from_base32(letters: str) -> bytes:
    try:
        raw = base64.b32decode(letters.upper() + "====")
    except binascii.Error as error:  # unreachable by shape; kept closed all the same
        raise ValueError("not base32") from error
    if _base32(raw) != letters:
        raise ValueError("not the one text of these bytes: spare bits are set")
    return raw


def _checked(text: str) -> str:
    return f"{text}-{_check(text)}"


def _check(text: str) -> str:
    return _base32(plain(text.encode("ascii")))[:4]


def _sum_fits(text: str) -> bool:
    return hmac.compare_digest(text[-4:], _check(text[:-5]))
