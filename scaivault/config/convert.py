"""Turns raw values into settings, one key at a time, so that a message names key and place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

import msgspec
from msgspec.structs import fields

from scaivault.config.document import Path as NodePath
from scaivault.config.errors import ConfigError
from scaivault.config.layers import Given, Layer
from scaivault.config.sections import Section
from scaivault.config.settings import KEYS, Settings, bare, optional

_PLACE: Final = re.compile(r"(?P<reason>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?", re.DOTALL)
_WORDS: Final = {
    "int": "a whole number",
    "bool": "true or false",
    "str": "text",
    "array": "a list",
    "object": "a table",
}
"""How messages call the types of YAML values."""

S = TypeVar("S", bound=Section)

_STEP: Final = re.compile(r"\.(?P<name>\w+)|\[(?P<index>\d+|\.\.\.)\]")


def build(given: Layer) -> Settings:
    """Settings with what is given, and defaults for the rest."""
    return _section(Settings, "", given)


def _section(section: type[S], prefix: str, given: Layer) -> S:
    values: dict[str, Any] = {}
    for field in fields(section):
        key = f"{prefix}{field.name}"
        if key in given:
            values[field.name] = _convert(key, given[key])
        elif isinstance(field.type, type) and issubclass(field.type, Section):
            values[field.name] = _section(field.type, f"{key}.", given)
    return section(**values)


def _convert(key: str, given: Given) -> Any:
    field = KEYS[key]
    if given.raw == "" and field.default in ("", Path()):
        return field.default  # derived from other settings, as when the key is not there
    raw = None if given.raw in ("off", "none") and optional(field.type) else given.raw
    try:
        return msgspec.convert(raw, field.type, dec_hook=_parse)
    except msgspec.ValidationError as fault:
        raise ConfigError(_message(key, given, str(fault))) from None


def _parse(kind: Any, raw: Any) -> Any:
    """The types that msgspec does not know: quantities, and paths."""
    if kind is not Path:
        return kind.parse(raw)
    if not isinstance(raw, str) or not raw.startswith("/") or "\0" in raw:
        raise ValueError("must be an absolute path")
    return Path(raw)


def _message(key: str, given: Given, fault: str) -> str:
    match = _PLACE.fullmatch(fault)
    reason, path = (match["reason"], match["path"] or "") if match else (fault, "")
    steps = tuple(
        step["name"] or (int(step["index"]) if step["index"].isdigit() else "")
        for step in _STEP.finditer(path)
    )
    where = _nearest(given, steps)
    return f"{where}: {key}{path} {_reason(KEYS[key].type, steps, reason)}"


def _nearest(given: Given, steps: NodePath) -> str:
    """Where the innermost known part of ``steps`` stands."""
    for end in range(len(steps), 0, -1):
        if steps[:end] in given.lines:
            return given.lines[steps[:end]]
    return given.where


def _reason(kind: Any, steps: NodePath, reason: str) -> str:
    """The fault in words, without the value (msgspec quotes those of enumerations)."""
    if reason.startswith("Invalid enum value"):
        return f"must be one of {', '.join(_choices(kind, steps))}"
    if reason.startswith(("must ", "is ")):
        return reason
    for name, words in _WORDS.items():
        reason = reason.replace(f"`{name}`", words)
    return f"is not valid: {reason[:1].lower()}{reason[1:]}".replace("`", "")


def _choices(kind: Any, steps: NodePath) -> list[str]:
    """The values allowed at ``steps`` inside a value of type ``kind``."""
    kind = bare(kind)
    if get_origin(kind) is Literal:
        return [str(choice) for choice in get_args(kind)]
    if get_origin(kind) is tuple:
        return _choices(get_args(kind)[0], steps[1:])
    if get_origin(kind) is dict:
        return _choices(get_args(kind)[1], steps[1:])
    (inner,) = (field.type for field in fields(kind) if field.name == steps[0])
    return _choices(inner, steps[1:])
