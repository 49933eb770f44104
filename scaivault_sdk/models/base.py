"""From JSON to frozen dataclasses: known fields by their declared types, the rest in ``extra``.

A server that is newer than this client may send more fields and further members of enums; neither
is an error here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from scaivault_sdk.errors import TransportError

if TYPE_CHECKING:
    from typing_extensions import Self

Convert = Callable[[Any], Any]


@dataclass(frozen=True)
class Model:
    """An object of the API. ``extra``: wire fields that this version does not know."""

    extra: dict[str, Any] = field(default_factory=dict, kw_only=True, repr=False)

    @classmethod
    def from_wire(cls, body: Any, **also: Any) -> Self:
        """``also``: fields that stand elsewhere in the answer. ``TransportError`` when the body
        cannot be this object."""
        if not isinstance(body, Mapping):
            raise TransportError(f"the answer holds no {cls.__name__}; is this ScaiVault?")
        kind: Any = cls
        known = _converters(kind)
        values = dict(also)
        extra = {}
        for name, value in body.items():
            convert = known.get(name)
            if convert is None:
                extra[name] = value
            elif name not in also:
                values[name] = convert(value)
        missing = _required(kind) - values.keys()
        if missing:
            names = ", ".join(sorted(missing))
            raise TransportError(f"the answer lacks {names} of a {cls.__name__}")
        return cls(**values, extra=extra)


def models_of(cls: type[AnyModel], values: Any) -> list[AnyModel]:
    """A list of objects; ``TransportError`` when it is none."""
    if not isinstance(values, list):
        raise TransportError(f"the answer holds no list of {cls.__name__}; is this ScaiVault?")
    return [cls.from_wire(value) for value in values]


@cache
def _converters(cls: Any) -> dict[str, Convert]:
    """Wire name -> what makes the attribute of it."""
    hints = get_type_hints(cls)
    return {
        each.name: _converter(hints[each.name])
        for each in dataclasses.fields(cls)
        if each.name != "extra"
    }


@cache
def _required(cls: Any) -> frozenset[str]:
    """Attributes without a default."""
    return frozenset(
        each.name
        for each in dataclasses.fields(cls)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    )


def _converter(hint: Any) -> Convert:
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        inner = [arm for arm in get_args(hint) if arm is not NoneType]
        return _optional(_converter(inner[0]))
    if origin is list:
        each = _converter(get_args(hint)[0])
        return lambda value: [each(item) for item in value] if isinstance(value, list) else value
    if origin is dict:
        each = _converter(get_args(hint)[1])
        return lambda value: (
            {name: each(item) for name, item in value.items()} if isinstance(value, dict) else value
        )
    if hint is datetime:
        return _instant
    if isinstance(hint, type) and issubclass(hint, Model):
        return hint.from_wire
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint)
    return _as_is


def _as_is(value: Any) -> Any:
    return value


def _optional(convert: Convert) -> Convert:
    return lambda value: None if value is None else convert(value)


def _member(enum: type[Enum]) -> Convert:
    """A member, or the text itself when the server knows more of them."""

    def convert(value: Any) -> Any:
        try:
            return enum(value)
        except ValueError:
            return value

    return convert


def _instant(value: Any) -> datetime:
    """RFC 3339 with ``Z``; ``fromisoformat`` of Python 3.10 does not read the ``Z``."""
    try:
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    except ValueError:
        raise TransportError("the answer holds a timestamp that is none") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


if TYPE_CHECKING:
    from typing import TypeVar

    AnyModel = TypeVar("AnyModel", bound=Model)
