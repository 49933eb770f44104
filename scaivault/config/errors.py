"""The one way in which a configuration is refused."""

from __future__ import annotations

from typing import Final


class ConfigError(Exception):
    """The configuration cannot be used; the message names the key, where it stands and the remedy.

    Never holds the value at fault: it may be a secret under the wrong key.
    """

    exit_status: Final = 5
