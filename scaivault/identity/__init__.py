"""Who is calling: tokens, the local issuer, service accounts and their roles."""

from scaivault.identity.room import Identity

__all__ = ["Identity"]
