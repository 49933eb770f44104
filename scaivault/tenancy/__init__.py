"""Partners and their tenants."""

from scaivault.tenancy.room import Tenancy

__all__ = ["Tenancy"]
