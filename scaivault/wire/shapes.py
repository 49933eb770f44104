"""What a wire type expects, in words for people. Only the type speaks, never the value sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import inspect, json

_ANY: Final = frozenset({"string", "number", "boolean", "null", "list", "object"})
_KINDS: Final[dict[type[inspect.Type], frozenset[str]]] = {
    inspect.AnyType: _ANY,
    inspect.RawType: _ANY,
    inspect.NoneType: frozenset({"null"}),
    inspect.BoolType: frozenset({"boolean"}),
    inspect.IntType: frozenset({"number"}),
    inspect.FloatType: frozenset({"number"}),
    inspect.StrType: frozenset({"string"}),
    inspect.ListType: frozenset({"list"}),
    inspect.VarTupleType: frozenset({"list"}),
    inspect.DictType: frozenset({"object"}),
    inspect.StructType: frozenset({"object"}),
}
_FIRST_BYTE: Final = {b'"': "string", b"{": "object", b"[": "list", b"n": "null"} | dict.fromkeys(
    (b"t", b"f"), "boolean"
)
_NOUNS: Final = {
    "string": "a string",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "list": "a list",
    "object": "an object",
}


def json_kind(raw: bytes) -> str:
    """Which of the six kinds of JSON value the compact text ``raw`` is."""
    return _FIRST_BYTE.get(raw[:1], "number")


def type_kinds(info: inspect.Type) -> frozenset[str]:
    """The kinds of JSON value that ``info`` can take."""
    match info:
        case inspect.Metadata(type=inner):
            return type_kinds(inner)
        case inspect.UnionType(types=members):
            return frozenset().union(*map(type_kinds, members))
        case inspect.EnumType() | inspect.LiteralType():
            return frozenset(_kind_of_member(value) for value in _members(info))
    return _KINDS.get(type(info), frozenset({"string"}))


def expectation(info: inspect.Type, raw: bytes) -> str:
    """Why ``raw``, which ``info`` refused, is at fault: ``must be 1 to 100``."""
    match info:
        case inspect.Metadata(type=inner):
            return _described(info, raw) or expectation(inner, raw)
        case inspect.EnumType() | inspect.LiteralType():
            return "must be one of: " + ", ".join(map(str, _members(info)))
        case inspect.UnionType(types=members):
            fitting = [one for one in members if json_kind(raw) in type_kinds(one)]
            if len(fitting) == 1:
                return expectation(fitting[0], raw)
    if json_kind(raw) not in type_kinds(info):
        return "must be " + _nouns(info)
    return _bounds(info, raw)


def _described(info: inspect.Metadata, raw: bytes) -> str | None:
    """The form in words, where a type with a pattern has them as its ``Meta(description=…)``."""
    words = (info.extra_json_schema or {}).get("description")
    inner = info.type
    if not words or not isinstance(inner, inspect.StrType) or json_kind(raw) != "string":
        return None
    return f"must be {words}" if inner.pattern is not None else None


def _members(info: inspect.EnumType | inspect.LiteralType) -> Sequence[Any]:
    if isinstance(info, inspect.EnumType):
        return [member.value for member in info.cls]
    return info.values


def _kind_of_member(value: object) -> str:
    return "string" if isinstance(value, str) else "null" if value is None else "number"


def _nouns(info: inspect.Type) -> str:
    """``null`` goes unmentioned where there is something else to send."""
    if isinstance(info, inspect.UnionType):
        kinds = [one for one in info.types if not isinstance(one, inspect.NoneType)]
        return " or ".join(dict.fromkeys(_nouns(one) for one in kinds))
    if isinstance(info, inspect.IntType):
        return "an integer"
    return " or ".join(_NOUNS[kind] for kind in sorted(type_kinds(info)))


def _bounds(info: inspect.Type, raw: bytes) -> str:
    """The value is of the right kind; which limit does it break?"""
    match info:
        case inspect.IntType() if not raw.removeprefix(b"-").isdigit():
            return "must be an integer"
        case inspect.IntType() | inspect.FloatType():
            return _number_bounds(info)
        case inspect.StrType(pattern=pattern) if pattern is not None and _long_enough(info, raw):
            return "has a form that is not allowed here"
        case inspect.StrType():
            return "must have " + _between(info.min_length, info.max_length) + " characters"
        case inspect.ListType() | inspect.VarTupleType():
            return "must have " + _between(info.min_length, info.max_length) + " items"
        case inspect.DictType():
            return "must have " + _between(info.min_length, info.max_length) + " entries"
    return "is not valid"


def _number_bounds(info: inspect.IntType | inspect.FloatType) -> str:
    words = []
    if info.ge is not None or info.le is not None:
        words.append(_between(info.ge, info.le))
    if info.gt is not None:
        words.append(f"above {info.gt}")
    if info.lt is not None:
        words.append(f"below {info.lt}")
    if info.multiple_of is not None:
        words.append(f"a multiple of {info.multiple_of}")
    return "must be " + (" and ".join(words) or "a number of usual size")


def _between(low: float | None, high: float | None) -> str:
    if low is None:
        return f"at most {high}"
    return f"at least {low}" if high is None else f"{low} to {high}"


def _long_enough(info: inspect.StrType, raw: bytes) -> bool:
    length = len(json.decode(raw, type=str))
    longest = length if info.max_length is None else info.max_length
    return (info.min_length or 0) <= length <= longest
