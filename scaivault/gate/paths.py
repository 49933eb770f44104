"""What a secret's path may look like.

One to ten segments of ``a-z 0-9 - _`` joined by ``/``, at most 512 characters, outside the
names that routes need for themselves. A path is accepted or refused as it stands: nothing is
decoded, folded, trimmed or collapsed, so two spellings can never mean one secret.

When several faults meet, the reason is the first of: ``empty``, ``encoding``, ``dot_segment``,
``leading_slash``, ``trailing_slash``, ``empty_segment``, ``character``, ``case``, ``too_deep``,
``too_long``, ``reserved``. What hides the meaning of the rest (an escape, a dot segment) is
named before what is merely misspelt; ``case`` only when upper case is the only bad character.
"""

from __future__ import annotations

import re
from typing import Final

from scaivault.errors import Refusal

MAX_LENGTH: Final = 512
MAX_SEGMENTS: Final = 10
RESERVED_FIRST: Final = ("metadata", "batch", "expiring")
RESERVED_LAST: Final = ("versions", "restore", "rotate")

# Possessive (++): a segment can end in one place only. The group of segments must not be: where its
# last round fails, Python 3.11.2 (Debian 12) stops behind the slash, and takes a bad path.
_SEGMENT: Final = "[a-z0-9_-]++"
_NOT_FIRST: Final = rf"(?!(?:{'|'.join(RESERVED_FIRST)})(?:/|\Z))"
_NOT_LAST: Final = rf"(?!(?:{'|'.join(RESERVED_LAST)})\Z)"
_path: Final = re.compile(
    rf"{_NOT_FIRST}{_NOT_LAST}{_SEGMENT}(?:/{_NOT_LAST}{_SEGMENT}){{0,{MAX_SEGMENTS - 1}}}"
).fullmatch
_prefix: Final = re.compile(rf"(?:{_SEGMENT}/){{0,{MAX_SEGMENTS - 1}}}[a-z0-9_-]*").fullmatch
_foreign: Final = re.compile("[^a-zA-Z0-9_/-]").search
_upper: Final = re.compile("[A-Z]").search

_REMEDY: Final = {
    "empty": "name at least one segment",
    "encoding": "send the path literally, without percent escapes",
    "dot_segment": "leave out the segments . and ..",
    "leading_slash": "leave out the slash in front",
    "trailing_slash": "leave out the slash at the end",
    "empty_segment": "put something between two slashes",
    "character": "use only a-z 0-9 - _ and / between segments",
    "case": "use lower-case letters only",
    "too_deep": f"use at most {MAX_SEGMENTS} segments",
    "too_long": f"use at most {MAX_LENGTH} characters",
    "reserved": "choose another name: this one is a route of the service",
}


def check_path(path: str) -> None:
    """Nothing for a legal path; else ``invalid_path`` with ``path`` and ``reason``."""
    if _path(path) is None or len(path) > MAX_LENGTH:
        raise _refusal(path, _fault(path))


def check_prefix(prefix: str) -> None:
    """A plain prefix of paths: may be empty and may end in ``/``; reserved words are allowed.

    A prefix below which no legal path fits (ten segments and a slash) is ``too_deep``.
    """
    if _prefix(prefix) is None or len(prefix) > MAX_LENGTH:
        # With one more character the slash at the end is no fault, and all others stay.
        raise _refusal(prefix, _fault(prefix + "x" if prefix.endswith("/") else prefix))


def path_from_target(raw: bytes) -> str:
    """The path in the part of an undecoded request target behind the route and before ``?``."""
    path = raw.decode("ascii", "backslashreplace")  # the backslash is refused in its turn
    check_path(path)
    return path


def _fault(path: str) -> str:
    """The reason for a path that is known to be bad, in the order of the module's head."""
    segments = path.split("/")
    faults = {
        "empty": not path,
        "encoding": "%" in path,
        "dot_segment": "." in segments or ".." in segments,
        "leading_slash": path.startswith("/"),
        "trailing_slash": path.endswith("/"),
        "empty_segment": "" in segments,
        "character": _foreign(path) is not None,
        "case": _upper(path) is not None,
        "too_deep": len(segments) > MAX_SEGMENTS,
        "too_long": len(path) > MAX_LENGTH,
    }
    return next((reason for reason, present in faults.items() if present), "reserved")


def _refusal(path: str, reason: str) -> Refusal:
    return Refusal(
        "invalid_path",
        f"the path is not valid ({reason}): {_REMEDY[reason]}",
        path=path[:MAX_LENGTH],
        reason=reason,
    )
