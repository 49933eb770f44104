"""The vault itself: opening and closing it, its slots and keys, its health."""
