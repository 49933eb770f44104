"""Access policies: which identities may do what on which paths."""

from scaivault.policies.bindings import Bindings
from scaivault.policies.rights import Rights
from scaivault.policies.room import Policies
from scaivault.policies.shelf import Shelf

__all__ = ["Bindings", "Policies", "Rights", "Shelf"]
