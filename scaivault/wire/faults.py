"""Request bodies into their types; when that fails, every fault at once.

The fast path is one msgspec call. It stops at the first fault and its message may quote the
value, so a refusal walks the body again, type and text side by side, and collects
``{field path: fault}`` in its own words. The walk also drops members that are ``null`` where the
field has a default and no ``None`` in its type: in PUT and POST that is the same as absent. A
field that may be cleared says ``T | None | UnsetType``; one that PATCH may only leave out or set
says ``T | UnsetType``, and there ``null`` is a fault.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from itertools import takewhile
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec
from msgspec import Raw, Struct, UnsetType, inspect
from msgspec.structs import FieldInfo

from scaivault.errors import Refusal, faults
from scaivault.wire.shapes import expectation, json_kind, type_kinds

# More faults than this are no help to people, only a large answer to a small effort.
MAX_FAULTS: Final = 50

S = TypeVar("S", bound=Struct)
T = TypeVar("T")

_PLACE: Final = re.compile(r" - at `\$\.?([^`]*)`$")


def decode(body: bytes, type_: type[S]) -> S:
    """The body as ``type_``. ``body`` has passed ``strict.check``.

    ``Refusal`` ``validation_error`` with ``details.fields`` for all fields at fault;
    ``invalid_request`` when the body is no object. A ``Refusal`` or ``ValueError`` of a type's own
    ``__post_init__`` is passed on or becomes the fault of its place.
    """
    try:
        decoded: S = _decoder(type_).decode(body)
    except msgspec.ValidationError:
        return _decode_slowly(body, type_)
    except (msgspec.DecodeError, ValueError):
        raise Refusal("invalid_request", "the body is not valid JSON", reason="json") from None
    return decoded


@cache
def _decoder(hint: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(hint)


def _decode_slowly(body: bytes, type_: type[S]) -> S:
    if json_kind(body.strip()) != "object":
        raise Refusal("invalid_request", "the body must be a JSON object", reason="not_an_object")
    walk = _Walk()
    mended = walk.struct(body, type_, "")
    if walk.found:
        raise faults(walk.found)
    try:
        decoded: S = _decoder(type_).decode(mended)
    except msgspec.ValidationError as error:
        raise faults(_own_fault(error)) from None
    return decoded


def _own_fault(error: msgspec.ValidationError) -> dict[str, str]:
    """Every field is right by itself: what is left is a sentence of a ``__post_init__``."""
    place = _PLACE.search(str(error))
    words = str(error.__cause__) if error.__cause__ is not None else "is not valid"
    return {(place[1] if place else "") or "body": words}


class _Walk:
    """Each method returns its text mended (nulls dropped) and notes faults in ``found``."""

    def __init__(self) -> None:
        self.found: dict[str, str] = {}

    def note(self, path: str, fault: str) -> None:
        if len(self.found) < MAX_FAULTS:
            self.found.setdefault(path, fault)

    def value(self, raw: bytes, hint: Any, path: str) -> bytes:
        """What is right as it stands is not walked: the cost follows the faults."""
        if _accepts(raw, hint):
            return raw
        before = len(self.found)
        raw = self.parts(raw, self.chosen(raw, hint, path), path)
        if len(self.found) == before and not _accepts(raw, hint):
            self.note(path, expectation(_info(hint), raw))
        return raw

    def chosen(self, raw: bytes, hint: Any, path: str) -> Any:
        """The one member of a union that ``raw`` is meant to be, by its kind or its tag."""
        fitting = [one for one in _members(hint) if json_kind(raw) in type_kinds(_info(one))]
        if len(fitting) < 2:
            return fitting[0] if fitting else None
        tags = {_config(one).tag: one for one in fitting if _config(one) is not None}
        if len(tags) < len(fitting):
            return None
        field = _config(fitting[0]).tag_field
        tag = _decoder(dict[str, Raw]).decode(raw).get(field, Raw(b"null"))
        word = _decoder(Any).decode(tag)
        if not isinstance(word, str) or word not in tags:
            self.note(_below(path, field), "must be one of: " + ", ".join(map(str, tags)))
            return None
        return tags[word]

    def parts(self, raw: bytes, hint: Any, path: str) -> bytes:
        plain = _plain(hint)
        origin, arguments = get_origin(plain), get_args(plain)
        if _config(hint) is not None:
            return self.struct(raw, plain, path)
        if origin is list or (origin is tuple and arguments[1:] == (...,)):
            return self.items(raw, hint, path)
        if origin is dict:
            return self.entries(raw, hint, path)
        return raw

    def struct(self, raw: bytes, type_: type[Struct], path: str) -> bytes:
        members = _decoder(dict[str, Raw]).decode(raw)
        config = type_.__struct_config__
        fields = _fields(type_)
        kept: list[bytes] = []
        for _, (name, inner) in self.until(members.items()):
            at = _below(path, name)
            if name in fields:
                kept += self.member(bytes(inner), fields[name], at)
            elif name == config.tag_field:
                kept.append(_pair(name, bytes(inner)))
            elif config.forbid_unknown_fields:
                self.note(at, "is not a field here")
        for name, field in fields.items():
            if field.required and name not in members:
                self.note(_below(path, name), "is required")
        return b"{" + b",".join(kept) + b"}"

    def member(self, raw: bytes, field: FieldInfo, path: str) -> list[bytes]:
        if raw != b"null" or _accepts(raw, field.type):
            return [_pair(field.encode_name, self.value(raw, field.type, path))]
        if field.required:
            self.note(path, "is required")
        elif UnsetType in get_args(field.type):
            self.note(path, "must not be null")
        return []

    def items(self, raw: bytes, hint: Any, path: str) -> bytes:
        items = _decoder(list[Raw]).decode(raw)
        if _too_many(items, hint):
            return raw
        inner = get_args(_plain(hint))[0]
        mended = [self.value(bytes(one), inner, f"{path}[{at}]") for at, one in self.until(items)]
        return b"[" + b",".join(mended) + b"]"

    def entries(self, raw: bytes, hint: Any, path: str) -> bytes:
        entries = _decoder(dict[str, Raw]).decode(raw)
        if _too_many(entries, hint):
            return raw
        inner = get_args(_plain(hint))[1]
        mended = [
            _pair(name, self.value(bytes(entries[name]), inner, _below(path, name)))
            for _, name in self.until(entries)
        ]
        return b"{" + b",".join(mended) + b"}"

    def until(self, items: Iterable[T]) -> Iterator[tuple[int, T]]:
        """Numbered items, until there are faults enough (the mended text is not used then)."""
        return takewhile(lambda _: len(self.found) < MAX_FAULTS, enumerate(items))


def _too_many(items: Sized, hint: Any) -> bool:
    """Over the type's own limit: that alone is the fault, and the walk is spared."""
    longest = getattr(_info(hint), "max_length", None)
    return longest is not None and len(items) > longest


def _config(hint: Any) -> Any:
    """A Struct type's settings; None for every other type."""
    return getattr(_plain(hint), "__struct_config__", None)


def _pair(name: str, raw: bytes) -> bytes:
    return msgspec.json.encode(name) + b":" + raw


def shown(name: str) -> str:
    """A name of the sender's choice as it may stand in an answer: short and printable."""
    return "".join(
        sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in name[:64]
    )


def _below(path: str, name: str) -> str:
    return f"{path}.{shown(name)}" if path else shown(name)


def _plain(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _members(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type itself."""
    plain = _plain(hint)
    if get_origin(plain) in (Union, types.UnionType):
        return tuple(one for one in get_args(plain) if one is not UnsetType)
    return (hint,)


@cache
def _fields(type_: type[Struct]) -> dict[str, FieldInfo]:
    return {field.encode_name: field for field in msgspec.structs.fields(type_)}


@cache
def _info(hint: Any) -> inspect.Type:
    return inspect.type_info(hint)


def _accepts(raw: bytes, hint: Any) -> bool:
    try:
        _decoder(hint).decode(raw)
    except msgspec.ValidationError as error:
        return isinstance(error.__cause__, ValueError)
    return True
