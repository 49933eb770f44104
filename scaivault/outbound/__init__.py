"""Calls to other systems: which addresses may be called, and connections that go nowhere else."""

from scaivault.outbound.addresses import AddressRefused, Allowance
from scaivault.outbound.client import Answer, client, send
from scaivault.outbound.guard import Guard
from scaivault.outbound.targets import Target, parse_target

__all__ = [
    "AddressRefused", "Allowance", "Answer", "Guard", "Target", "client", "parse_target", "send",
]  # fmt: skip
