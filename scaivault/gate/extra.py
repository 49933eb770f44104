"""What a ledger row may say besides its fields: at most 8 KiB of strings, booleans, nulls, whole
numbers within 2^53, lists and objects, whose keys are ASCII.

Every row passes here, whoever wrote it: one that could not be encoded would take its whole group
of commits with it, and one that another program could not encode alike could not be verified.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

MOST: Final = 8 * 1024
_EXACT: Final = 2**53 - 1
_DEEPEST: Final = 16
_PLAIN: Final = frozenset((bool, type(None)))

_encoded: Final = msgspec.json.Encoder(order="deterministic").encode


def fitting(extra: dict[str, Any]) -> dict[str, Any]:
    """``extra``, or what stands in for it where a row may not hold that. Its size is another
    question: ``bounded``."""
    for key, value in extra.items():
        if not (_is_name(key) and _is_plain(value)):
            return _object(extra, 0)
    return extra


def bounded(extra: dict[str, Any]) -> dict[str, Any]:
    """``extra`` cut to 8 KiB: the longest lists and texts lose their tail, then entries go."""
    cut = dict(extra)
    while len(_encoded(cut)) > MOST:
        longest = max(cut, key=lambda name: len(name) + len(_encoded(cut[name])))
        value = cut[longest]
        if isinstance(value, list | str) and len(value) > 1:
            cut[longest] = value[: len(value) // 2]
        else:
            del cut[longest]
    return cut


def _is_name(key: object) -> bool:
    return type(key) is str and key.isascii()


def _is_plain(value: object) -> bool:
    kind = type(value)
    if kind is str:
        return str.isascii(value)  # type: ignore[arg-type]  # a str by its type
    if kind is int:
        return abs(value) <= _EXACT  # type: ignore[arg-type]  # an int by its type
    return kind in _PLAIN


def _object(value: dict[Any, Any], depth: int) -> dict[str, Any]:
    return {_ascii(key): _value(item, depth + 1) for key, item in value.items()}


def _ascii(key: object) -> str:
    return str(key).encode("ascii", "backslashreplace").decode()


def _value(value: Any, depth: int) -> Any:
    """A stand-in that can be told from the rest, but never the text of an unknown object: nobody
    knows what that would show."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, str):
        return str(value).encode("utf-8", "replace").decode()
    if isinstance(value, int):
        return int(value) if -_EXACT <= value <= _EXACT else hex(value)
    if isinstance(value, float):
        return repr(float(value))
    if depth >= _DEEPEST:
        return None
    if isinstance(value, dict):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return [_value(item, depth + 1) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_ascii(item) for item in value)
    return None
