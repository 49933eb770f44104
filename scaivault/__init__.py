"""ScaiVault: one process that keeps an organisation's secrets and certificates."""

__version__ = "0.1.0"
