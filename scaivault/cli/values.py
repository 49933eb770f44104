"""Values on their way in: ``k=v``, ``k=@file``, ``k=-`` and ``--json-file``.

No message here repeats what stands behind a ``=`` or in a file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from scaivault.cli import ask
from scaivault.cli.failure import usage

Data = dict[str, Any]

# The server's own limit for a value is 512 KiB of compact JSON; a body may be 1 MiB.
_LIMIT: Final = 1 << 20


def data_of(pairs: Sequence[str], json_file: str | None) -> Data:
    """The fields that the command line names; those of ``k=v`` win over the file's.

    ``k=@file`` and ``k=-`` (stdin) are text, exactly but for one line end after it.
    """
    stdin = [json_file] if json_file == "-" else []
    data = json_object(json_file) if json_file is not None else {}
    named: set[str] = set()
    for position, pair in enumerate(pairs, 1):
        name, equals, text = pair.partition("=")
        if not name or not equals:
            raise usage(f"value {position} is not k=v, k=@file or k=-")
        if name in named:
            raise usage(f"the field {name} is given twice")
        named.add(name)
        if text == "-":
            stdin.append(name)
        if len(stdin) > 1:
            raise usage("stdin (-) can be read for one value only")
        data[name] = _value(text)
    return data


def given(**fields: Any) -> Data:
    """What of these the command line names."""
    return {name: value for name, value in fields.items() if value is not None}


def _value(text: str) -> str:
    if text == "-":
        return ask.from_file("-", _LIMIT)
    if text.startswith("@"):
        return ask.from_file(text[1:], _LIMIT)
    return text


def json_object(name: str) -> Data:
    """The JSON object in a file (``-`` = stdin)."""
    value = json_value(name)
    if not isinstance(value, dict):
        raise usage(f"{_shown(name)} must hold a JSON object")
    return value


def json_value(name: str) -> Any:
    """The JSON document in a file (``-`` = stdin)."""
    try:
        return parsed(ask.whole(name, _LIMIT))
    except ValueError as fault:
        raise usage(f"{_shown(name)} is no JSON: {fault}") from None


def parsed(text: str) -> Any:
    """Strict JSON (RFC 8259): no key twice, no NaN, no infinity. ``ValueError`` says where, and
    never what."""
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_constant=_number, parse_float=_number
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg}, line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> Data:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return fields


def _number(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError("NaN and infinite numbers are not JSON")
    return number


def _shown(name: str) -> str:
    return "stdin" if name == "-" else name
