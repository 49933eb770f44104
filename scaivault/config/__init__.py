"""Settings: what can be set, where it may be set, and what is refused.

``load`` reads flags, environment and file into one frozen ``Settings`` value; ``reloadable`` says
what of a later one can be taken over without a restart. Everything wrong is a ``ConfigError``
before anything is opened. No setting holds a secret: keys that end in ``_file`` name a file, keys
that end in ``_path`` name a secret in the vault.
"""

from scaivault.config.errors import ConfigError
from scaivault.config.load import RELOADED, load, reloadable
from scaivault.config.quantities import Address, Delay, Duration, Network, Origin, Size, Url
from scaivault.config.settings import KEYS, Settings, lookup

__all__ = [
    "KEYS",
    "RELOADED",
    "Address",
    "ConfigError",
    "Delay",
    "Duration",
    "Network",
    "Origin",
    "Settings",
    "Size",
    "Url",
    "load",
    "lookup",
    "reloadable",
]
