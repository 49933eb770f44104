"""``operator status``: state and slots; the exit code says it to scripts."""

from __future__ import annotations

import click

from scaivault.cli.failure import NOT_INITIALIZED, SEALED
from scaivault.cli.operator.shapes import state_tables
from scaivault.cli.session import common_flags, session


@click.command()
@common_flags
def status() -> int:
    """State, slots and progress. Exit 0 unsealed, 8 sealed, 9 not initialised."""
    current = session()
    answer = current.api().get("/v1/system/seal-status")
    current.show(answer, *state_tables(answer.body))
    if not answer.body.get("initialized"):
        return NOT_INITIALIZED
    return SEALED if answer.body.get("sealed") else 0
