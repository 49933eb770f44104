"""What outside directories tell about people, groups and tenants: one event at a time (the webhook
receiver of ScaiKey) or all at once (runs over SCIM 2.0)."""

from scaivault.identity.sync.receiver import Receiver
from scaivault.identity.sync.room import Synchronization
from scaivault.identity.sync.runs import Sync

__all__ = ["Receiver", "Sync", "Synchronization"]
