"""``operator root-token``: back in for an operator who lost every token."""

from __future__ import annotations

import click

from scaivault.cli.http import SLOW, rows
from scaivault.cli.operator.credential import Given, credential_flags, whole
from scaivault.cli.session import common_flags, session


@click.command()
@credential_flags(slot=True, auto=False)
@click.option("--ttl", metavar="D", help="Life of the token; 1h.")
@common_flags
def root_token(given: Given, ttl: str | None) -> None:
    """A token of the root account, for whoever can open a slot. Older tokens stay.

    Stdout holds the token alone. Only on the server's own machine, on an unsealed vault.
    """
    current = session()
    api = current.api()
    slots = [] if given.anything else rows(api.get("/v1/system/seal-status").body, "slots")
    body = whole(given, slots)
    if ttl is not None:
        body["ttl"] = ttl
    answer = api.post("/v1/system/root-token", body, timeout=SLOW)
    if current.json:
        current.show(answer)
        return
    click.echo(str(answer.body.get("token", "")))
    current.note(f"Valid until {answer.body.get('expires_at')}, not shown again.")
