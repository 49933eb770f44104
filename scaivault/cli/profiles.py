"""``~/.scaivault/config.json``: settings and credentials by profile.

``{"current_profile": "default", "profiles": {"default": {…}}}``. A flat file, whose top level
holds the settings themselves, is read as the profile ``default``, and written back in full form.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

from scaivault.cli import home
from scaivault.cli.failure import Failure, usage

NAME: Final = "config.json"
DEFAULT: Final = "default"
TEXTS: Final = (
    *("base_url", "token", "client_id", "client_secret"),
    *("tenant_id", "partner_id", "ca_file"),
)
KEYS: Final = (*TEXTS, "timeout")
"""All that can be set, in the order in which it is shown."""
SECRET: Final = frozenset(("token", "client_secret"))
_PROFILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

Profile = dict[str, Any]


@dataclass
class Profiles:
    """The file's content. ``current`` need not exist yet: it is made by the first setting."""

    current: str = DEFAULT
    table: dict[str, Profile] = field(default_factory=dict)

    def get(self, name: str | None) -> Profile:
        """A profile's settings; one that is named must be there, the current one may be empty."""
        if name is not None and name not in self.table:
            raise usage(f"there is no profile {_shown(name)} in ~/.scaivault/{NAME}")
        return self.table.get(name or self.current, {})

    def change(self, name: str | None, key: str, value: str | None) -> None:
        """Set a key, or take it out with ``None``. ``Failure`` for what no setting can be."""
        profile = self.table.setdefault(checked_name(name or self.current), {})
        checked_key(key)
        if value is None:
            profile.pop(key, None)
        else:
            profile[key] = _checked(key, value)

    def save(self) -> None:
        """Write the whole file, atomically."""
        document = {"current_profile": self.current, "profiles": self.table}
        home.write(NAME, json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n")


def load() -> Profiles:
    """The file, or empty profiles when there is none. ``Failure`` names what is wrong, and never
    a value."""
    content = home.read(NAME)
    if content is None:
        return Profiles()
    try:
        document = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _broken("is no JSON document") from None
    if not isinstance(document, dict):
        raise _broken("must be an object")
    if "profiles" not in document and "current_profile" not in document:
        return Profiles(DEFAULT, {DEFAULT: _profile(DEFAULT, document)})
    return _full(document)


def _full(document: dict[str, Any]) -> Profiles:
    unknown = sorted(document.keys() - {"current_profile", "profiles"})
    if unknown:
        raise _broken(f"has the unknown key {_shown(unknown[0])} beside its profiles")
    current = document.get("current_profile", DEFAULT)
    profiles = document.get("profiles", {})
    if not isinstance(current, str) or not isinstance(profiles, dict):
        raise _broken("needs current_profile as text and profiles as an object")
    table = {checked_name(name): _profile(name, each) for name, each in profiles.items()}
    return Profiles(checked_name(current), table)


def _profile(name: str, raw: Any) -> Profile:
    if not isinstance(raw, dict):
        raise _broken(f"has a profile {_shown(name)} that is no object")
    for key, value in raw.items():
        if key not in KEYS:
            raise _broken(f"has the unknown key {_shown(key)} in profile {_shown(name)}")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not (number if key == "timeout" else isinstance(value, str)):
            raise _broken(f"has {key} in profile {_shown(name)} with a value of the wrong type")
    return raw


def checked_name(name: str) -> str:
    """A profile's name."""
    if not _PROFILE.fullmatch(name):
        raise usage("a profile's name is 1 to 64 of A-Z a-z 0-9 . _ -, a letter or digit first")
    return name


def checked_key(key: str) -> str:
    """A setting's name."""
    if key not in KEYS:
        raise usage(f"there is no such setting; there are {', '.join(KEYS)}")
    return key


def _checked(key: str, text: str) -> Any:
    if not text or not text.isprintable():
        raise usage(f"{key} is empty or holds control characters; `config unset {key}` removes it")
    if key == "base_url":
        from scaivault.cli.http import checked_url

        return checked_url(text, allow_http=True)
    if key == "timeout":
        return _seconds(text)
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1
    if not 0.1 <= seconds <= 86400:
        raise usage("timeout is a number of seconds from 0.1 to 86400")
    return seconds


def _broken(what: str) -> Failure:
    return usage(f"~/.scaivault/{NAME} {what}")


def _shown(text: str) -> str:
    """A name that came from a file or argument; what is long is no name, but maybe a value."""
    return repr(text) if len(text) <= 32 else "of that name"
