"""Settings for commands that run on the server's own machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaivault.cli.failure import USAGE, Failure

if TYPE_CHECKING:
    from scaivault.config import Settings


def load_settings(config: str | None, flags: Mapping[str, Any]) -> Settings:
    """As ``scaivault.config.load``; a configuration that is refused ends the command with 5."""
    from scaivault.config import ConfigError, load

    try:
        return load(Path(config) if config else None, os.environ, flags)
    except ConfigError as refused:
        raise Failure("configuration", str(refused), USAGE) from None
