"""``auth mfa``: the second factor of the token in use."""

from __future__ import annotations

import click

from scaivault.cli import ask
from scaivault.cli.failure import usage
from scaivault.cli.session import client_flags, session
from scaivault.cli.tables import facts


@click.command()
@click.argument("code", metavar="[CODE]", required=False)
@click.option("--enrol", is_flag=True, help="A new second factor; its first code confirms it.")
@click.option("--remove", is_flag=True, help="Give the second factor up.")
@click.option("--yes", is_flag=True, help="Do not ask, with --remove.")
@client_flags
def mfa(code: str | None, enrol: bool, remove: bool, yes: bool) -> None:
    """Show a code of your second factor (TOTP); it counts for the token in use.

    CODE `-` is read from stdin; without CODE it is asked for. --enrol prints the secret, and the
    address for a QR code, once.
    """
    if sum((code is not None, enrol, remove)) > 1:
        raise usage("one of CODE, --enrol and --remove, not several")
    if remove:
        ask.agreed("Give the second factor up?", yes=yes)
    current = session()
    vault = current.vault()
    if remove:
        current.show(vault.ask(vault.client.auth.remove_mfa))
        return
    if enrol:
        answer = vault.ask(vault.client.auth.enrol_mfa)
    else:
        answer = vault.ask(vault.client.auth.verify_mfa, _code(code))
    current.show(answer, facts(answer.body))


def _code(given: str | None) -> str:
    if given == "-":
        return ask.from_file("-").strip()
    return given if given is not None else ask.hidden("Code", instead="CODE").strip()
