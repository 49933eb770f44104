"""Query strings: percent-decoded once, then into the fields of a request type, all faults at
once."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar
from urllib.parse import unquote_to_bytes

import msgspec
from msgspec import Struct, inspect
from msgspec.json import encode

from scaivault.errors import Refusal, faults
from scaivault.wire.faults import MAX_FAULTS, shown
from scaivault.wire.shapes import expectation, json_kind, type_kinds

MAX_PARAMETERS: Final = 200

S = TypeVar("S", bound=Struct)

_BROKEN_ESCAPE: Final = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_INTEGER: Final = re.compile(r"-?(?:0|[1-9][0-9]{0,18})")
_BOOLEANS: Final = {"true": True, "1": True, "false": False, "0": False}

_REASONS: Final = {
    "too_many_parameters": f"the query must have at most {MAX_PARAMETERS} parameters",
    "percent": "the query holds a % that is not followed by two hexadecimal digits",
    "utf8": "the query must be UTF-8 after percent-decoding",
}


def parse_query(raw: bytes) -> list[tuple[str, str]]:
    """``a=1&b=x%20y`` as ``[("a", "1"), ("b", "x y")]``, in order; ``+`` is a blank.

    A name without ``=`` has the value ``""``. ``Refusal`` ``invalid_request`` with a reason of
    ``_REASONS``.
    """
    if not raw:
        return []
    if raw.count(b"&") >= MAX_PARAMETERS:
        raise _refused("too_many_parameters")
    if _BROKEN_ESCAPE.search(raw):
        raise _refused("percent")
    try:
        return [_pair(part) for part in raw.replace(b"+", b" ").split(b"&") if part]
    except UnicodeDecodeError:
        raise _refused("utf8") from None


def query(type_: type[S], pairs: list[tuple[str, str]], **given: Any) -> S:
    """``type_`` from ``given`` (values from path, headers and body, taken as they are) and
    ``pairs``; a field of ``given`` is no query parameter.

    ``Refusal`` ``validation_error``: unknown or missing names, repeated ones (only a field of a
    list or tuple type may repeat), values that do not fit. Integers and booleans
    (``true false 1 0``) are read from their text; all else is text.
    """
    readers = _readers(type_)
    found: dict[str, str] = {}
    texts: dict[str, list[str]] = {}
    for name, text in pairs:
        if name in readers and readers[name].field not in given:
            texts.setdefault(name, []).append(text)
        elif len(found) < MAX_FAULTS:
            found[shown(name)] = "is not a parameter here"
    values = dict(given)
    for name, reader in readers.items():
        if name in texts:
            reader.read(texts[name], values, found)
        elif reader.required and reader.field not in given:
            found[name] = "is required"
    if found:
        raise faults(found)
    try:
        return type_(**values)
    except ValueError as error:
        raise faults({"query": str(error)}) from None


class _Reader:
    """How one field's texts become its value."""

    def __init__(self, field: msgspec.structs.FieldInfo) -> None:
        self.name: Final = field.encode_name
        self.field: Final = field.name
        self.required: Final = field.required
        self.hint: Final = field.type
        self.info: Final = inspect.type_info(field.type)
        self.item: Final = _item(self.info)
        self.literal: Final = _literal(self.item or _single(self.info))

    def read(self, texts: list[str], values: dict[str, Any], found: dict[str, str]) -> None:
        if self.item is None and len(texts) > 1:
            found[self.name] = "may be given only once"
            return
        parts = [self.literal(text) for text in texts]
        try:
            values[self.field] = msgspec.convert(
                parts[0] if self.item is None else parts, self.hint
            )
        except msgspec.ValidationError:
            found[self.name] = self.fault(parts)

    def fault(self, parts: list[Any]) -> str:
        """In words; of a list that has a fair number of items, the fault of an item."""
        if self.item is None:
            return expectation(self.info, encode(parts[0]))
        if not _fair(len(parts), _single(self.info)):
            return expectation(self.info, encode(parts))
        kinds = type_kinds(self.item)
        texts = [encode(part) for part in parts]
        stranger = next((text for text in texts if json_kind(text) not in kinds), texts[0])
        return "each " + expectation(self.item, stranger)


@cache
def _readers(type_: type[Struct]) -> dict[str, _Reader]:
    return {field.encode_name: _Reader(field) for field in msgspec.structs.fields(type_)}


@cache
def list_fields(type_: type[Struct]) -> frozenset[str]:
    """The names of the fields that take several values."""
    return frozenset(name for name, reader in _readers(type_).items() if reader.item is not None)


def _single(info: inspect.Type) -> inspect.Type:
    """Without ``None``: a query has no null."""
    if isinstance(info, inspect.Metadata):
        return _single(info.type)
    if isinstance(info, inspect.UnionType):
        left = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        return _single(left[0]) if len(left) == 1 else info
    return info


def _item(info: inspect.Type) -> inspect.Type | None:
    match _single(info):
        case inspect.ListType(item_type=item) | inspect.VarTupleType(item_type=item):
            return item
    return None


def _fair(count: int, info: Any) -> bool:
    longest = count if info.max_length is None else info.max_length
    return (info.min_length or 0) <= count <= longest


def _literal(info: inspect.Type) -> Callable[[str], Any]:
    if isinstance(info, inspect.BoolType):
        return _boolean
    return _integer if isinstance(info, inspect.IntType) else str


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text, text)


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _pair(part: bytes) -> tuple[str, str]:
    name, _, value = part.partition(b"=")
    return _text(name), _text(value)


def _text(raw: bytes) -> str:
    return (unquote_to_bytes(raw) if b"%" in raw else raw).decode("utf-8")


def _refused(reason: str) -> Refusal:
    return Refusal("invalid_request", _REASONS[reason], reason=reason)
