"""``scaivault audit``: what was done, by whom, and whether the log is whole."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_HERE: Final = "scaivault.cli.audit"
_COMMANDS: Final = {
    "logs": (f"{_HERE}.logs:logs", "Search the log, or follow it."),
    "secret": (f"{_HERE}.trails:secret", "What was done with a secret."),
    "identity": (f"{_HERE}.trails:identity", "What an identity did."),
    "summary": (f"{_HERE}.trails:summary", "Totals of a time."),
    "export": (f"{_HERE}.exports:export", "Write rows to a bucket or a directory."),
    "exports": (f"{_HERE}.exports:exports", "Exports and how far they are."),
    "verify": (f"{_HERE}.verify:verify", "Check the chain of the log; exit 7 on damage."),
}


@click.group(cls=LazyGroup, table=_COMMANDS)
@client_flags
def audit() -> None:
    """What was done, by whom, and whether the log is whole.

    TIME is RFC 3339 or a date (00:00 UTC). `operator audit-verify` checks files without a server.
    """
