"""Which build this is: ``build.json`` in the package, written where it is packaged."""

from __future__ import annotations

from importlib import resources
from typing import Final

import msgspec


class Build(msgspec.Struct, frozen=True):
    """The commit and the time of a build (RFC 3339); null where it was not packaged."""

    commit: str | None = None
    built_at: str | None = None


def read() -> Build:
    """A checkout has no such file."""
    file = resources.files("scaivault") / "build.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Build)
    except FileNotFoundError:
        return Build()


BUILD: Final = read()
