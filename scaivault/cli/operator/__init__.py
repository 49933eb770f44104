"""``scaivault operator``: set a vault up, unseal and seal it, and keep it sound."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import common_flags

_COMMANDS: Final = {
    "init": (".init:init", "Make a new vault."),
    "status": (".status:status", "State and slots; exit 8 sealed, 9 not initialised."),
    "unseal": (".unseal:unseal", "Open the vault with a passphrase, shares or a key."),
    "seal": (".unseal:seal", "Wipe the keys from memory until somebody unseals."),
    "slots": (".slots:slots", "The ways in which the vault can be unsealed."),
    "rotate-root": (".rotate:rotate_root", "A new root key."),
    "rotate-key": (".rotate:rotate_key", "A new key for a tenant or a partner."),
    "root-token": (".token:root_token", "A token for those who lost every other."),
    "audit-verify": (".audit:audit_verify", "Check the audit chain; exit 7 on damage."),
    "doctor": (".doctor:doctor", "Examine the data directory and its host."),
    "jobs": (".jobs:jobs", "What happens by itself; pause and resume it."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@common_flags
def operator() -> None:
    """Set a vault up, unseal and seal it, and keep it sound.

    Secrets are asked for at the terminal without being shown, or read from a file (`-` is
    stdin). They are never arguments.
    """
