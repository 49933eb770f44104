"""All that happens by itself."""
