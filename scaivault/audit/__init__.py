"""The audit chain as others see it: queries, verification, checkpoints and their keys."""

from scaivault.audit.room import Audit

__all__ = ["Audit"]
