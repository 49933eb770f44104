"""``scaivault operator``: set a vault up, unseal and seal it, and keep it sound."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import common_flags

_HERE: Final = "scaivault.cli.operator"
_COMMANDS: Final = {
    "init": (f"{_HERE}.init:init", "Make a new vault."),
    "status": (f"{_HERE}.status:status", "State and slots; exit 8 sealed, 9 not initialised."),
    "unseal": (f"{_HERE}.unseal:unseal", "Open the vault with a passphrase, shares or a key."),
    "seal": (f"{_HERE}.unseal:seal", "Wipe the keys from memory until somebody unseals."),
    "slots": (f"{_HERE}.slots:slots", "The ways in which the vault can be unsealed."),
    "rotate-root": (f"{_HERE}.rotate:rotate_root", "A new root key."),
    "rotate-key": (f"{_HERE}.rotate:rotate_key", "A new key for a tenant or a partner."),
    "root-token": (f"{_HERE}.token:root_token", "A token for those who lost every other."),
    "audit-verify": (f"{_HERE}.audit:audit_verify", "Check the audit chain; exit 7 on damage."),
    "doctor": (f"{_HERE}.doctor:doctor", "Examine the data directory and its host."),
    "jobs": (f"{_HERE}.jobs:jobs", "What happens by itself; pause and resume it."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@common_flags
def operator() -> None:
    """Set a vault up, unseal and seal it, and keep it sound.

    Secrets are asked for at the terminal without being shown, or read from a file (`-` is
    stdin). They are never arguments.
    """
