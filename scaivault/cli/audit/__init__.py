"""``scaivault audit``: what was done, by whom, and whether the log is whole."""

from __future__ import annotations

from typing import Final

import click

from scaivault.cli.lazy import LazyGroup
from scaivault.cli.session import client_flags

_COMMANDS: Final = {
    "logs": (".logs:logs", "Search the log, or follow it."),
    "secret": (".trails:secret", "What was done with a secret."),
    "identity": (".trails:identity", "What an identity did."),
    "summary": (".trails:summary", "Totals of a time."),
    "export": (".exports:export", "Write rows to a bucket or a directory."),
    "exports": (".exports:exports", "Exports and how far they are."),
    "verify": (".verify:verify", "Check the chain of the log; exit 7 on damage."),
}


@click.group(cls=LazyGroup, package=__name__, table=_COMMANDS)
@client_flags
def audit() -> None:
    """What was done, by whom, and whether the log is whole.

    TIME is RFC 3339 or a date (00:00 UTC). `operator audit-verify` checks files without a server.
    """
