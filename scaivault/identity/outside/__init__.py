"""What outside directories tell about people, groups and tenants: one event at a time (the webhook
receiver of ScaiKey) or all at once (runs over SCIM 2.0)."""

from scaivault.identity.outside.receiver import Receiver
from scaivault.identity.outside.room import Outside
from scaivault.identity.outside.runs import Sync

__all__ = ["Outside", "Receiver", "Sync"]
