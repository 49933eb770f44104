"""Where settings come from: the file, the aliases, ``SCAIVAULT_…`` and flags, lowest first.

Each layer is a table ``key -> Given``: the raw value and the words with which messages say where
it stands. What is given in a higher layer replaces what a lower one says for the same key.
"""

from __future__ import annotations

import difflib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_origin

from scaivault.config.document import Document, read_yaml
from scaivault.config.document import Path as NodePath
from scaivault.config.errors import ConfigError
from scaivault.config.settings import KEYS, SECTIONS, bare

DEFAULT_FILE: Final = Path("/etc/scaivault/config.yaml")
PREFIX: Final = "SCAIVAULT_"

FLAGS: Final[Mapping[str, str]] = {
    "data_dir": "--data-dir",
    "server.bind": "--bind",
    "server.base_url": "--base-url",
    "log.level": "--log-level",
}
"""Key -> the flag of ``serve`` that sets it."""


class Given(NamedTuple):
    """A raw value and where it stands; ``lines`` tells the line of what is inside it."""

    raw: Any
    where: str
    lines: Mapping[NodePath, str] = {}


Layer = dict[str, Given]


def from_file(explicit: Path | None, env: Mapping[str, str]) -> Layer:
    """The configuration file; one that was named must be there, the default one may be missing."""
    named = explicit or (Path(env["SCAIVAULT_CONFIG"]) if env.get("SCAIVAULT_CONFIG") else None)
    path = named or DEFAULT_FILE
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if named is None:
            return {}
        raise ConfigError(f"there is no configuration file {path}") from None
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"cannot read {path}: {_reason(fault)}") from None
    document = read_yaml(text, str(path))
    layer: Layer = {}
    _flatten("", document.data, (), document, str(path), layer)
    if "dynamic.commands" in layer and path.stat().st_mode & stat.S_IWOTH:
        where = layer["dynamic.commands"].where
        raise ConfigError(
            f"{where}: dynamic.commands names programs, so that nobody but the owner and group may "
            f"write the file: chmod o-w {path}"
        )
    return layer


def from_environment(env: Mapping[str, str]) -> Layer:
    """``SCAIVAULT_DATA_DIR`` and every ``SCAIVAULT_…__…``; an unknown one of these is refused.

    An empty variable counts as not set, as compose files leave them behind.
    """
    layer: Layer = {}
    for name in sorted(env):
        key = name.removeprefix(PREFIX).lower().replace("__", ".")
        if not name.startswith(PREFIX) or ("__" not in name and key != "data_dir"):
            continue
        document = _override(key, env[name], name)
        _flatten(key, document.data, (), document, name, layer)
        if not env[name]:
            layer.pop(key, None)
    return layer


def from_flags(flags: Mapping[str, Any]) -> Layer:
    """Flags by their key; ``None`` = not given. A relative ``--data-dir`` starts here."""
    given = {key: raw for key, raw in flags.items() if raw is not None}
    if "data_dir" in given:
        given["data_dir"] = str(Path(given["data_dir"]).absolute())
    return {key: Given(raw, FLAGS.get(key, "serve")) for key, raw in given.items()}


def _reason(fault: OSError | UnicodeDecodeError) -> str:
    return (fault.strerror or "failed") if isinstance(fault, OSError) else "it is not UTF-8"


def _flatten(
    key: str, data: Any, path: NodePath, document: Document, source: str, layer: Layer
) -> None:
    """Put every key below ``key`` into ``layer``."""
    where = _where(source, document, path)
    if key in KEYS:
        inner = {
            place[len(path) :]: _where(source, document, place)
            for place in document.lines
            if place[: len(path)] == path
        }
        layer[key] = Given(data, where, inner)
    elif key and key not in SECTIONS:
        raise ConfigError(f"{where}: unknown key {key}{_suggestion(key)}")
    elif isinstance(data, dict):
        for name, value in data.items():
            dotted = f"{key}.{name}" if key else name
            _flatten(dotted, value, (*path, name), document, source, layer)
    elif data is not None:
        raise ConfigError(f"{where}: {key or 'the file'} must hold keys, each with its value")


def _where(source: str, document: Document, path: NodePath) -> str:
    if source.startswith(PREFIX):
        return source
    return f"{source}, line {document.lines.get(path, 1)}"


def _suggestion(key: str) -> str:
    near = difflib.get_close_matches(key, [*KEYS, *SECTIONS], n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


def _override(key: str, text: str, name: str) -> Document:
    """The value of a variable: YAML, but text stays text and a list may be comma text."""
    kind = bare(KEYS[key].type) if key in KEYS else None
    if kind is None or kind in {int, bool} or get_origin(kind) is dict:
        return read_yaml(text, name)
    if get_origin(kind) is tuple:
        document = read_yaml(text, name)
        if isinstance(document.data, list | dict):
            return document
        return Document([part.strip() for part in text.split(",") if part.strip()], {})
    return _text(text, name)


def _text(text: str, name: str) -> Document:
    """``null`` and quoted text as YAML reads them; anything else is the text as it stands."""
    try:
        document = read_yaml(text, name)
    except ConfigError:  # such as [::1]:8443, which YAML takes for a list
        return Document(text, {})
    return document if isinstance(document.data, str | None) else Document(text, {})
