"""Tokens of issuers outside the vault: reading them, the keys that prove them, whom they name."""

from scaivault.identity.foreign.key_sets import KeySets, Source
from scaivault.identity.foreign.room import Foreign

__all__ = ["Foreign", "KeySets", "Source"]
