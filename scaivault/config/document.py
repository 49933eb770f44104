"""Reads YAML as plain data and remembers on which line each key stands.

Narrower than YAML, on purpose: only ``true``/``false``, ``null`` and whole numbers are anything
but text (so ``off``, ``1.2``, ``02:30`` and ``12:30`` stay what was written), keys are text and
stand once, anchors and tags are refused (a configuration is data, and small).
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

import yaml

from scaivault.config.errors import ConfigError

LARGEST: Final = 1 << 20
"""Bytes of the largest file that is read."""

_NULL: Final = "tag:yaml.org,2002:null"
_BOOL: Final = "tag:yaml.org,2002:bool"
_INT: Final = "tag:yaml.org,2002:int"


class _Loader(yaml.SafeLoader):
    """SafeLoader with fewer kinds of scalars and without aliases."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]  # missing in its stubs
        alias = isinstance(event, yaml.AliasEvent)
        if alias or getattr(event, "anchor", None) or getattr(event, "tag", None):
            raise yaml.MarkedYAMLError(
                problem="anchors, aliases and tags are not supported",
                problem_mark=event.start_mark,
            )
        return super().compose_node(parent, index)


_Loader.yaml_implicit_resolvers = {}  # its own, so that SafeLoader keeps the usual ones
_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), ["t", "f"])
_Loader.add_implicit_resolver(_INT, re.compile(r"^-?(?:0|[1-9][0-9]{0,17})$"), list("-0123456789"))

Path = tuple[str | int, ...]


class Document(NamedTuple):
    """Plain data, and the line (from 1) of each key and list entry by its path."""

    data: Any
    lines: dict[Path, int]


def read_yaml(text: str, name: str) -> Document:
    """Parse ``text``; ``name`` is how messages call it. ``ConfigError`` with the line at fault."""
    if len(text) > LARGEST:
        raise ConfigError(f"{name} is larger than {LARGEST} bytes")
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        lines: dict[Path, int] = {}
        return Document(None if node is None else _plain(loader, node, (), lines, name), lines)
    except yaml.MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else 1
        raise ConfigError(f"{name}, line {line}: not valid YAML: {fault.problem}") from None
    except yaml.YAMLError:
        raise ConfigError(f"{name}: not valid YAML: it holds characters that are no text") from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None


def _plain(loader: _Loader, node: yaml.Node, path: Path, lines: dict[Path, int], name: str) -> Any:
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        return _mapping(loader, node, path, lines, name)
    if isinstance(node, yaml.SequenceNode):
        entries = enumerate(node.value)
        return [_plain(loader, entry, (*path, i), lines, name) for i, entry in entries]
    return loader.construct_object(node)


def _mapping(
    loader: _Loader, node: yaml.MappingNode, path: Path, lines: dict[Path, int], name: str
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        key = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            raise ConfigError(f"{name}, line {line}: a key must be plain text")
        dotted = ".".join(str(part) for part in (*path, key))
        if key in found:
            raise ConfigError(f"{name}, line {line}: {dotted} is given twice")
        found[key] = _plain(loader, value_node, (*path, key), lines, name)
        lines[(*path, key)] = line
    return found
