"""``operator unseal`` and ``operator seal``."""

from __future__ import annotations

import click

from scaivault.cli.failure import Failure
from scaivault.cli.http import SLOW, rows
from scaivault.cli.operator.credential import Given, credential_flags, one_by_one
from scaivault.cli.operator.shapes import progress, state_tables
from scaivault.cli.session import common_flags, session


@click.command()
@credential_flags(slot=True, auto=True)
@common_flags
def unseal(given: Given) -> None:
    """Open the vault with a passphrase, a recovery key, shares, a key, or its automatic slots.

    Shares may come one at a time, from several people and several calls; what was entered
    counts for 15 minutes. An empty line at the prompt stops. Exit 0 also when more shares are
    needed: see the state, or `status`.
    """
    current = session()
    api = current.api()
    answer = api.get("/v1/system/seal-status")
    if not answer.body.get("initialized"):
        raise Failure("not_initialized", "there is no vault yet; see: scaivault operator init")
    if answer.body.get("sealed"):
        for credential in one_by_one(given, rows(answer.body, "slots")):
            answer = api.post("/v1/system/unseal", credential, timeout=SLOW)
            if not answer.body.get("sealed"):
                break
            for slot in rows(answer.body, "slots"):
                if slot.get("progress"):
                    current.note(f"{slot.get('label')}: {progress(slot)} shares")
    current.show(answer, *state_tables(answer.body))


@click.command()
@click.option("--no-hold", is_flag=True, help="Let automatic slots open it again.")
@common_flags
def seal(no_hold: bool) -> None:
    """Finish running requests, wipe the keys from memory and close the database.

    Until somebody unseals by hand, over restarts too, unless --no-hold is given.
    """
    current = session()
    answer = current.api().post("/v1/system/seal", {"hold": not no_hold}, timeout=SLOW)
    current.show(answer, *state_tables(answer.body))
