"""Where exports and the archive are written to: one file for each kind, loaded when it is used."""

from scaivault.audit.destinations.contract import Destination, DestinationFailed, Place, open_place

__all__ = ["Destination", "DestinationFailed", "Place", "open_place"]
