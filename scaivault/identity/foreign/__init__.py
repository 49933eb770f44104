"""Tokens of issuers outside the vault: reading them, the keys that prove them, whom they name."""
