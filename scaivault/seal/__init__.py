"""Locking and opening: vault.seal, the slots that open it, and the keys while it is open."""
