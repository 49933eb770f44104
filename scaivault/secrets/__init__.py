"""Secrets: named JSON values with history."""

from scaivault.secrets.room import Secrets

__all__ = ["Secrets"]
