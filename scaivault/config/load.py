"""Loading the settings at start, and again on SIGHUP."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from msgspec.structs import replace

from scaivault.config.aliases import from_aliases
from scaivault.config.convert import build
from scaivault.config.layers import from_environment, from_file, from_flags
from scaivault.config.rules import settle
from scaivault.config.settings import KEYS, Settings, lookup

RELOADED: Final = frozenset(
    {"server.trusted_proxies", "server.tls.cert_file", "server.tls.key_file"}
    | {key for key in KEYS if key.startswith(("log.", "rate_limits."))}
)
"""Keys that change while the process runs; every other one needs a restart."""


def load(config_path: Path | None, env: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """The settings from flags, environment, aliases and file, in this order of precedence.

    ``config_path`` is ``--config``; without it ``$SCAIVAULT_CONFIG``, then the file in /etc if it
    is there. ``flags`` maps keys (``server.bind``) to raw values, ``None`` = not given.
    ``ConfigError`` names the key, the line or variable, and what is expected.
    """
    file = from_file(config_path, env)
    aliases = from_aliases(env, file)
    given = file | aliases.layer | from_environment(env) | from_flags(flags)
    settings = replace(build(given), slot_defaults=aliases.slot_defaults, warnings=aliases.warnings)
    return settle(settings, given)


def reloadable(old: Settings, new: Settings) -> tuple[Settings, list[str]]:
    """``old`` with what of ``new`` can change in a running process, and the keys that cannot.

    The second part lists, in the order of the configuration, the keys whose new value counts
    only after a restart.
    """
    server = replace(
        old.server,
        trusted_proxies=new.server.trusted_proxies,
        tls=replace(
            old.server.tls,
            cert_file=new.server.tls.cert_file,
            key_file=new.server.tls.key_file,
        ),
    )
    settings = replace(old, server=server, log=new.log, rate_limits=new.rate_limits)
    restart = [key for key in KEYS if lookup(settings, key) != lookup(new, key)]
    return settings, restart
